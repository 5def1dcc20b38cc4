// The part of an actor that knows of children: see children.h.

#include <utility>

#include "supervisor/actor.h"
#include "supervisor/admission.h"
#include "supervisor/async_attempt.h"
#include "supervisor/children.h"
#include "supervisor/status.h"

namespace taskvisor::internal {

absl::StatusOr<TaskId> Actor::Spawn(Entry& parent, AttemptContext& attempt, TaskSpec& spec,
                                    ChildOptions options) {
  if (const CancelCause cause = attempt.Cause(); cause != CancelCause::kNone) {
    return AttemptCancelled(cause);
  }
  if (options.on_failure > OnChildFailure::kCancelSiblings) {
    return InvalidSpec("ChildOptions.on_failure: must be kIgnore or kCancelSiblings");
  }
  Children& children = attempt.MakeChildren();
  if (children.depth() > kMaxChildDepth) return TooDeep();
  EnsureRoom(parent.slot);  // where the attempt waits for its children
  if (!children.group().Enter()) return NoAttempt("the body is over");
  TaskId id;
  absl::Status admitted;
  try {
    const Parentage parentage{children, attempt.facts().deadline, options.on_failure};
    admitted = admission_->AdmitChild(spec, id, parentage);
  } catch (...) {
    children.Leave();
    throw;
  }
  if (admitted.ok()) return id;  // and leaves when it ends
  children.Leave();
  return admitted;
}

bool Actor::JoinChildren(Entry& entry, Seat& seat, RunningAttempt& running, const Attempt& attempt,
                         WatchSlot* watched, const TaskError* last_error, TaskResult& result) {
  Children& children = *running.context.children();
  if (children.group().Join()) {
    children.Judge(result);
    return true;
  }
  AsyncAttempt& async = room_->At(entry.slot);
  async.attempt = attempt;
  async.watched = watched;
  async.last_error = AttemptLink::Own(last_error);
  async.TakeOver(entry, clock_, timers_.queue(), running.context, seat);
  Drive(entry, seat, async, std::move(result));
  running.context.LetGo();  // a pin that led here was waited for: by the suspension, or the end
  return false;
}

void Actor::CutShort(Entry& entry, uint64_t epoch, absl::FunctionRef<void()> won) {
  const auto cut = entry.state.TryCut(epoch);
  if (!cut) return;
  won();
  const Snapshot before{cut.seen};
  Tell(entry, CancelCause::kChildFailed, before);
  entry.state.Unpin();
  if (before.Dormant()) Submit(entry);
}

}  // namespace taskvisor::internal
