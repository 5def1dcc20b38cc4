#include "taskvisor/task_result.h"

#include "supervisor/text.h"

namespace taskvisor {
namespace {

TaskResult Failure(TaskErrorKind kind, std::string_view reason) {
  return TaskResult(TaskError{.kind = kind,
                              .reason = internal::CutReason(reason),
                              .exit_code = std::nullopt,
                              .source = nullptr});
}

bool TakesDetails(const TaskError& error) {
  return error.kind == TaskErrorKind::kFailed || error.kind == TaskErrorKind::kFatal;
}

}  // namespace

TaskResult Fail(std::string_view reason) { return Failure(TaskErrorKind::kFailed, reason); }
TaskResult Fatal(std::string_view reason) { return Failure(TaskErrorKind::kFatal, reason); }
TaskResult TimedOut(std::string_view reason) { return Failure(TaskErrorKind::kTimeout, reason); }
TaskResult Cancelled() { return Failure(TaskErrorKind::kCancelled, {}); }

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
