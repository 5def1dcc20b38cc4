#include "taskvisor/when.h"

#include <string>

#include "sched/event_count.h"
#include "supervisor/several.h"
#include "supervisor/status.h"

namespace taskvisor {
namespace internal {

absl::Status CheckSeveral(Several waiters) {
  const auto refuse = [](std::string_view why) {
    return Error(absl::StatusCode::kInvalidArgument, "when_any_empty", why);
  };
  if (waiters.empty()) return refuse("there is no task to wait for");
  for (size_t i = 0; i < waiters.size(); ++i) {
    if (waiters[i] != nullptr && WaiterAccess::CellOf(*waiters[i]) != nullptr) continue;
    return refuse("waiter " + std::to_string(i) +
                  " waits for nothing: it is null, default-constructed or moved from");
  }
  return absl::OkStatus();
}

}  // namespace internal

std::vector<absl::StatusOr<TaskOutcome>> WhenAll(std::span<const TaskWaiter> waiters) {
  std::vector<absl::StatusOr<TaskOutcome>> outcomes;
  outcomes.reserve(waiters.size());
  for (const TaskWaiter& waiter : waiters) outcomes.push_back(waiter.Wait());
  return outcomes;
}

absl::StatusOr<size_t> WhenAny(const SupervisorHandle& handle,
                               std::span<const TaskWaiter* const> waiters) {
  using internal::EventCount;
  if (absl::Status checked = internal::CheckSeveral(waiters); !checked.ok()) return checked;
  for (const TaskWaiter* waiter : waiters) {
    if (!waiter->Ready() && internal::WaiterAccess::CellOf(*waiter)->MustNotWait()) {
      return internal::WouldDeadlock("WhenAny");
    }
  }
  size_t first = internal::FirstReady(waiters);
  if (first == waiters.size()) {
    EventCount events;
    const internal::WatchSeveral<EventCount> watch(waiters, events,
                                                   [](EventCount& told) { told.Notify(); });
    internal::Await(events,
                    [&] { return (first = internal::FirstReady(waiters)) < waiters.size(); });
  }
  // All are asked before any is waited for.
  for (size_t i = 0; i < waiters.size(); ++i) {
    const TaskId id = waiters[i]->id();
    if (i != first && id.valid()) static_cast<void>(handle.Remove(id));
  }
  for (size_t i = 0; i < waiters.size(); ++i) {
    if (i == first) continue;
    const absl::StatusOr<TaskOutcome> loser = waiters[i]->Wait();
    // A worker of the tasks' supervisor must not wait for them; they end by themselves.
    if (!loser.ok() && loser.status().code() == absl::StatusCode::kFailedPrecondition) {
      return loser.status();
    }
  }
  return first;
}

absl::StatusOr<size_t> WhenAny(const SupervisorHandle& handle,
                               std::span<const TaskWaiter> waiters) {
  return WhenAny(handle, internal::Each(waiters));
}

}  // namespace taskvisor
