#include "taskvisor/task_spec.h"

#include <utility>

#include "supervisor/outcome_cell.h"
#include "taskvisor/retry_rule.h"

namespace taskvisor {

static_assert(sizeof(TaskSpec) <= 112, "batches are gone through several times");

TaskSpec& TaskSpec::operator=(TaskSpec&& other) noexcept {
  if (this == &other) return *this;
  this->~TaskSpec();
  return *new (this) TaskSpec(std::move(other));
}

void TaskSpec::DropCell() { cell_->Drop(); }

TaskSpec TaskSpec::WithRetryIf(internal::RetryRule predicate) && {
  if (predicate == nullptr) return State(0, kRetryIf);
  internal::RetryRule& rule = MakeRest().retry_if;
  rule = (stated_ & kRetryIf) == 0 ? std::move(predicate)
                                   : internal::AgreeingWith(std::move(rule), std::move(predicate));
  return State(kRetryIf, 0);
}

TaskWaiter TaskSpec::Watch() {
  if (cell_ == nullptr) cell_ = internal::OutcomeCell::Make();
  return TaskWaiter(cell_);
}

TaskDefaults TaskSpec::Resolve(const TaskDefaults& defaults) const {
  return {.restart = restart().value_or(defaults.restart),
          .backoff = backoff().value_or(defaults.backoff),
          .timeout = timeout().value_or(defaults.timeout),
          .max_retries = max_retries().value_or(defaults.max_retries),
          .heartbeat = heartbeat().value_or(defaults.heartbeat),
          .priority = (stated_ & kPriority) != 0 ? priority_ : defaults.priority,
          .cpu_time = cpu_time().value_or(defaults.cpu_time),
          .deadline = deadline().value_or(defaults.deadline)};
}

}  // namespace taskvisor
