#ifndef TASKVISOR_WHEN_H_
#define TASKVISOR_WHEN_H_

#include <cstddef>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/supervisor.h"

namespace taskvisor {

// WhenAll, WhenAny
//
// Waits for several tasks at once. They block as TaskWaiter::Wait does, and answer as it does
// on a worker of the tasks' supervisor: kFailedPrecondition ("runtime_would_deadlock"). A coroutine
// body awaits one waiter after the other, or FirstOf them (taskvisor/first_of.h). No thread is made
// and nothing is polled.

// The outcomes, or values, of all, in their order.
[[nodiscard]] std::vector<absl::StatusOr<TaskOutcome>> WhenAll(std::span<const TaskWaiter> waiters);

template <class T>
[[nodiscard]] std::vector<absl::StatusOr<T>> WhenAll(std::span<const Waiter<T>> waiters) {
  std::vector<absl::StatusOr<T>> values;
  values.reserve(waiters.size());
  for (const Waiter<T>& waiter : waiters) values.push_back(waiter.Get());
  return values;
}
template <class T>
[[nodiscard]] std::vector<absl::StatusOr<T>> WhenAll(const std::vector<Waiter<T>>& waiters) {
  return WhenAll(std::span<const Waiter<T>>(waiters));
}

// Of different types:  auto [sum, name] = WhenAll(sum_waiter, name_waiter);
template <class... Ts>
requires(sizeof...(Ts) > 0)
    [[nodiscard]] std::tuple<absl::StatusOr<Ts>...> WhenAll(const Waiter<Ts>&... waiters) {
  return {waiters.Get()...};
}

// The first whose outcome is there (any outcome; of several, the first in order; a spec that was
// dropped counts as ended). The others are cancelled (CancelCause::kRemoved), and waited for: when
// WhenAny returns all have ended, or are Stuck after grace. Tasks that are not of `handle`'s
// supervisor are waited for only.
// Errors: kInvalidArgument     "when_any_empty": no waiter, or one that waits for nothing (null,
//                              default-constructed, moved from); nothing was cancelled
//         kFailedPrecondition  on a worker, if it would have to wait; nothing was cancelled. In a
//         coroutine, co_await FirstOf (taskvisor/first_of.h)
// Example:
//   const absl::StatusOr<size_t> first = WhenAny(handle, replicas);
//   if (first.ok()) Use(replicas[*first].Get());
[[nodiscard]] absl::StatusOr<size_t> WhenAny(const SupervisorHandle& handle,
                                             std::span<const TaskWaiter* const> waiters);

[[nodiscard]] absl::StatusOr<size_t> WhenAny(const SupervisorHandle& handle,
                                             std::span<const TaskWaiter> waiters);

template <class T>
[[nodiscard]] absl::StatusOr<size_t> WhenAny(const SupervisorHandle& handle,
                                             const std::vector<Waiter<T>>& waiters) {
  std::vector<const TaskWaiter*> untyped;
  for (const Waiter<T>& waiter : waiters) untyped.push_back(&waiter);
  return WhenAny(handle, untyped);
}

}  // namespace taskvisor

#endif  // TASKVISOR_WHEN_H_
