#include "taskvisor/when.h"

#include <deque>

#include "sched/event_count.h"
#include "supervisor/outcome_cell.h"
#include "supervisor/status.h"
#include "supervisor/waiter_access.h"

namespace taskvisor {
namespace {

using internal::EventCount;
using internal::OutcomeCell;
using internal::WakeNode;

// One of those that are watched, while WhenAny waits.
struct Watched : WakeNode {
  Watched(OutcomeCell& the_cell, EventCount& the_events)
      : WakeNode([](WakeNode& node) { static_cast<Watched&>(node).events.Notify(); }),
        cell(the_cell),
        events(the_events) {
    static_cast<void>(cell.Watch(*this));
  }
  ~Watched() { cell.Unwatch(*this); }

  OutcomeCell& cell;
  EventCount& events;
};

size_t FirstReady(std::span<const TaskWaiter* const> waiters) {
  size_t i = 0;
  while (i < waiters.size() && !waiters[i]->Ready()) ++i;
  return i;
}

}  // namespace

std::vector<absl::StatusOr<TaskOutcome>> WhenAll(std::span<const TaskWaiter> waiters) {
  std::vector<absl::StatusOr<TaskOutcome>> outcomes;
  outcomes.reserve(waiters.size());
  for (const TaskWaiter& waiter : waiters) outcomes.push_back(waiter.Wait());
  return outcomes;
}

absl::StatusOr<size_t> WhenAny(const SupervisorHandle& handle,
                               std::span<const TaskWaiter* const> waiters) {
  if (waiters.empty()) {
    return internal::Error(absl::StatusCode::kInvalidArgument, "when_any_empty",
                           "there is no task to wait for");
  }
  size_t first = FirstReady(waiters);
  if (first == waiters.size()) {
    for (const TaskWaiter* waiter : waiters) {
      if (internal::WaiterAccess::CellOf(*waiter)->MustNotWait()) {
        return internal::WouldDeadlock("WhenAny");
      }
    }
    EventCount events;
    std::deque<Watched> watched;
    for (const TaskWaiter* waiter : waiters) {
      watched.emplace_back(*internal::WaiterAccess::CellOf(*waiter), events);
    }
    internal::Await(events, [&] { return (first = FirstReady(waiters)) < waiters.size(); });
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
  std::vector<const TaskWaiter*> each;
  each.reserve(waiters.size());
  for (const TaskWaiter& waiter : waiters) each.push_back(&waiter);
  return WhenAny(handle, each);
}

}  // namespace taskvisor
