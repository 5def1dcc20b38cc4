#include "taskvisor/task_result.h"

#include <new>

#include "sched/delays.h"
#include "supervisor/attempt_link.h"
#include "supervisor/text.h"

namespace taskvisor {
namespace {

TaskResult Failure(TaskErrorKind kind, std::string_view reason) {
  return TaskResult(TaskError{.kind = kind,
                              .reason = internal::CutReason(reason),
                              .exit_code = std::nullopt,
                              .source = nullptr});
}

// Without malloc, and never destroyed: a body may be cancelled after main, and without memory.
TaskError& TheCancelled() {
  alignas(TaskError) static unsigned char place[sizeof(TaskError)];
  static auto* const error = new (place) TaskError{.kind = TaskErrorKind::kCancelled};
  return *error;
}

bool TakesDetails(const TaskError& error) {
  return error.kind == TaskErrorKind::kFailed || error.kind == TaskErrorKind::kFatal;
}

}  // namespace

TaskResult Fail(std::string_view reason) { return Failure(TaskErrorKind::kFailed, reason); }
TaskResult Fatal(std::string_view reason) { return Failure(TaskErrorKind::kFatal, reason); }
TaskResult TimedOut(std::string_view reason) { return Failure(TaskErrorKind::kTimeout, reason); }
TaskResult Cancelled() noexcept { return internal::ResultAccess::Of(TheCancelled()); }

void internal::DeleteError::operator()(const TaskError* error) const {
  internal::NoteDelay();  // an exception of the user's, maybe
  if (error->kind != TaskErrorKind::kCancelled || error != &TheCancelled()) delete error;
}

TaskResult::TaskResult(const absl::Status& status) {
  if (status.ok()) return;
  const std::string_view message = internal::ToStd(status.message());
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      *this = Cancelled();
      break;
    case absl::StatusCode::kDeadlineExceeded:
      *this = TimedOut(message);
      break;
    default:
      *this = Fail(message);
  }
}

TaskResult TaskResult::WithExitCode(int32_t code) && {
  if (error_ != nullptr && TakesDetails(*error_)) error_->exit_code = code;
  return std::move(*this);
}

TaskResult TaskResult::WithSource(std::exception_ptr source) && {
  if (error_ != nullptr && TakesDetails(*error_)) error_->source = std::move(source);
  return std::move(*this);
}

}  // namespace taskvisor
