#ifndef TASKVISOR_TASK_CONTEXT_H_
#define TASKVISOR_TASK_CONTEXT_H_

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "taskvisor/cancel_cause.h"
#include "taskvisor/child_options.h"
#include "taskvisor/clock.h"
#include "taskvisor/signal.h"
#include "taskvisor/task_id.h"
#include "taskvisor/task_result.h"

namespace taskvisor {

class TaskContext;
class TaskSpec;
template <class T>
class TypedSpec;
struct WatchedTask;
template <class T>
struct WatchedValue;

namespace internal {
class AsyncAttempt;
class AttemptContext;
class CancelNode;
[[nodiscard]] AsyncAttempt* AttemptOf(TaskContext& context);
// The exception that is being handled came out of a callback on this attempt's cancellation.
void ReportThrown(const AttemptContext& attempt);
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

  // Sleeps on real time (in a simulation on its time); returns early, and false, once the scope is
  // cancelled.
  bool SleepFor(Duration duration) const;

 private:
  friend class TaskContext;
  explicit CancelScope(std::shared_ptr<internal::CancelNode> node) : node_(std::move(node)) {}

  std::shared_ptr<internal::CancelNode> node_;
};

template <std::invocable F>
class CancelCallback;

// How many generations of children a task may have: what is asked to stop asks its children on the
// same thread, whose stack this bounds.
inline constexpr uint32_t kMaxChildDepth = 200;

// TaskContext
//
// What a body sees of its attempt. Lives exactly as long as the attempt; a body must
// not keep it. May be used by all threads of the body's nested parallel loops at once.
//
// Loops that TBB runs inside the body (parallel_for, ..., task_group) are cancelled with the
// attempt and need no poll: they return at the end of the chunks that run, as if they were done,
// and later ones return at once, so ask Cancelled() before using what they made. A chunk is as
// large as the partitioner makes it (simple_partitioner: the grain). Not reached are loops in a
// task_arena or an isolated context of the body's own, and threads that it makes; a loop written by
// hand looks at Cancelled().
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
  // What went wrong in the attempt before this one; null: it succeeded, or there was none.
  // Valid during the attempt.
  [[nodiscard]] const TaskError* LastError() const;
  // The supervisor's clock. When the attempt's timeout or the task's deadline is up, whichever
  // comes first; TimePoint::max(): never.
  [[nodiscard]] TimePoint Now() const;
  [[nodiscard]] TimePoint Deadline() const;
  // From now to Deadline(): 0 once it has passed, Duration::max() if there is none.
  [[nodiscard]] Duration Remaining() const;

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

  // Waits until condition() is true, at most `limit` on the supervisor's clock; returns what
  // condition() said last. Woken by signal.Notify() and by the cancellation: it does not poll.
  // Once cancelled it returns false, without asking (again). Keeps the worker, as SleepFor.
  //
  // condition() is called on this thread, any number of times, with no lock held; if it
  // throws, so does WaitFor.
  //
  // Example:
  //   context.WaitFor(filled, [&] { return !queue.empty(); }, 1s);  // elsewhere: filled.Notify()
  [[nodiscard]] bool WaitFor(const Signal& signal, absl::FunctionRef<bool()> condition,
                             Duration limit = Duration::max()) const;

  // Runs callback() once when this attempt is cancelled, on the thread that cancels (a caller,
  // the timer thread, the shutdown), or at once on this one if it was cancelled before; for as
  // long as the returned object lives. It must not block: the attempt cannot end, nor the
  // canceller go on, before it has returned. A call in it that waits for the supervisor
  // answers kFailedPrecondition.
  //
  // Destroying the object waits for a callback that is running, unless it is destroyed by that
  // callback: after it, what the callback uses may go. An exception out of the callback is
  // contained: a RuntimeFailure event (task: "on_cancel") says what was thrown. (Under a
  // DetachedContext it ends the process.)
  //
  // Example:
  //   const auto unblock = context.OnCancel([&] { connection.Shutdown(); });
  template <std::invocable F>
  [[nodiscard]] CancelCallback<F> OnCancel(F callback) const {
    return CancelCallback<F>(*this, std::move(callback));
  }

  // For a coroutine body (taskvisor/async.h); in one, SleepFor, WaitCancelled and WaitFor do what
  // they say, but keep its worker meanwhile, which co_await does not.
  // Whether it keeps its permit of max_concurrent while it is suspended, from now on. One that
  // awaits its children meanwhile can keep from them the permit that they wait for.
  void KeepPermit(bool keep = true) const;
  // co_await context.RunUntilCancelled(x): an optional of what x gives, nothing once cancelled.
  template <class A>
  [[nodiscard]] auto RunUntilCancelled(A&& awaitable) const;

  // Adds a child: a task of the same supervisor, with its own id, name, policies, retries, events
  // and outcome, which belongs to this attempt.
  //   - The attempt ends when its body has returned and its children have ended. Until then it
  //     keeps no worker and no permit; then it is judged as ever, and retried or not.
  //   - What cancels the attempt (Remove, Cancel, its timeout, a deadline, a shutdown) asks the
  //     children to stop at once, with the same cause. The child's deadline is its own or this
  //     attempt's Deadline(), whichever comes first.
  //   - A child that does not stop is Stuck after its grace as any task, and so is this one, if it
  //     was asked to stop too: its attempt has not ended.
  //   - A child that fails is nobody's business but its own, unless ChildOptions says otherwise.
  //   - Its events carry this task's id as parent_id(), and List shows it.
  //
  // A coroutine body may co_await the child's waiter. A plain one just returns: waiting for a child
  // on a worker answers kFailedPrecondition, as for any task; and while it waits for anything else
  // (SleepFor, WaitFor, WaitCancelled) it keeps a worker that its children may need. A body that is
  // over has no locals any more: what its children refer to must be elsewhere.
  //
  // From the body, all threads of its parallel loops included; never waits. Errors, beside those of
  // TryAdd (kResourceExhausted where max_tasks are registered; kUnavailable in a shutdown):
  //   kCancelled           "runtime_attempt_cancelled": the attempt is cancelled already
  //   kFailedPrecondition  "runtime_no_attempt": a DetachedContext, or a body that is over
  //                        "runtime_too_deep": kMaxChildDepth generations above it
  // Costs what an Add does, and a block of memory with the first child of an attempt.
  //
  // Example:
  //   for (const Part& part : parts) {  // not the body's own
  //     auto child = context.Spawn(TaskSpec::Restartable([&part] { return Load(part); }),
  //                                {.on_failure = OnChildFailure::kCancelSiblings});
  //     if (!child.ok()) return child.status();
  //   }
  //   return Ok();  // completed when all parts are
  absl::StatusOr<WatchedTask> Spawn(TaskSpec spec, ChildOptions options = {}) const;
  template <class T>
  absl::StatusOr<WatchedValue<T>> Spawn(TypedSpec<T> spec, ChildOptions options = {}) const;

  // A scope below this attempt's: cancelled with it, cancels nothing above.
  [[nodiscard]] CancelScope Child() const;
  // For code that speaks std::stop_token (stop_callback, condition_variable_any). A
  // callback runs on whatever thread cancels (a caller, the timer thread, the shutdown):
  // it must not block or throw.
  [[nodiscard]] std::stop_token StopToken() const;

 private:
  friend class internal::AttemptContext;
  friend internal::AsyncAttempt* internal::AttemptOf(TaskContext& context);
  template <std::invocable F>
  friend class CancelCallback;
  [[nodiscard]] absl::StatusOr<TaskId> SpawnOne(TaskSpec& spec, ChildOptions options) const;

  TaskContext(internal::AttemptContext& attempt, const std::atomic<uint64_t>* word, uint64_t mask,
              std::atomic<uint32_t>* beat)
      : word_(word), mask_(mask), attempt_(&attempt), beat_(beat) {}

  const std::atomic<uint64_t>* const word_;
  const uint64_t mask_;
  internal::AttemptContext* const attempt_;
  std::atomic<uint32_t>* beat_;  // null: no heartbeat
};

// CancelCallback
//
// A registration made by TaskContext::OnCancel. Lives in the body: not copied, not moved.
template <std::invocable F>
class [[nodiscard]] CancelCallback {
 public:
  CancelCallback(const CancelCallback&) = delete;
  CancelCallback& operator=(const CancelCallback&) = delete;

 private:
  friend class TaskContext;
  struct Contained {
    void operator()() noexcept {
      try {
        callback();
      } catch (...) {
        internal::ReportThrown(*attempt);
      }
    }
    internal::AttemptContext* attempt;
    F callback;
  };

  CancelCallback(const TaskContext& context, F callback)
      : registration_(context.StopToken(), Contained{context.attempt_, std::move(callback)}) {}

  std::stop_callback<Contained> registration_;
};

// DetachedContext
//
// A TaskContext without a supervisor, to call a plain body from a unit test. (A coroutine needs
// one: see testing::Simulation.)
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
    std::shared_ptr<Clock> clock = nullptr;      // default: as CancelScope::SleepFor
    TimePoint deadline = TimePoint::max();       // what Deadline() says; nothing cancels then
    std::optional<TaskError> last_error = std::nullopt;
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
