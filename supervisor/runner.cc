#include "supervisor/runner.h"

#include <exception>
#include <utility>

#include "supervisor/children.h"
#include "supervisor/text.h"

namespace taskvisor::internal {

bool RunningAttempt::Joins() const {
  Children* const children = context.children();
  return children != nullptr && children->group().joining();
}

TaskResult CallBody(TaskBody& body, TaskContext& context) noexcept {
  return Guarded([&] { return body(context); });
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
