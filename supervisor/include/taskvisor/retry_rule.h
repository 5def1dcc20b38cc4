#ifndef TASKVISOR_RETRY_RULE_H_
#define TASKVISOR_RETRY_RULE_H_

#include <exception>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "taskvisor/task_result.h"

// What TaskSpec::WithRetryIf and its likes are made of. Not an API of its own.
namespace taskvisor::internal {

// True: a failure that is retryable by its kind is to be retried.
using RetryRule = absl::AnyInvocable<bool(const TaskError&)>;

// Both have to agree.
inline RetryRule AgreeingWith(RetryRule first, RetryRule second) {
  return [a = std::move(first), b = std::move(second)](const TaskError& error) mutable {
    return a(error) && b(error);
  };
}

template <class E>
bool IsCaughtAs(const std::exception_ptr& source) {
  try {
    std::rethrow_exception(source);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}

// Whether a catch (const E&) for one of these would catch what is behind it. Nothing is: none.
template <class... Exceptions>
bool IsOneOf(const TaskError& error) {
  static_assert(sizeof...(Exceptions) > 0, "name the exceptions: WithRetryOn<std::system_error>()");
  return error.source != nullptr && (IsCaughtAs<Exceptions>(error.source) || ...);
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_RETRY_RULE_H_
