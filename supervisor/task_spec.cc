#include "taskvisor/task_spec.h"

#include "supervisor/outcome_cell.h"

namespace taskvisor {

TaskSpec::TaskSpec(TaskSpec&& other) noexcept = default;

TaskSpec& TaskSpec::operator=(TaskSpec&& other) noexcept {
  if (this == &other) return *this;
  this->~TaskSpec();
  return *new (this) TaskSpec(std::move(other));
}

// A cell that is still here belongs to no task: its waiters must not wait for ever.
TaskSpec::~TaskSpec() {
  if (cell_ != nullptr) cell_->Drop();
}

TaskWaiter TaskSpec::Watch() {
  if (cell_ == nullptr) cell_ = std::make_shared<internal::OutcomeCell>();
  return TaskWaiter(cell_);
}

TaskDefaults TaskSpec::Resolve(const TaskDefaults& defaults) const {
  return {.restart = restart_.value_or(defaults.restart),
          .backoff = backoff_.value_or(defaults.backoff),
          .timeout = timeout_.value_or(defaults.timeout),
          .max_retries = max_retries_.value_or(defaults.max_retries)};
}

}  // namespace taskvisor
