#include "supervisor/overdue.h"

#include <new>

#include "supervisor/text.h"

namespace taskvisor::internal {

TaskError DeadlineError(Duration deadline, const TaskError* last) {
  std::string reason = "deadline exceeded after " + ToText(deadline);
  const bool tells = last != nullptr && last->kind != TaskErrorKind::kCancelled;
  if (tells) reason += "; last: " + last->reason;
  return {.kind = TaskErrorKind::kTimeout,
          .reason = CutReason(reason),
          .exit_code = std::nullopt,
          .source = tells ? last->source : nullptr};
}

TaskOutcome OutcomeOfDeadline(const Entry& entry) {
  try {
    const TaskError error = DeadlineError(*entry.rules->deadline, entry.attempt.error());
    return TaskOutcome(OutcomeKind::kFailed, error.reason)
        .set_source(error.source)
        .set_cause(CancelCause::kDeadline);
  } catch (const std::bad_alloc&) {
    return TaskOutcome(OutcomeKind::kFailed).set_cause(CancelCause::kDeadline);
  }
}

}  // namespace taskvisor::internal
