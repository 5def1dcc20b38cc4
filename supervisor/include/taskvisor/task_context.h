#ifndef TASKVISOR_TASK_CONTEXT_H_
#define TASKVISOR_TASK_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "taskvisor/cancel_cause.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_id.h"

namespace taskvisor {

class TaskContext;

namespace internal {
class AsyncAttempt;
class AttemptContext;
class CancelNode;
[[nodiscard]] AsyncAttempt* AttemptOf(TaskContext& context);
}  // namespace internal

// CancelScope
//
// One scope of a tree of cancellation: cancelling it cancels its children, never its
// parent. A copy is the same scope. Cancellation is a signal only: it undoes nothing
// and stops nobody who does not look.
//
// Scopes made from a TaskContext are cancelled with their attempt; one that outlives
// the attempt stays usable and is then cancelled only by hand.
//
// Thread safety: all methods, from any thread. Memory order: what was done before
// Cancel is visible to who sees the scope cancelled.
class CancelScope {
 public:
  // A root of its own, live.
  CancelScope();

  [[nodiscard]] bool Cancelled() const { return Cause() != CancelCause::kNone; }
  [[nodiscard]] CancelCause Cause() const;

  // Cancels this scope and its children; false if it was cancelled before. Runs what
  // hangs on their stop tokens, on this thread.
  bool Cancel(CancelCause cause = CancelCause::kCancelled);

  [[nodiscard]] CancelScope Child() const;
  [[nodiscard]] std::stop_token StopToken() const;

  // Sleeps on real time; returns early, and false, once the scope is cancelled.
  bool SleepFor(Duration duration) const;

 private:
  friend class TaskContext;
  explicit CancelScope(std::shared_ptr<internal::CancelNode> node) : node_(std::move(node)) {}

  std::shared_ptr<internal::CancelNode> node_;
};

// TaskContext
//
// What a body sees of its attempt. Lives exactly as long as the attempt; a body must
// not keep it. May be used by all threads of the body's nested parallel loops at once.
//
// Loops that TBB runs inside the body (parallel_for, ...) are cancelled with the
// attempt and need no poll; a loop written by hand looks at Cancelled().
//
// Example:
//   for (size_t i = 0; i < n && !context.Cancelled(); ++i) Step(i);
class TaskContext {
 public:
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;

  // True once this attempt should stop. Wait-free: one load and a mask, below 1 ns.
  // acquire: what the canceller did before is visible.
  [[nodiscard]] bool Cancelled() const {
    return (word_->load(std::memory_order_acquire) & mask_) != 0;
  }
  // Why. kNone while not cancelled.
  [[nodiscard]] CancelCause Cause() const;

  [[nodiscard]] TaskId id() const;
  // The task's name, or "task-<id>"; valid during the attempt.
  [[nodiscard]] std::string_view name() const;
  // From 1; counts over all attempts of the task.
  [[nodiscard]] uint32_t attempt() const;
  // The supervisor's clock. When this attempt's timeout is up; TimePoint::max(): never.
  [[nodiscard]] TimePoint Now() const;
  [[nodiscard]] TimePoint Deadline() const;

  // A sign of life, for a task with a heartbeat (TaskSpec::WithHeartbeat); nothing for any
  // other. Wait-free: a load, and a store once the watchdog has taken the last one.
  // relaxed: it is only a sign.
  void Beat() const {
    if (beat_ != nullptr && beat_->load(std::memory_order_relaxed) == 0) {
      beat_->store(1, std::memory_order_relaxed);
    }
  }

  // Sleeps on the supervisor's clock. Returns early, and false, once cancelled: at
  // once if it was before. Keeps the worker (and the permit): for a wait of any length
  // between attempts use RestartPolicy and BackoffPolicy.
  bool SleepFor(Duration duration) const;

  // Waits until cancelled, at most `limit`; true if cancelled.
  [[nodiscard]] bool WaitCancelled(Duration limit) const { return !SleepFor(limit); }

  // For a coroutine body (taskvisor/async.h), which must not use the two above: they keep its
  // worker. Whether it keeps its permit of max_concurrent while it is suspended, from now on.
  void KeepPermit(bool keep = true) const;
  // co_await context.RunUntilCancelled(x): an optional of what x gives, nothing once cancelled.
  template <class A>
  [[nodiscard]] auto RunUntilCancelled(A&& awaitable) const;

  // A scope below this attempt's: cancelled with it, cancels nothing above.
  [[nodiscard]] CancelScope Child() const;
  // For code that speaks std::stop_token (stop_callback, condition_variable_any). A
  // callback runs on whatever thread cancels (a caller, the timer thread, the shutdown):
  // it must not block or throw.
  [[nodiscard]] std::stop_token StopToken() const;

 private:
  friend class internal::AttemptContext;
  friend internal::AsyncAttempt* internal::AttemptOf(TaskContext& context);
  TaskContext(internal::AttemptContext& attempt, const std::atomic<uint64_t>* word, uint64_t mask,
              std::atomic<uint32_t>* beat)
      : word_(word), mask_(mask), attempt_(&attempt), beat_(beat) {}

  const std::atomic<uint64_t>* const word_;
  const uint64_t mask_;
  internal::AttemptContext* const attempt_;
  std::atomic<uint32_t>* beat_;  // null: no heartbeat
};

// DetachedContext
//
// A TaskContext without a supervisor, to call a body from a unit test.
//
// Example:
//   taskvisor::DetachedContext detached;             // live; attempt 1 of "detached"
//   detached.Cancel(taskvisor::CancelCause::kTimeout);
//   EXPECT_FALSE(Body(detached.context()).ok());
class DetachedContext {
 public:
  struct Options {
    std::string name = "detached";
    uint32_t attempt = 1;
    CancelCause cancelled = CancelCause::kNone;  // anything else: cancelled from the start
    std::shared_ptr<Clock> clock = nullptr;      // default: RealClock()
  };

  DetachedContext();
  explicit DetachedContext(Options options);
  ~DetachedContext();

  [[nodiscard]] TaskContext& context();
  void Cancel(CancelCause cause = CancelCause::kCancelled);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_TASK_CONTEXT_H_
