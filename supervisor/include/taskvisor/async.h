#ifndef TASKVISOR_ASYNC_H_
#define TASKVISOR_ASYNC_H_

#include <concepts>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

#include "taskvisor/awaiters.h"
#include "taskvisor/body.h"
#include "taskvisor/task_context.h"
#include "taskvisor/task_result.h"
#include "taskvisor/waiter.h"

namespace taskvisor {

// Async<T>
//
// What a body returns that is a coroutine: while it waits it keeps no worker, so thousands of
// residents share a few threads. T is anything that a body may return: TaskResult, absl::Status,
// void, or a value. The same specs, policies, events and outcomes as for any other body; one
// allocation an attempt, the frame.
//
//   TaskSpec::Restartable("consumer", [queue](TaskContext& context) -> Async<TaskResult> {
//     while (auto item = co_await context.RunUntilCancelled(queue->Next())) Handle(*item);
//     co_return Cancelled();
//   });
//
// What can be awaited: see taskvisor/awaiters.h. Nothing else compiles: a coroutine must be resumed
// by its supervisor only. A coroutine called in a body is one too if it returns an Async<T>;
// awaited, it runs as a part of the body, and what it throws comes out of co_await. It is awaited
// once: an Async that was moved from is empty, and to await it throws std::logic_error. Parts may
// call each other as deep as there is memory; but to destroy those that wait, when the attempt is
// cancelled, takes some 100 bytes of the worker's stack for each level.
//
// Without a supervisor it cannot wait: under a DetachedContext co_await throws std::logic_error. To
// test such a body run it in a testing::Simulation (taskvisor/testing.h).
//
// The body's own object (its captures) and the TaskContext outlive the frame: both may be used
// after any co_await. Other arguments of a coroutine are copied into its frame as everywhere in
// C++: take them by value.
//
// A suspended body holds no worker, and no permit of max_concurrent either, unless
// TaskContext::KeepPermit was called; it takes one again before it goes on. It is not watched
// (WithHeartbeat) while it is suspended. Its timeout runs on: at the deadline a suspended body ends
// at once. Cancelled, its frame is destroyed on a worker: see awaiters.h for who is resumed.
template <class T = void>
class Async;

namespace internal {

// The worker goes on with this coroutine when the one that runs has suspended. (Not by symmetric
// transfer: without optimization each one leaves something on the stack.)
void GoOnWith(AsyncAttempt& attempt, std::coroutine_handle<> point) noexcept;

// std::logic_error, out of co_await.
[[noreturn]] void ThrowNoSupervisor();
[[noreturn]] void ThrowEmptyAsync();

class AsyncPromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }

  // On to who awaits this one, if it is not the outermost.
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      AsyncPromiseBase& promise = self.promise();
      if (promise.awaited_by_) GoOnWith(*promise.attempt_, promise.awaited_by_);
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  template <Awaitable A>
  auto await_transform(A&& awaitable) {
    if (attempt_ == nullptr) [[unlikely]]
      ThrowNoSupervisor();
    return MakeAwaiter(*attempt_, std::forward<A>(awaitable));
  }

  // The waits of TaskContext keep the worker, and give a bool: co_await SleepFor(5s) and
  // co_await UntilCancelled(), without `context.`, keep none.
  template <std::same_as<bool> B>
  void await_transform(B waited) = delete;

  void Start(AsyncAttempt& attempt, std::coroutine_handle<> awaited_by) {
    attempt_ = &attempt;
    awaited_by_ = awaited_by;
  }

 private:
  AsyncAttempt* attempt_ = nullptr;
  std::coroutine_handle<> awaited_by_;
};

template <class T>
class AsyncPromise : public AsyncPromiseBase {
 public:
  Async<T> get_return_object();
  void unhandled_exception() { result_.template emplace<2>(std::current_exception()); }
  template <std::convertible_to<T> U>
  void return_value(U&& value) {
    result_.template emplace<1>(std::forward<U>(value));
  }

  // What it returned, or throws what it threw. REQUIRES: it is done.
  T Take() {
    if (result_.index() == 2) std::rethrow_exception(std::get<2>(result_));
    return std::get<1>(std::move(result_));
  }

 private:
  std::variant<std::monostate, T, std::exception_ptr> result_;
};

template <>
class AsyncPromise<void> : public AsyncPromiseBase {
 public:
  inline Async<void> get_return_object();
  void unhandled_exception() { thrown_ = std::current_exception(); }
  void return_void() {}

  void Take() {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  }

 private:
  std::exception_ptr thrown_;
};

}  // namespace internal

template <class T>
class [[nodiscard]] Async {
 public:
  using promise_type = internal::AsyncPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Async(Handle handle) : handle_(handle) {}
  Async(Async&& other) noexcept : handle_(other.Release()) {}
  Async& operator=(Async other) noexcept { return std::swap(handle_, other.handle_), *this; }
  // Destroys the frame; one that was never awaited has never begun.
  ~Async() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] Handle handle() const { return handle_; }
  [[nodiscard]] Handle Release() { return std::exchange(handle_, nullptr); }

 private:
  Handle handle_;
};

namespace internal {

template <class T>
Async<T> AsyncPromise<T>::get_return_object() {
  return Async<T>(Async<T>::Handle::from_promise(*this));
}
Async<void> AsyncPromise<void>::get_return_object() {
  return Async<void>(Async<void>::Handle::from_promise(*this));
}

// Who goes on, instead of a part of the body that waits, when the attempt is cancelled.
struct Catcher {
  std::coroutine_handle<> point;
  Catcher* outer = nullptr;
  bool cut = false;
};
void Enter(AsyncAttempt& attempt, Catcher& catcher);
void Leave(AsyncAttempt& attempt, Catcher& catcher);

template <class T>
class AsyncAwaiter {
 public:
  AsyncAwaiter(AsyncAttempt& attempt, Async<T> child)
      : attempt_(attempt), child_(std::move(child)) {
    if (!child_.handle()) ThrowEmptyAsync();
  }

  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> parent) {
    child_.handle().promise().Start(attempt_, parent);
    GoOnWith(attempt_, child_.handle());
  }
  T await_resume() { return child_.handle().promise().Take(); }

 protected:
  AsyncAttempt& attempt_;
  Async<T> child_;
};

template <class T>
class CaughtAwaiter : public AsyncAwaiter<T> {
 public:
  using AsyncAwaiter<T>::AsyncAwaiter;

  void await_suspend(std::coroutine_handle<> parent) {
    catcher_.point = parent;
    Enter(this->attempt_, catcher_);
    AsyncAwaiter<T>::await_suspend(parent);
  }
  auto await_resume() {
    Leave(this->attempt_, catcher_);
    if (catcher_.cut) {  // its frame goes now
      const Async<T> gone(std::move(this->child_));
    }
    if constexpr (std::is_void_v<T>) {
      return catcher_.cut ? false : (AsyncAwaiter<T>::await_resume(), true);
    } else {
      return catcher_.cut ? std::nullopt : std::optional<T>(AsyncAwaiter<T>::await_resume());
    }
  }

 private:
  Catcher catcher_;
};

template <class T>
AsyncAwaiter<T> MakeAwaiter(AsyncAttempt& attempt, Async<T>&& child) {
  return {attempt, std::move(child)};
}
template <class T>
CaughtAwaiter<T> MakeAwaiter(AsyncAttempt& attempt, UnlessCancelled<Async<T>>&& awaited) {
  return {attempt, std::move(awaited.awaitable)};
}

// What the root of a body came to; throws what it threw. `place`: of a value.
using Harvest = TaskResult (*)(std::coroutine_handle<> root, void* place);

template <class T>
TaskResult HarvestAs(std::coroutine_handle<> root, void* place) {
  auto& promise = Async<T>::Handle::from_address(root.address()).promise();
  using Value = typename ValueIn<T>::type;
  if constexpr (std::is_void_v<T>) {
    return promise.Take(), Ok();
  } else if constexpr (std::is_void_v<Value>) {
    return promise.Take();
  } else if constexpr (std::same_as<T, Value>) {
    static_cast<ValuePlace<Value>*>(place)->Emplace([&]() -> T { return promise.Take(); });
    return Ok();
  } else {  // StatusOr<Value>
    T result = promise.Take();
    if (!result.ok()) return result.status();
    static_cast<ValuePlace<Value>*>(place)->Emplace(
        [&]() -> Value&& { return *std::move(result); });
    return Ok();
  }
}

// The attempt that runs takes the frame over, unless there is none (a DetachedContext).
[[nodiscard]] AsyncAttempt* AttemptOf(TaskContext& context);
void Adopt(AsyncAttempt& attempt, std::coroutine_handle<> root, Harvest harvest, void* place);

template <class F>
TaskResult StartAsync(F& body, TaskContext& context, void* place) {
  AsyncAttempt* const attempt = AttemptOf(context);
  if (attempt == nullptr) return Fatal("a coroutine body needs a supervisor");
  auto async = CallWith(body, context);
  if (!async.handle()) return Fatal("the body has returned an empty Async");
  using T = typename AsyncIn<decltype(async)>::type;
  async.handle().promise().Start(*attempt, nullptr);
  Adopt(*attempt, async.Release(), &HarvestAs<T>, place);
  return Ok();
}

}  // namespace internal

}  // namespace taskvisor

#endif  // TASKVISOR_ASYNC_H_
