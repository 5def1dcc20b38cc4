#ifndef TASKVISOR_SUPERVISOR_OUTCOME_CELL_H_
#define TASKVISOR_SUPERVISOR_OUTCOME_CELL_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/pool.h"
#include "supervisor/no_waiting.h"
#include "supervisor/wake_list.h"
#include "taskvisor/task_outcome.h"

namespace taskvisor::internal {

// OutcomeCell
//
// Where the outcome of one task goes, once, and where its waiters look.
//
//             Set                         MarkDrained
//   kPending ─────▶ kReady (Stuck) ─────────────────▶ kDrained
//      │ └──────────────── Set (any other) ──────────────▲
//      └── Drop ──▶ kDropped: there will be none
//
// The outcome is written before the state leaves kPending and never after; release of
// the state pairs with the acquire of who reads it.
//
// Counted by its CellRefs: the spec or the entry, and the waiters. The last one gives it
// back to a store of the process, which hands it out again: cells outlive supervisors.
//
// Progress: Make and LetGo are lock-free (malloc when the store grows).
class alignas(kCacheLine) OutcomeCell {
 public:
  enum State : uint32_t { kPending, kReady, kDrained, kDropped };

  [[nodiscard]] static CellRef Make();

  // `drained`: the body is not running any more. REQUIRES: one call in all to Set or Drop.
  void Set(TaskOutcome&& outcome, bool drained) {
    outcome_ = std::move(outcome);
    Become(drained ? kDrained : kReady);
  }
  void MarkDrained() { Become(kDrained); }
  void Drop() { Become(kDropped); }

  [[nodiscard]] State state() const {
    return static_cast<State>(state_.load(std::memory_order_acquire));
  }
  // REQUIRES: state() is kReady or kDrained.
  [[nodiscard]] const TaskOutcome& outcome() const { return outcome_; }
  [[nodiscard]] EventCount& changed() { return changed_; }

  // `node` is woken when there is an outcome (or will be none). False: that is so already. Either
  // way it is taken out with Unwatch before it goes.
  [[nodiscard]] bool Watch(WakeNode& node) {
    if (!WakeList(watchers_).Add(node)) return false;
    changed_.Observe();  // Become, or the look that follows, sees the other
    return state() == kPending;
  }
  void Unwatch(WakeNode& node) { WakeList(watchers_).Remove(node); }

  // Before Attach: what of that needs memory. The real clock is for ever: nothing to keep.
  void KeepClock(const std::shared_ptr<Clock>& clock) {
    if (clock_ != nullptr || clock == RealClock()) return;
    clock_ = std::make_unique<std::shared_ptr<Clock>>(clock);
  }
  // When the task is admitted, before any worker sees it: what the waits need. The pool is
  // only compared with the caller's, never used.
  void Attach(TaskId id, const Pool& pool) noexcept {
    pool_ = pool.id();
    next_free.store(id.slot(), std::memory_order_relaxed);
    id_.store(id.value(), std::memory_order_release);  // pairs with the acquire in id()
  }
  // The admission is taken back.
  void Detach() { id_.store(0, std::memory_order_release); }
  [[nodiscard]] TaskId id() const {
    const uint64_t value = id_.load(std::memory_order_acquire);
    return value == 0 ? TaskId() : TaskId(value, next_free.load(std::memory_order_relaxed));
  }
  // The calling thread is a worker of the task's supervisor, or one that its tasks wait for.
  [[nodiscard]] bool MustNotWait() const {
    return id().valid() && (Pool::OnWorkerOf(pool_) || NoWaiting::For(pool_));
  }
  [[nodiscard]] std::shared_ptr<Clock> clock() const {
    return id().valid() && clock_ != nullptr ? *clock_ : RealClock();
  }

 private:
  friend class CellRef;
  struct Store;

  void Become(State state) {
    state_.store(state, std::memory_order_release);
    if (changed_.NotifyObserved()) WakeList(watchers_).WakeAll();
  }
  void Recycle();

  Atomic<uint32_t> refs_{0};
  Atomic<uint32_t> state_{kPending};
  EventCount changed_;
  uint32_t place_ = 0;  // in the store
  uint32_t pool_ = 0;

 public:
  Atomic<uint32_t> next_free{0};  // the store's, while it is free; else the task's slot

 private:
  Atomic<uint64_t> watchers_{0};  // a WakeList
  Atomic<uint64_t> id_{0};
  std::unique_ptr<std::shared_ptr<Clock>> clock_;  // null: the real one
  TaskOutcome outcome_;
};
#ifndef TASKVISOR_MODEL_ATOMIC
static_assert(sizeof(OutcomeCell) == kCacheLine);
#endif

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_OUTCOME_CELL_H_
