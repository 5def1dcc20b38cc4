#ifndef TASKVISOR_AWAITERS_H_
#define TASKVISOR_AWAITERS_H_

#include <concepts>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/cancel_cause.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_context.h"
#include "taskvisor/task_outcome.h"
#include "taskvisor/waiter.h"
#include "taskvisor/wake_node.h"

// What a coroutine body may wait for. In a body (see taskvisor/async.h):
//
//   co_await SleepFor(5s)             true: slept; false: cancelled, at once
//   co_await UntilCancelled()         the cause, once the attempt is cancelled
//   co_await Yield()                  lets others have the worker first
//   co_await waiter                   of a TaskWaiter: StatusOr<TaskOutcome>
//                                     of a Waiter<T>: StatusOr<T>
//   co_await FirstOf(waiters)         of several: StatusOr<size_t>, the first that is there
//                                     (taskvisor/first_of.h)
//   co_await completion               of a Completion<T>: T
//   co_await Child(context)           of an Async<T>: T
//   co_await RunUntilCancelled(...)   an optional of any of these; nothing once cancelled
//
// A body that waits for anything but the first two and the last is not resumed when its attempt is
// cancelled or times out: its frame is destroyed, on a worker. So what must be done then belongs
// into destructors, or behind RunUntilCancelled. A body that has been told of its cancellation may
// go on, but what it waits for after that must be there already.
//
// If both have come while it waited, what it waits for and the cancellation: an outcome can be
// asked for again, and a child's may be there because of the cancellation, so the cancellation
// counts. A completion's value is handed over once, so the value counts. What is there before it
// waits is given at once, cancelled or not.
//
// Awaiting the outcome of the body's own task, or of one whose child it is, answers
// kFailedPrecondition ("runtime_would_deadlock"). (Two tasks that await each other are not found
// out: give one of them a timeout.)
//
// Only a coroutine body's own worker touches an awaiter, but for its WakeNode.
namespace taskvisor {

namespace internal {

class AsyncAttempt;

// Leaf
//
// What a suspended body waits for; in its frame.
class Leaf {
 public:
  Leaf(const Leaf&) = delete;
  Leaf& operator=(const Leaf&) = delete;

  // The attempt's worker: whether the body can go on.
  [[nodiscard]] virtual bool Ready() = 0;

  bool heeds_cancel = false;  // goes on when the attempt is cancelled, too
  bool yields = false;        // goes on after the next turn

 protected:
  explicit Leaf(AsyncAttempt& the_attempt) : attempt(the_attempt) {}
  ~Leaf() = default;

  AsyncAttempt& attempt;
};

// The body waits at `leaf`; `point` goes on. Before this the leaf has seen to it that it is woken.
void SuspendAt(AsyncAttempt& attempt, Leaf& leaf, std::coroutine_handle<> point);

// Looks at its leaf again. Any thread, while a frame of the attempt exists.
void WakeUp(AsyncAttempt& attempt);
[[nodiscard]] CancelCause CauseAt(const AsyncAttempt& attempt);
// It is the waiter of the attempt's own task, or of one that does not end before it.
[[nodiscard]] bool WaitsForItself(const AsyncAttempt& attempt, const TaskWaiter& waiter);
[[nodiscard]] absl::Status NeverComes();  // what it is told
// Whether a yield is none, because of a cancellation. Others go first in a simulation all the same.
bool PassesYield(const AsyncAttempt& attempt);

// A leaf that is told by a list.
class ListedLeaf : public Leaf, protected WakeNode {
 protected:
  explicit ListedLeaf(AsyncAttempt& the_attempt)
      : Leaf(the_attempt),
        WakeNode([](WakeNode& node) { WakeUp(static_cast<ListedLeaf&>(node).attempt); }) {}
  ~ListedLeaf() = default;
};

}  // namespace internal

// Sleeps on the supervisor's clock, and keeps no worker meanwhile.
struct SleepFor {
  explicit SleepFor(Duration the_duration) : duration(the_duration) {}
  Duration duration;
};

struct UntilCancelled {};

struct Yield {};

namespace internal {

class SleepAwaiter final : public Leaf {
 public:
  SleepAwaiter(AsyncAttempt& the_attempt, SleepFor sleep);
  ~SleepAwaiter();

  bool Ready() override { return IsOver() && CauseAt(attempt) == CancelCause::kNone; }
  bool await_ready() { return IsOver(); }
  void await_suspend(std::coroutine_handle<> point);
  bool await_resume() { return CauseAt(attempt) == CancelCause::kNone; }

 private:
  [[nodiscard]] bool IsOver() const;

  const TimePoint until_;
  bool armed_ = false;
};

class CancelAwaiter final : public Leaf {
 public:
  explicit CancelAwaiter(AsyncAttempt& the_attempt) : Leaf(the_attempt) { heeds_cancel = true; }

  bool Ready() override { return CauseAt(attempt) != CancelCause::kNone; }
  bool await_ready() { return Ready(); }
  void await_suspend(std::coroutine_handle<> point) { SuspendAt(attempt, *this, point); }
  CancelCause await_resume() { return CauseAt(attempt); }
};

class YieldAwaiter final : public Leaf {
 public:
  explicit YieldAwaiter(AsyncAttempt& the_attempt) : Leaf(the_attempt) {
    heeds_cancel = true;
    yields = true;
  }

  bool Ready() override { return !yields && CauseAt(attempt) == CancelCause::kNone; }
  bool await_ready() { return PassesYield(attempt); }
  void await_suspend(std::coroutine_handle<> point) { SuspendAt(attempt, *this, point); }
  void await_resume() {}
};

class OutcomeAwaiter : public ListedLeaf {
 public:
  OutcomeAwaiter(AsyncAttempt& the_attempt, TaskWaiter waiter);
  ~OutcomeAwaiter();

  // The outcome first: if the cancellation has brought it, that is seen too.
  bool Ready() final {
    return (itself_ || waiter_.Ready()) && CauseAt(attempt) == CancelCause::kNone;
  }
  bool await_ready();
  void await_suspend(std::coroutine_handle<> point);
  absl::StatusOr<TaskOutcome> await_resume();

 protected:
  [[nodiscard]] bool itself() const { return itself_; }

 private:
  const TaskWaiter waiter_;
  bool watching_ = false;
  bool itself_ = false;  // it would never come
};

template <class T>
class ValueAwaiter final : public OutcomeAwaiter {
 public:
  ValueAwaiter(AsyncAttempt& the_attempt, Waiter<T> waiter)
      : OutcomeAwaiter(the_attempt, waiter), waiter_(std::move(waiter)) {}

  absl::StatusOr<T> await_resume() {
    if (itself()) return NeverComes();
    return waiter_.Get();
  }

 private:
  const Waiter<T> waiter_;
};

// From what is awaited to its awaiter. Found by the namespace of AsyncAttempt.
inline SleepAwaiter MakeAwaiter(AsyncAttempt& attempt, SleepFor sleep) { return {attempt, sleep}; }
inline CancelAwaiter MakeAwaiter(AsyncAttempt& attempt, UntilCancelled) {
  return CancelAwaiter(attempt);
}
inline YieldAwaiter MakeAwaiter(AsyncAttempt& attempt, Yield) { return YieldAwaiter(attempt); }
inline OutcomeAwaiter MakeAwaiter(AsyncAttempt& attempt, const TaskWaiter& waiter) {
  return {attempt, waiter};
}
template <class T>
ValueAwaiter<T> MakeAwaiter(AsyncAttempt& attempt, const Waiter<T>& waiter) {
  return {attempt, waiter};
}

template <class A>
concept Awaitable = requires(AsyncAttempt& attempt, A&& awaitable) {
  MakeAwaiter(attempt, std::forward<A>(awaitable));
};

}  // namespace internal

// What RunUntilCancelled makes: awaited, it gives what `awaitable` gives, as an optional (or
// true, if that is nothing), and nothing (false) once the attempt is cancelled or times out. If
// both have happened the value of a completion wins, and the cancellation over all else. (Of
// UntilCancelled it gives the cause.)
template <class A>
struct UnlessCancelled {
  A awaitable;
};

template <internal::Awaitable A>
[[nodiscard]] UnlessCancelled<A> RunUntilCancelled(A&& awaitable) {
  return {std::forward<A>(awaitable)};
}

template <class A>
auto TaskContext::RunUntilCancelled(A&& awaitable) const {
  return taskvisor::RunUntilCancelled(std::forward<A>(awaitable));
}

namespace internal {

template <class A>
class UnlessCancelledAwaiter {
 public:
  UnlessCancelledAwaiter(AsyncAttempt& attempt, UnlessCancelled<A>&& awaited)
      : inner_(MakeAwaiter(attempt, std::forward<A>(awaited.awaitable))) {
    inner_.heeds_cancel = true;
  }

  bool await_ready() { return inner_.await_ready(); }
  void await_suspend(std::coroutine_handle<> point) { inner_.await_suspend(point); }
  auto await_resume() {
    using Result = decltype(inner_.await_resume());
    if constexpr (std::is_void_v<Result>) {
      return inner_.Ready() ? (inner_.await_resume(), true) : false;
    } else {
      return inner_.Ready() ? std::optional<Result>(inner_.await_resume()) : std::nullopt;
    }
  }

 private:
  decltype(MakeAwaiter(std::declval<AsyncAttempt&>(), std::declval<A>())) inner_;
};

template <class A>
requires std::derived_from<decltype(MakeAwaiter(std::declval<AsyncAttempt&>(), std::declval<A>())),
                           Leaf>
    UnlessCancelledAwaiter<A> MakeAwaiter(AsyncAttempt& attempt, UnlessCancelled<A>&& awaited) {
  return {attempt, std::move(awaited)};
}

}  // namespace internal

}  // namespace taskvisor

#endif  // TASKVISOR_AWAITERS_H_
