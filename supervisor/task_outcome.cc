#include "taskvisor/task_outcome.h"

#include <string>
#include <thread>

#include "sched/executor.h"
#include "sched/timed_wait.h"
#include "supervisor/field_text.h"
#include "supervisor/outcome_cell.h"
#include "supervisor/status.h"

namespace taskvisor {
namespace {

using internal::OutcomeCell;

bool Decided(const OutcomeCell& cell) { return cell.state() != OutcomeCell::kPending; }
// To be woken costs the worker that sets the outcome some microseconds: who waits looks
// about as long before it parks, and leaves its core to others meanwhile.
constexpr int kLooks = 32;

bool Drained(const OutcomeCell& cell) {
  return cell.state() == OutcomeCell::kDrained || cell.state() == OutcomeCell::kDropped;
}

// Waits until there(cell); a limit is on the clock of the task's supervisor.
template <class There>
absl::Status AwaitCell(OutcomeCell* cell, There there, std::optional<Duration> limit) {
  if (cell == nullptr) return internal::NoTask();
  if (!there(*cell)) {
    if (cell->MustNotWait()) return internal::WouldDeadlock("a wait for an outcome");
    const auto condition = [&] { return there(*cell); };
    if (!limit.has_value()) {
      const int looks = internal::LooksBeforeParking(kLooks);
      for (int look = 0; look < looks && !condition(); ++look) {
        std::this_thread::yield();
      }
      const std::shared_ptr<Clock> clock = cell->id().valid() ? cell->clock() : nullptr;
      internal::Await(clock.get(), cell->changed(), condition);
    } else {
      const std::shared_ptr<Clock> clock = cell->clock();
      const TimePoint deadline = internal::SaturatingAdd(clock->Now(), *limit);
      if (!internal::AwaitUntil(*clock, cell->changed(), deadline, condition)) {
        return internal::WaitTimeout(*limit);
      }
    }
  }
  return cell->state() == OutcomeCell::kDropped ? internal::NoTask() : absl::OkStatus();
}

absl::StatusOr<TaskOutcome> AwaitOutcome(OutcomeCell* cell, std::optional<Duration> limit) {
  const absl::Status status = AwaitCell(cell, Decided, limit);
  if (!status.ok()) return status;
  return cell->outcome();
}

}  // namespace

std::string TaskOutcome::ToString() const {
  std::string line(Label(kind_));
  internal::AppendLabel(line, "rejection", rejection());
  internal::Append(line, "attempts", std::to_string(attempts_));
  internal::AppendNumber(line, "exit_code", exit_code());
  if (cause_ != CancelCause::kNone) internal::Append(line, "cause", Label(cause_));
  if (!reason().empty()) internal::Append(line, "reason", reason());
  return line;
}

absl::StatusOr<TaskOutcome> TaskWaiter::Wait() const {
  return AwaitOutcome(cell_.get(), std::nullopt);
}

absl::StatusOr<TaskOutcome> TaskWaiter::WaitFor(Duration limit) const {
  return AwaitOutcome(cell_.get(), limit);
}

bool TaskWaiter::Ready() const { return cell_ == nullptr || Decided(*cell_); }

absl::Status TaskWaiter::Drained() const {
  return AwaitCell(cell_.get(), taskvisor::Drained, std::nullopt);
}

absl::Status TaskWaiter::DrainedFor(Duration limit) const {
  return AwaitCell(cell_.get(), taskvisor::Drained, limit);
}

bool TaskWaiter::IsDrained() const { return cell_ == nullptr || taskvisor::Drained(*cell_); }

TaskId TaskWaiter::id() const { return cell_ == nullptr ? TaskId() : cell_->id(); }

}  // namespace taskvisor
