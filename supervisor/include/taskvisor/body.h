#ifndef TASKVISOR_BODY_H_
#define TASKVISOR_BODY_H_

#include <concepts>
#include <type_traits>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/task_context.h"
#include "taskvisor/task_result.h"

namespace taskvisor {

template <class T>
class Async;

// What a body becomes: called once per attempt, always the same object.
using TaskBody = absl::AnyInvocable<TaskResult(TaskContext&)>;

namespace internal {

template <class F>
struct BodyResultOf {
  using type = void;
};
template <class F>
requires std::invocable<F&, TaskContext&>
struct BodyResultOf<F> {
  using type = std::invoke_result_t<F&, TaskContext&>;
};
template <class F>
requires(!std::invocable<F&, TaskContext&> && std::invocable<F&>) struct BodyResultOf<F> {
  using type = std::invoke_result_t<F&>;
};
template <class F>
using BodyResult = typename BodyResultOf<F>::type;

// What a body that returns an R has as its value; void: it has none, only success or failure.
template <class R>
struct ValueIn {
  using type = std::conditional_t<std::convertible_to<R, TaskResult>, void, std::remove_cvref_t<R>>;
};
template <>
struct ValueIn<void> {
  using type = void;
};
template <class T>
struct ValueIn<absl::StatusOr<T>> {
  using type = T;
};
// What a coroutine body co_returns.
template <class R>
struct AsyncIn {
  static constexpr bool kAsync = false;
};
template <class T>
struct AsyncIn<Async<T>> {
  static constexpr bool kAsync = true;
  using type = T;
};
template <class T>
struct ValueIn<Async<T>> : ValueIn<T> {};
template <class F>
inline constexpr bool kIsAsync = AsyncIn<BodyResult<F>>::kAsync;

template <class F>
using BodyValue = typename ValueIn<BodyResult<F>>::type;

template <class F>
inline constexpr bool kHasValue = !std::is_void_v<BodyValue<F>>;

template <class F>
decltype(auto) CallWith(F& body, TaskContext& context) {
  if constexpr (std::invocable<F&, TaskContext&>) {
    return body(context);
  } else {
    return body();
  }
}

// The frame of a new attempt; in taskvisor/async.h, which a coroutine needs. `place`: where its
// value goes.
template <class F>
TaskResult StartAsync(F& body, TaskContext& context, void* place);

// There is nothing to call.
template <class F>
[[nodiscard]] bool IsNull(const F& body) {
  if constexpr (std::constructible_from<bool, const F&> && !std::convertible_to<F&, int>) {
    return !static_cast<bool>(body);
  } else if constexpr (std::is_pointer_v<F>) {
    return body == nullptr;
  } else {
    return false;
  }
}

}  // namespace internal

// A body: takes TaskContext& or nothing; returns nothing (success), TaskResult, absl::Status,
// or a value: any other type T, or absl::StatusOr<T>; or, being a coroutine, an Async<> of any of
// these. An exception out of it is a retryable failure; FatalError a fatal one.
template <class F>
concept TaskCallable = std::invocable<F&, TaskContext&> || std::invocable<F&>;

}  // namespace taskvisor

#endif  // TASKVISOR_BODY_H_
