#ifndef TASKVISOR_SUPERVISOR_SET_ASIDE_H_
#define TASKVISOR_SUPERVISOR_SET_ASIDE_H_

#include "sched/atomic.h"
#include "sched/pool.h"
#include "sched/timer.h"
#include "supervisor/entry.h"

namespace taskvisor::internal {

class Registry;
class TimerQueue;

// SetAside
//
// The entries whose turn could not be noted, because there was no memory in the ready queue or
// for a permit's ticket. A mark in the entry, which costs no memory and can be set by any
// thread; a timer looks for marks and gives each entry another try, until there is memory.
//
//   not marked ── Put ──▶ marked, the timer armed ── the timer ──▶ not marked, tried again
//                              ▲                                          │ refused
//                              └──────────────────────────────────────────┘
//
// What an entry is due for is its state's word: kQueued a place in the ready queue, kWaiting a
// permit or a ticket, anything else nothing any more. So a mark may be out of date, like an
// element of the ready queue, and then does nothing. A stopper finishes an entry that is set
// aside as any that is at rest: no shutdown waits for memory.
//
// Cost: nothing while there is memory. Otherwise a look at every slot, kPause apart.
//
// Memory order: `due_` is changed by read-modify-writes only. Who marks and then finds it set
// comes before the look that clears it, which sees the mark; who finds it clear arms the timer.
//
// Progress: Put is lock-free; nobody waits.
class SetAside final : public Keeper, private Timer {
 public:
  SetAside(TimerQueue& timers, const Registry& registry, Actor& actor, Pool& pool);

  void Put(Entry& entry) noexcept;

  // All that runs on a supervisor's pool is an Entry.
  void OnRefused(Runnable& runnable) noexcept override { Put(static_cast<Entry&>(runnable)); }

 private:
  // On a clock that somebody has to move it is due at once.
  void ArmLook() noexcept;
  void Look();

  TimerQueue& timers_;
  const Registry& registry_;
  Actor& actor_;
  Atomic<bool> due_{false};  // the timer is armed, or about to be
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_SET_ASIDE_H_
