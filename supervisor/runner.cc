#include "supervisor/runner.h"

#include <exception>
#include <utility>

#include "supervisor/text.h"

namespace taskvisor::internal {

TaskResult CallBody(TaskBody& body, TaskContext& context) noexcept {
  try {
    return body(context);
  } catch (const FatalError& error) {
    return TaskResult(TaskError{.kind = TaskErrorKind::kFatal,
                                .reason = CutReason(WhatOf(error)),
                                .exit_code = error.exit_code(),
                                .source = std::current_exception()});
  } catch (const std::exception& error) {
    return Fail(std::string("task panicked: ").append(WhatOf(error)))
        .WithSource(std::current_exception());
  } catch (...) {
    return Fail("task panicked: non-string panic payload").WithSource(std::current_exception());
  }
}

TaskError TimeoutError(Duration timeout, const TaskResult& late) {
  std::string reason = "timed out after " + ToText(timeout);
  if (!late.ok() && late.error().kind != TaskErrorKind::kCancelled) {
    reason += "; then: " + late.error().reason;
  }
  return {.kind = TaskErrorKind::kTimeout,
          .reason = CutReason(reason),
          .exit_code = std::nullopt,
          .source = late.ok() ? nullptr : late.error().source};
}

}  // namespace taskvisor::internal
