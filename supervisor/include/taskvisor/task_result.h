#ifndef TASKVISOR_TASK_RESULT_H_
#define TASKVISOR_TASK_RESULT_H_

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace taskvisor {

// Reasons are diagnostic text; what is longer is cut here, at its source, so that an
// event and an outcome always carry the same bytes.
inline constexpr size_t kMaxReasonLength = 255;

// What went wrong in an attempt.
enum class TaskErrorKind : uint8_t {
  kTimeout,    // retryable; label "task_timeout"
  kFatal,      // never retried; label "task_fatal"
  kFailed,     // retryable; label "task_failed"
  kCancelled,  // ends the task; label "task_canceled"
};

// The stable label of a kind.
[[nodiscard]] std::string_view Label(TaskErrorKind kind);

// TaskError
//
// Why an attempt did not succeed, as a value.
struct TaskError {
  TaskErrorKind kind = TaskErrorKind::kFailed;
  std::string reason = {};  // diagnostic; at most kMaxReasonLength bytes
  std::optional<int32_t> exit_code = std::nullopt;
  std::exception_ptr source = nullptr;  // the exception behind it, if there was one

  [[nodiscard]] bool IsRetryable() const {
    return kind == TaskErrorKind::kFailed || kind == TaskErrorKind::kTimeout;
  }
};

namespace internal {
class ResultAccess;

// Out of line: most tasks have no error, and their code is to be short. That of Cancelled() is one
// for all, and nobody's to delete.
struct DeleteError {
  void operator()(const TaskError* error) const;
};
}  // namespace internal

// TaskResult
//
// What a body returns: Ok(), or an error made by Fail, Fatal, TimedOut or Cancelled.
// Returning a failure is the fast way to fail: throwing costs about a microsecond more.
// Move-only; a success is one null pointer.
//
// Example:
//   return taskvisor::Fail("queue is empty").WithExitCode(3);
class [[nodiscard]] TaskResult {
 public:
  // Success.
  TaskResult() = default;
  explicit TaskResult(TaskError error) : error_(new TaskError(std::move(error))) {}

  // An absl::Status is accepted where a result is: OK is success, kCancelled is
  // Cancelled(), kDeadlineExceeded is TimedOut(message), all others Fail(message).
  TaskResult(const absl::Status& status);  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return error_ == nullptr; }
  // REQUIRES: !ok().
  [[nodiscard]] const TaskError& error() const { return *error_; }

  // Only Fail and Fatal take them; on any other result they change nothing.
  TaskResult WithExitCode(int32_t code) &&;
  TaskResult WithSource(std::exception_ptr source) &&;

 private:
  friend class internal::ResultAccess;
  std::unique_ptr<TaskError, internal::DeleteError> error_;
};

[[nodiscard]] inline TaskResult Ok() { return {}; }
// Retryable: the task's restart policy decides.
[[nodiscard]] TaskResult Fail(std::string_view reason);
// Ends the task, whatever its policy.
[[nodiscard]] TaskResult Fatal(std::string_view reason);
// Retryable. Not the task's own timeout: the body says that something of its timed out.
[[nodiscard]] TaskResult TimedOut(std::string_view reason);
// Ends the task as cancelled, asked for or not; but an attempt whose timeout is up has timed out.
// Takes no memory.
[[nodiscard]] TaskResult Cancelled() noexcept;

// FatalError
//
// Thrown by a body, ends its task as Fatal. Any other exception is a retryable failure, whose
// reason is "task panicked: " and what() (of another type: "non-string panic payload").
class FatalError : public std::runtime_error {
 public:
  explicit FatalError(const std::string& reason, std::optional<int32_t> exit_code = std::nullopt)
      : std::runtime_error(reason), exit_code_(exit_code) {}
  [[nodiscard]] std::optional<int32_t> exit_code() const { return exit_code_; }

 private:
  std::optional<int32_t> exit_code_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_TASK_RESULT_H_
