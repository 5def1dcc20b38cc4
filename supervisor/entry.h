#ifndef TASKVISOR_SUPERVISOR_ENTRY_H_
#define TASKVISOR_SUPERVISOR_ENTRY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "sched/pool.h"
#include "sched/timer.h"
#include "supervisor/actor_state.h"
#include "supervisor/name_index.h"
#include "supervisor/outcome_cell.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

class Actor;
class Entry;
struct RunningAttempt;

// One timer serves an entry: its attempt's timeout, its delay, or its grace.
struct EntryTimer : Timer {
  EntryTimer() : Timer(&OnFire) {}
  static void OnFire(Timer& timer, uint64_t tag);
  Entry* entry = nullptr;
};

// Entry
//
// One slot of the registry: the identity, state and rules of the task in it. Recycled,
// never freed while the supervisor lives. `state` says who may touch the rest; what is
// atomic may be read by anyone, and judged by `state` afterwards.
class Entry final : public Runnable {
 public:
  Entry() { timer.entry = this; }

  // A popped queue item: tries to begin the next attempt.
  void Run(Seat& seat) noexcept override;

  // What a timer that fires was armed for.
  enum class TimerUse : uint64_t { kTimeout, kDelay, kGrace };
  static uint64_t Tag(TimerUse use, uint64_t epoch) {
    return (epoch << 2) | static_cast<uint64_t>(use);
  }

  [[nodiscard]] TaskId Id() const { return {id.load(std::memory_order_acquire), slot}; }

  ActorState state;
  Atomic<uint64_t> id{0};  // 0 while no task is registered
  NameLink name;

  // Set once, when the slot is first used.
  uint32_t slot = 0;
  Actor* actor = nullptr;

  // Of the running attempt: written by its worker before TryBegin, read under a pin.
  Atomic<RunningAttempt*> attempt{nullptr};
  Atomic<uint32_t> attempts{0};   // begun so far; also shown by List
  Atomic<int64_t> started_at{0};  // clock, ns
  Atomic<int32_t> thread{0};

  // Owned by the phase.
  EntryTimer timer;
  bool named = false;
  uint32_t failures = 0;  // of the current streak
  uint64_t draws = 0;     // jitter samples taken
  uint64_t ordinal = 0;   // admission order in this supervisor
  TaskDefaults rules;
  TaskBody body;
  std::shared_ptr<OutcomeCell> cell;  // null: not watched
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ENTRY_H_
