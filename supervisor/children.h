#ifndef TASKVISOR_SUPERVISOR_CHILDREN_H_
#define TASKVISOR_SUPERVISOR_CHILDREN_H_

#include <cstdint>
#include <stop_token>
#include <string_view>

#include "sched/cancellation.h"
#include "supervisor/child_group.h"
#include "supervisor/entry.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_outcome.h"
#include "taskvisor/task_result.h"

namespace taskvisor::internal {

// Children
//
// What an attempt has that has spawned tasks (TaskContext::Spawn): a block on the heap, made with
// the first of them, below the attempt's CancelNode, which tells it of the attempt's cancellation
// as it tells any scope. An attempt without children pays nothing; their tasks have the other end
// of the tie in their OwnRules (`Child`).
//
//   the body        Spawn: counted, admitted, enlisted, committed
//   who cancels     the attempt's flag, then its scopes: one of them asks all children to stop
//   a child's end   failed, and that counts: the attempt is cut short, as if it were cancelled.
//                   Slot given back, then Leave; the last one wakes the attempt if it joins
//   the worker      the body is over: none left, the attempt is judged. Else it suspends (kJoins),
//                   without worker or permit, and looks again whenever it is roused
//
// A plain body's attempt is on its worker's stack, so to suspend it moves into the AsyncAttempt of
// its slot; from then on it is as a coroutine whose frame is gone (async_attempt.h).
//
// Lifetime: of the attempt, which does not end before all children have left (C2). Children know
// their group by a pointer, the group its attempt by slot and epoch; who wakes an attempt that is
// over by then is refused by the epoch.
//
// Who may touch what: the failure is written by the child that has cut the attempt short, of which
// there is one (TryCut), before it leaves; and read by the worker when none is left. The rest is
// never changed.
class Children {
 public:
  // REQUIRES: the attempt runs; `node` is its own, and lives longer. Throws if there is no memory.
  Children(Entry& entry, uint64_t epoch, CancelNode& node);

  [[nodiscard]] ChildGroup& group() { return group_; }
  [[nodiscard]] TaskId parent() const { return parent_.Id(); }
  // The group that this one's parent is in; null: none. Its attempt lasts longer.
  [[nodiscard]] const Children* above() const;
  // Generations above a child of this group.
  [[nodiscard]] uint32_t depth() const { return depth_; }
  // Why the children were asked to stop.
  [[nodiscard]] CancelCause cause() const { return static_cast<CancelCause>(node_.cause()); }

  // A child's slot is given back, or it has not become one. This may be gone afterwards.
  void Leave();

  // A child has failed so: the attempt is cancelled, if nothing has cancelled it before. `name`:
  // the child's. User code of others may run. REQUIRES: it has not left.
  void Fail(std::string_view name, const TaskOutcome& outcome);

  // The worker, when none is left: what the attempt came to. The body said `result`.
  void Judge(TaskResult& result);

 private:
  struct OnStop {
    Children* self;
    void operator()() const noexcept { self->StopAll(); }
  };
  void StopAll();

  Entry& parent_;
  const uint64_t epoch_;
  CancelNode& node_;
  const uint32_t depth_;
  ChildGroup group_;
  bool failed_ = false;
  KeptError failure_{new TaskError};          // here, where to have no memory is an answer
  const std::stop_callback<OnStop> on_stop_;  // last: it may run during construction
};

// Where a child comes from, for its admission.
struct Parentage {
  Children& children;
  TimePoint deadline;  // of the attempt; max(): none
  OnChildFailure on_failure;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_CHILDREN_H_
