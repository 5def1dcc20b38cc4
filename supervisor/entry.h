#ifndef TASKVISOR_SUPERVISOR_ENTRY_H_
#define TASKVISOR_SUPERVISOR_ENTRY_H_

#include <cstddef>
#include <cstdint>

#include "sched/pool.h"
#include "supervisor/actor_state.h"
#include "supervisor/attempt_link.h"
#include "supervisor/name.h"
#include "supervisor/rule_book.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

class Actor;

// Entry
//
// One slot of the registry: the identity, state and rules of the task in it. Recycled,
// never freed while the supervisor lives. `state` says who may touch the rest; what is
// atomic may be read by anyone, and judged by `state` afterwards.
//
// Its timer is in TaskTimers, its name in NameLinks: most tasks have none.
class Entry final : public Runnable {
 public:
  // A popped queue item: tries to begin the next attempt.
  void Run(Seat& seat) noexcept override;

  static constexpr uint8_t kPlain = 1;     // its body is small and has no destructor
  static constexpr uint8_t kChild = 2;     // of another task's attempt: its rules are OwnRules
  static constexpr uint8_t kLongName = 4;  // it has a block of NameLinks
  static constexpr uint8_t kSetAside = 1;  // of `marks`: see SetAside
  static constexpr int kPriorityShift = 1;

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
  // The slab's, while the slot is free; else attempts().
  Atomic<uint32_t> next_free{0};
  Atomic<int32_t> thread{0};

  // Owned by the phase.
  CellRef cell;           // null: not watched
  uint64_t ordinal = 0;   // of those that entered this supervisor
  uint32_t failures = 0;  // of the current streak
  // As next_free; else draws().
  Atomic<uint32_t> next_chain{0};

  // Set once, when the slot is first used.
  Actor* actor = nullptr;
  uint32_t slot = 0;

  // What is told of it beside its id. Written by the owner of the phase; as all that is atomic.
  Atomic<uint8_t> told{0};
  // | priority : 7 | kSetAside : 1 |
  Atomic<uint8_t> marks{static_cast<uint8_t>(Priority::kNormal) << kPriorityShift};
  // Of its name, which is far away; 0: it has none.
  Atomic<uint8_t> name_size{0};

  // Begun so far; also shown by List.
  [[nodiscard]] Atomic<uint32_t>& attempts() { return next_free; }
  [[nodiscard]] const Atomic<uint32_t>& attempts() const { return next_free; }

  // Jitter samples taken. The phase's.
  [[nodiscard]] Atomic<uint32_t>& draws() { return next_chain; }

  // Before it is kQueued, or kDelaying: see started_at.
  void SetReadyAt(TimePoint at) {
    // relaxed: handed on with the state
    started_at.store(at.time_since_epoch().count(), std::memory_order_relaxed);
  }

  [[nodiscard]] TimePoint ReadyAt() const {
    return TimePoint(Duration(started_at.load(std::memory_order_relaxed)));
  }

  // The owner's. At its end no code of a user's runs: there is no destructor of a body, no rule and
  // no parent.
  [[nodiscard]] bool IsPlain() const {
    return Tells(kPlain) && rules->kept == RuleSet::Kept::kInBook;
  }

  [[nodiscard]] TaskId Id() const { return {id.load(std::memory_order_acquire), slot}; }

  // Null: anonymous. Any thread; judged by `state` afterwards, as all that is atomic.
  [[nodiscard]] const Name* name() const;
  // acquire: what is read of the name is read before its state is judged.
  [[nodiscard]] bool named() const { return name_size.load(std::memory_order_acquire) != 0; }

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

  [[nodiscard]] bool Tells(uint8_t what) const {
    // acquire: what is read of it is read before its state is judged
    return (told.load(std::memory_order_acquire) & what) != 0;
  }
  void SetTold(uint8_t what, bool on) {
    const uint8_t now = told.load(std::memory_order_relaxed);
    // release: who sees it sees what belongs to it
    told.store(static_cast<uint8_t>(on ? now | what : now & ~what), std::memory_order_release);
  }
};

#ifndef TASKVISOR_MODEL_ATOMIC
static_assert(sizeof(Entry) == 2 * kCacheLine && alignof(Entry) == kCacheLine);
static_assert(sizeof(TaskBody) == 32, "16 bytes of a closure are in place");
#endif

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ENTRY_H_
