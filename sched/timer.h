#ifndef TASKVISOR_SCHED_TIMER_H_
#define TASKVISOR_SCHED_TIMER_H_

#include <cstdint>

#include "sched/atomic.h"

namespace taskvisor::internal {

// Timer
//
// One thing to do at one point in time; a member of whatever it belongs to. Its
// memory must stay valid (though not armed) for the life of the TimerQueue: a
// cancelled timer is unlinked by the timer thread later, on its own way round.
//
//              Arm                    due (timer thread)
//   idle ─────────────▶ armed ───────────────────────────▶ idle, fire(tag) runs
//     ▲                 │ ▲ │
//     └───── Cancel ────┘ └─┘ Arm again: another deadline, another tag
//                                  at most one of Cancel and the firing wins
//
// Word:  | sequence : 62 | queued : 1 | armed : 1 |
//   armed    due at `deadline`, not yet fired or cancelled
//   queued   in the inbox of the timer thread, which has yet to look at it
//   sequence counts arms, so that a firing is judged by one CAS
//
// T1: the word of a timer that is neither armed nor queued is changed by its owner alone. The
// timer thread, which may still have it in the wheel, changes only what it saw armed, by a CAS
// that fails: `armed` is gone, and when it is there again the sequence is another one.
//
// An owner that tells a stale firing by its tag need not cancel: it arms again, or lets
// the old arming fire for nothing. Arm writes the deadline, then the tag, then the word;
// a firing reads the word, then the tag, then the deadline, and is judged by a CAS of the
// word. So until the word changes it fires either for the old tag, by the old deadline or
// by the new one, or for the new tag and then not before the new deadline; and the change
// of the word arms it, whatever happened.
//
// Who may touch what: `deadline` and `tag` are written by the owner; `inbox_next` belongs
// to whoever set `queued`; the links to the timer thread.
struct Timer {
  // Runs on the timer thread; must not block. `tag` is what Arm was given.
  using Fire = void (*)(Timer& timer, uint64_t tag);

  static constexpr uint64_t kArmed = 1;
  static constexpr uint64_t kQueued = 2;
  static constexpr uint64_t kSequence = 4;

  explicit Timer(Fire on_fire) : fire(on_fire) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  Atomic<uint64_t> word{0};
  Atomic<int64_t> deadline{0};  // ns of the clock
  Atomic<uint64_t> tag{0};
  const Fire fire;

  Timer* inbox_next = nullptr;

  Timer* previous = nullptr;
  Timer* next = nullptr;
  int8_t level = -1;  // -1: not linked
  uint8_t wheel_slot = 0;
};

#ifndef TASKVISOR_MODEL_ATOMIC
static_assert(sizeof(Timer) == 64, "a cache line; 6 bytes at its end are free for who derives");
#endif

// One that was due when it was looked at, and what it was armed with.
struct DueTimer {
  Timer* timer;
  uint64_t tag;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_TIMER_H_
