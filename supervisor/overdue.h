#ifndef TASKVISOR_SUPERVISOR_OVERDUE_H_
#define TASKVISOR_SUPERVISOR_OVERDUE_H_

#include "supervisor/actor_state.h"
#include "supervisor/entry.h"
#include "taskvisor/task_outcome.h"
#include "taskvisor/task_result.h"

namespace taskvisor::internal {

// "deadline exceeded after 5s; last: <reason>": a task's end by its deadline. `last`: what the
// attempt had to say that ran until then, or the one before; null: nothing.
[[nodiscard]] TaskError DeadlineError(Duration deadline, const TaskError* last);

// The outcome of a task that meets its deadline while it has no attempt. Without memory it comes
// without its text.
[[nodiscard]] TaskOutcome OutcomeOfDeadline(const Entry& entry);

// The same of one that is stopped, by its deadline or otherwise.
[[nodiscard]] inline TaskOutcome OutcomeOfStop(const Entry& entry, CancelCause cause) {
  if (cause == CancelCause::kDeadline) [[unlikely]]
    return OutcomeOfDeadline(entry);
  return TaskOutcome(OutcomeKind::kCancelled);
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_OVERDUE_H_
