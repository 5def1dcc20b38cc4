#ifndef TASKVISOR_FIRST_OF_H_
#define TASKVISOR_FIRST_OF_H_

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/awaiters.h"
#include "taskvisor/waiter.h"

namespace taskvisor {

// FirstOf
//
// What a coroutine body awaits to go on with the first of several tasks: the index of the first
// whose outcome is there (any outcome; of several, the first in order; a spec that was dropped
// counts as ended). The others go on: it cancels nobody. While it waits the body keeps no worker;
// if its attempt is cancelled meanwhile that counts, as for one waiter (taskvisor/awaiters.h).
//
// Errors: kInvalidArgument     "when_any_empty": no waiter, or one that waits for nothing
//                              (default-constructed, moved from)
//         kFailedPrecondition  "runtime_would_deadlock": none is there yet, and the body's own
//         task,
//                              or one whose child it is, is among them
// Costs an allocation or two for each call that has to wait.
//
// Example:
//   const size_t first = (co_await FirstOf(replicas)).value();
//   for (size_t i = 0; i < replicas.size(); ++i)
//     if (i != first) handle.Remove(replicas[i].id()).IgnoreError();
//   Use((co_await replicas[first]).value());
class FirstOf {
 public:
  explicit FirstOf(std::vector<TaskWaiter> waiters) : waiters_(std::move(waiters)) {}
  template <class T>
  explicit FirstOf(const std::vector<Waiter<T>>& waiters)
      : waiters_(waiters.begin(), waiters.end()) {}
  // co_await FirstOf(a, b): waiters of any types.
  template <std::derived_from<TaskWaiter>... Ws>
  requires(sizeof...(Ws) > 0) explicit FirstOf(const Ws&... waiters) : waiters_{waiters...} {}

  [[nodiscard]] const std::vector<TaskWaiter>& waiters() const { return waiters_; }

 private:
  std::vector<TaskWaiter> waiters_;
};

namespace internal {

class FirstAwaiter final : public Leaf {
 public:
  FirstAwaiter(AsyncAttempt& the_attempt, FirstOf of);
  ~FirstAwaiter();

  bool Ready() override;
  bool await_ready();
  void await_suspend(std::coroutine_handle<> point);
  absl::StatusOr<size_t> await_resume();

 private:
  class Watch;

  const FirstOf of_;
  const std::vector<const TaskWaiter*> each_;
  absl::Status refused_;
  std::unique_ptr<Watch> watch_;
};

inline FirstAwaiter MakeAwaiter(AsyncAttempt& attempt, FirstOf of) {
  return {attempt, std::move(of)};
}

}  // namespace internal

}  // namespace taskvisor

#endif  // TASKVISOR_FIRST_OF_H_
