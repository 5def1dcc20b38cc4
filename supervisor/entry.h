#ifndef TASKVISOR_SUPERVISOR_ENTRY_H_
#define TASKVISOR_SUPERVISOR_ENTRY_H_

#include <cstddef>
#include <cstdint>

#include "sched/pool.h"
#include "sched/timer.h"
#include "supervisor/actor_state.h"
#include "supervisor/attempt_link.h"
#include "supervisor/name.h"
#include "supervisor/rule_book.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

class Actor;

// What an Entry holds beside its timer.
struct EntryFields : Runnable {
  // First line: what each attempt needs.
  ActorState state;
  TaskBody body;
  Atomic<uint64_t> id{0};          // 0 while no task is registered
  const RuleSet* rules = nullptr;  // of a RuleBook, or its OwnRules

  // The running attempt, or what the last one left behind.
  alignas(kCacheLine) AttemptLink attempt;
  // Of the running attempt: written by its worker before TryBegin, read under a pin.
  // Clock, ns. Before that, written by who makes it ready (or delays it): since when it is.
  Atomic<int64_t> started_at{0};
  Atomic<uint32_t> attempts{0};  // begun so far; also shown by List
  Atomic<int32_t> thread{0};

  // Owned by the phase.
  CellRef cell;           // null: not watched
  uint64_t ordinal = 0;   // admission order in this supervisor
  uint32_t failures = 0;  // of the current streak
  uint32_t draws = 0;     // jitter samples taken
  // Where the registry keeps the name, + 1; 0: anonymous.
  Atomic<uint32_t> name_place{0};

  // Set once, when the slot is first used.
  uint32_t slot = 0;
  Actor* actor = nullptr;

 protected:
  ~EntryFields() = default;
};

// Entry
//
// One slot of the registry: the identity, state and rules of the task in it. Recycled,
// never freed while the supervisor lives. `state` says who may touch the rest; what is
// atomic may be read by anyone, and judged by `state` afterwards.
//
// Its Timer is one for three uses: the attempt's timeout, the task's delay, or its grace.
// The tag says which, and for which epoch: one that is out of date does nothing, so no
// use is ever cancelled, only replaced.
class Entry final : public EntryFields, public Timer {
 public:
  Entry() : Timer(&OnFire) {}

  // A popped queue item: tries to begin the next attempt.
  void Run(Seat& seat) noexcept override;

  // What a timer that fires was armed for.
  enum class TimerUse : uint64_t { kTimeout, kDelay, kGrace };
  static uint64_t Tag(TimerUse use, uint64_t epoch) {
    return (epoch << 2) | static_cast<uint64_t>(use);
  }

  // Before it is kQueued, or kDelaying: see started_at.
  void SetReadyAt(TimePoint at) {
    // relaxed: handed on with the state
    started_at.store(at.time_since_epoch().count(), std::memory_order_relaxed);
  }

  [[nodiscard]] TimePoint ReadyAt() const {
    return TimePoint(Duration(started_at.load(std::memory_order_relaxed)));
  }

  [[nodiscard]] TaskId Id() const { return {id.load(std::memory_order_acquire), slot}; }

  // Null: anonymous. Any thread; judged by `state` afterwards, as all that is atomic.
  [[nodiscard]] const Name* name() const;

  // Of the rules, for who submits the task and does not own its phase. As all that is atomic:
  // of a task that has gone meanwhile it is no matter.
  [[nodiscard]] Priority priority() const {
    return static_cast<Priority>(marks.load(std::memory_order_relaxed) >> kPriorityShift);
  }
  // The adding thread. By its difference: SetAside changes its own bit at the same time.
  void SetPriority(Priority p) {
    const auto change = static_cast<uint8_t>(
        (static_cast<unsigned>(p) ^ static_cast<unsigned>(priority())) << kPriorityShift);
    // relaxed: handed on by Commit
    if (change != 0) marks.fetch_xor(change, std::memory_order_relaxed);
  }

  static constexpr uint8_t kSetAside = 1;  // see SetAside
  static constexpr int kPriorityShift = 1;

  // What is told of it beside its id. Written by the owner of the phase; as all that is atomic.
  static constexpr uint8_t kNamed = 1;
  static constexpr uint8_t kChild = 2;  // of another task's attempt: its rules are OwnRules
  Atomic<uint8_t> told{0};
  [[nodiscard]] bool Tells(uint8_t what) const {
    return (told.load(std::memory_order_relaxed) & what) != 0;
  }
  void SetTold(uint8_t what, bool on) {
    // relaxed: handed on with the state
    const uint8_t now = told.load(std::memory_order_relaxed);
    told.store(static_cast<uint8_t>(on ? now | what : now & ~what), std::memory_order_relaxed);
  }
  // | priority : 7 | kSetAside : 1 |
  Atomic<uint8_t> marks{static_cast<uint8_t>(Priority::kNormal) << kPriorityShift};
  Atomic<uint32_t> next_free{0};  // the slab's

 private:
  static void OnFire(Timer& timer, uint64_t tag);
};

#ifndef TASKVISOR_MODEL_ATOMIC
static_assert(sizeof(Entry) == 3 * kCacheLine && alignof(Entry) == kCacheLine,
              "two lines for an attempt, one for the timer");
static_assert(sizeof(EntryFields) == 2 * kCacheLine);
static_assert(sizeof(TaskBody) == 32, "16 bytes of a closure are in place");
#endif

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ENTRY_H_
