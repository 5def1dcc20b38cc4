#ifndef TASKVISOR_WAITER_H_
#define TASKVISOR_WAITER_H_

#include <atomic>
#include <concepts>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/body.h"
#include "taskvisor/task_id.h"
#include "taskvisor/task_outcome.h"

namespace taskvisor {

// ResultError
//
// What GetOrThrow throws where there is no exception of the body to throw again.
class ResultError : public std::runtime_error {
 public:
  explicit ResultError(absl::Status status);
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

namespace internal {

// An outcome that is no success, as a status: kCancelled, kDeadlineExceeded (Stuck),
// kFailedPrecondition (Rejected), kInternal (Fatal, Panicked), kAborted (Failed). Its label,
// see ErrorLabel, is the outcome's.
[[nodiscard]] absl::Status StatusOf(const TaskOutcome& outcome);
[[nodiscard]] absl::Status ValueTaken();
// The body's exception, or a ResultError.
[[noreturn]] void ThrowOutcome(const TaskOutcome& outcome);

// Where the value of a task goes: one place, made with its spec, in which each attempt that
// succeeds builds its value. Read only behind the outcome, which the worker sets after it.
template <class T>
class ValuePlace {
 public:
  ValuePlace() {}  // NOLINT(modernize-use-equals-default): a union's member
  ~ValuePlace() { Reset(); }
  ValuePlace(const ValuePlace&) = delete;
  ValuePlace& operator=(const ValuePlace&) = delete;

  void Reset() {
    if (std::exchange(full_, false)) value_.~T();
  }
  // Built in place of what `make` returns: T needs no default and no move, and one whose
  // construction throws leaves none. REQUIRES: empty.
  template <class Make>
  void Emplace(Make make) {
    new (&value_) T(make());
    full_ = true;
  }
  // REQUIRES: full.
  [[nodiscard]] T& value() { return value_; }

  // Of a move-only value: by the one who got it.
  [[nodiscard]] std::atomic<bool>& taken() { return taken_; }

 private:
  union {
    T value_;
  };
  bool full_ = false;
  std::atomic<bool> taken_{false};
};

// The place, and the body whose attempts fill it.
template <class F>
struct ValueTask final : ValuePlace<BodyValue<F>> {
  explicit ValueTask(F f) : body(std::move(f)) {}
  std::optional<F> body;
};

// What a ValueTask looks like to a TaskBody: it lives as long as the body should.
template <class F>
class ValueBody {
 public:
  explicit ValueBody(std::shared_ptr<ValueTask<F>> task) : task_(std::move(task)) {}
  ValueBody(ValueBody&& other) noexcept = default;
  ~ValueBody() {
    if (task_ != nullptr) task_->body.reset();
  }

  TaskResult operator()(TaskContext& context) {
    using Result = BodyResult<F>;
    task_->Reset();  // an attempt that fails leaves none, nor does the last one
    if constexpr (kIsAsync<F>) {
      ValuePlace<BodyValue<F>>* const place = task_.get();
      return StartAsync(*task_->body, context, place);
    } else if constexpr (std::same_as<std::remove_cvref_t<Result>, absl::StatusOr<BodyValue<F>>>) {
      Result result = CallWith(*task_->body, context);
      if (!result.ok()) return result.status();
      task_->Emplace([&]() -> BodyValue<F>&& { return *std::move(result); });
    } else {
      task_->Emplace([&]() -> Result { return CallWith(*task_->body, context); });
    }
    return Ok();
  }

 private:
  std::shared_ptr<ValueTask<F>> task_;
};

}  // namespace internal

// Waiter<T>
//
// Receives the outcome of a task whose body returns a T, and its value. A task that was
// repeated has the value of its last attempt.
//
// As a TaskWaiter it can be copied and kept; the value lives as long as one of the copies.
// T that can be copied is copied out, any number of times, by any thread; T that can only be
// moved is moved out, once: who comes later gets kFailedPrecondition ("value_taken").
//
// Example:
//   auto [id, waiter] = handle.AddAndWatch(TaskSpec::Once([] { return Sum(); })).value();
//   absl::StatusOr<double> sum = waiter.Get();
template <class T>
class Waiter : public TaskWaiter {
 public:
  using Value = T;

  Waiter() = default;

  // Waits as Wait does. Errors: those of Wait; else what the outcome is, as a status:
  // kAborted (Failed), kInternal (Fatal, Panicked), kCancelled, kDeadlineExceeded (Stuck),
  // kFailedPrecondition (Rejected), with its reason. What copying T throws comes out.
  [[nodiscard]] absl::StatusOr<T> Get() const requires std::move_constructible<T> {
    return Given(Wait());
  }
  // The same, at most `limit`: then kDeadlineExceeded ("runtime_wait_timeout").
  [[nodiscard]] absl::StatusOr<T> GetFor(Duration limit) const requires std::move_constructible<T> {
    return Given(WaitFor(limit));
  }
  // Throws the exception that the body threw, or a ResultError with the status.
  [[nodiscard]] T GetOrThrow() const requires std::move_constructible<T> {
    const absl::StatusOr<TaskOutcome> outcome = Wait();
    if (outcome.ok() && !outcome->IsSuccess()) internal::ThrowOutcome(*outcome);
    absl::StatusOr<T> given = Given(outcome);
    if (!given.ok()) throw ResultError(given.status());
    return *std::move(given);
  }
  // The value where it is; valid while a copy of this waiter lives. Not for T that is moved
  // out.
  [[nodiscard]] absl::StatusOr<const T*> Peek() const
      requires(std::copy_constructible<T> || !std::move_constructible<T>) {
    const absl::StatusOr<TaskOutcome> outcome = Wait();
    if (!outcome.ok()) return outcome.status();
    if (!outcome->IsSuccess()) return internal::StatusOf(*outcome);
    return &place_->value();
  }

 private:
  template <class V>
  friend class TypedSpec;
  template <class V>
  friend class WaiterAwaiter;
  Waiter(const TaskWaiter& waiter, std::shared_ptr<internal::ValuePlace<T>> place)
      : TaskWaiter(waiter), place_(std::move(place)) {}

  [[nodiscard]] absl::StatusOr<T> Given(const absl::StatusOr<TaskOutcome>& outcome) const {
    if (!outcome.ok()) return outcome.status();
    if (!outcome->IsSuccess()) return internal::StatusOf(*outcome);
    if constexpr (std::copy_constructible<T>) {
      return place_->value();
    } else {
      // acq_rel: one takes it. (If the move throws it may be tried again.)
      if (place_->taken().exchange(true, std::memory_order_acq_rel)) return internal::ValueTaken();
      try {
        return std::move(place_->value());
      } catch (...) {
        place_->taken().store(false, std::memory_order_release);
        throw;
      }
    }
  }

  std::shared_ptr<internal::ValuePlace<T>> place_;
};

// A task that was added, and a waiter for its outcome (and its value).
struct WatchedTask {
  TaskId id;
  TaskWaiter waiter;
};
template <class T>
struct WatchedValue {
  TaskId id;
  Waiter<T> waiter;
};

}  // namespace taskvisor

#endif  // TASKVISOR_WAITER_H_
