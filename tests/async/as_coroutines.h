#ifndef TASKVISOR_TESTS_ASYNC_AS_COROUTINES_H_
#define TASKVISOR_TESTS_ASYNC_AS_COROUTINES_H_

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

#include "taskvisor/async.h"
#include "taskvisor/supervisor.h"

// Put before a contract test (as a precompiled header): each body that it gives to a TaskSpec is
// run as a coroutine that goes through a suspension before and after it. The test itself is the
// same text. Its names come first here, as it is in this namespace.
namespace taskvisor::testing {

template <class F>
class AsCoroutine {
 public:
  explicit AsCoroutine(F body) : body_(std::move(body)) {}

  Async<TaskResult> operator()(TaskContext& context) {
    context.KeepPermit();  // of a plain body there is one from its start to its end
    co_await Yield();
    TaskResult result;
    if constexpr (std::is_void_v<internal::BodyResult<F>>) {
      internal::CallWith(body_, context);
    } else {
      result = internal::CallWith(body_, context);
    }
    co_await Yield();
    co_return result;
  }

 private:
  F body_;
};

class TaskSpec : public taskvisor::TaskSpec {
 public:
  using Plain = taskvisor::TaskSpec;
  TaskSpec(Plain spec) : Plain(std::move(spec)) {}  // NOLINT(google-explicit-constructor)

  template <class F>
  static TaskSpec Once(std::string name, F body) {
    return Plain::Once(std::move(name), AsCoroutine<F>(std::move(body)));
  }
  template <class F>
  static TaskSpec Restartable(std::string name, F body) {
    return Plain::Restartable(std::move(name), AsCoroutine<F>(std::move(body)));
  }
  template <class F>
  static TaskSpec Periodic(std::string name, Duration every, F body) {
    return Plain::Periodic(std::move(name), every, AsCoroutine<F>(std::move(body)));
  }
  template <class F>
  static TaskSpec FromDefaults(std::string name, F body) {
    return Plain::FromDefaults(std::move(name), AsCoroutine<F>(std::move(body)));
  }
  template <class F>
  static TaskSpec Explicit(std::string name, RestartPolicy restart, const BackoffPolicy& backoff,
                           std::optional<Duration> timeout, F body) {
    return Plain::Explicit(std::move(name), restart, backoff, timeout,
                           AsCoroutine<F>(std::move(body)));
  }
  template <class F>
  static TaskSpec Once(F body) {
    return Plain::Once(AsCoroutine<F>(std::move(body)));
  }
  template <class F>
  static TaskSpec Restartable(F body) {
    return Plain::Restartable(AsCoroutine<F>(std::move(body)));
  }
  template <class F>
  static TaskSpec Periodic(Duration every, F body) {
    return Plain::Periodic(every, AsCoroutine<F>(std::move(body)));
  }
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_ASYNC_AS_COROUTINES_H_
