#ifndef TASKVISOR_TASK_SPEC_H_
#define TASKVISOR_TASK_SPEC_H_

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "taskvisor/backoff_policy.h"
#include "taskvisor/body.h"
#include "taskvisor/priority.h"
#include "taskvisor/restart_policy.h"
#include "taskvisor/retry_rule.h"
#include "taskvisor/task_context.h"
#include "taskvisor/task_defaults.h"
#include "taskvisor/task_outcome.h"
#include "taskvisor/task_result.h"
#include "taskvisor/waiter.h"

namespace taskvisor {

class TaskSpec;
template <class T>
class TypedSpec;

namespace internal {
class SpecAccess;

template <class T>
struct SpecOf {
  using type = TypedSpec<T>;
};
template <>
struct SpecOf<void> {
  using type = TaskSpec;
};
}  // namespace internal

// Names are byte strings, unique among registered tasks.
inline constexpr size_t kMaxNameLength = 255;

// The spec of a task with this body: a TypedSpec<T> if it returns a value, else a TaskSpec.
template <TaskCallable F>
using SpecFor = typename internal::SpecOf<internal::BodyValue<F>>::type;

// TaskSpec
//
// One task under its rules: a name, a body, and settings that are either stated here
// or inherited from the supervisor's TaskDefaults when the task is added. Move-only;
// owns its body. Settings are chained, or `spec = std::move(spec).WithTimeout(5s)`. Nothing is
// checked before Add, which answers kInvalidArgument:
//   body           null (an empty std::function, a null pointer)
//   name           longer than kMaxNameLength bytes
//   max_retries    0
//   timeout        negative
//   heartbeat      0 or negative
//   deadline       0 or negative
//   interval       negative
//   priority       none of the three
//
// A task without a name is anonymous: it cannot collide, is found by id only, and
// shows as "task-<id>". An empty name is no name.
//
// The body is one object for all attempts: state kept in it survives retries; locals
// do not. Attempts of one task never overlap, so it needs no lock of its own.
//
// Example:
//   auto spec = taskvisor::TaskSpec::Restartable("fetch", [](taskvisor::TaskContext& c) {
//                 return Fetch(c) ? taskvisor::Ok() : taskvisor::Fail("no answer");
//               }).WithTimeout(5s).WithMaxRetries(4);
class TaskSpec {
 public:
  // One attempt: RestartPolicy::Never; the rest inherited.
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> Once(std::string name, F body) {
    return Make(std::move(name), std::move(body), RestartPolicy::Never());
  }
  // Retried on failure: RestartPolicy::OnFailure; the rest inherited.
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> Restartable(std::string name, F body) {
    return Make(std::move(name), std::move(body), RestartPolicy::OnFailure());
  }
  // Repeated: RestartPolicy::Always(every); the rest inherited. 0 = no interval.
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> Periodic(std::string name, Duration every, F body) {
    return Make(std::move(name), std::move(body), RestartPolicy::Always(every));
  }
  // Everything inherited.
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> FromDefaults(std::string name, F body) {
    return Make(std::move(name), std::move(body));
  }
  // Nothing inherited; unlimited retries until WithMaxRetries says otherwise.
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> Explicit(std::string name, RestartPolicy restart,
                                           const BackoffPolicy& backoff,
                                           std::optional<Duration> timeout, F body) {
    SpecFor<F> spec = Make(std::move(name), std::move(body), restart);
    spec.MakeRest().backoff = backoff;
    spec.timeout_ = timeout.value_or(Duration());
    const int no_timeout = timeout.has_value() ? 0 : kNoTimeout;
    spec.Mark(kBackoff | kTimeout | no_timeout | kMaxRetries | kUnlimitedRetries | kHeartbeat |
                  kNoHeartbeat | kPriority | kCpuTime | kNoCpuTime | kDeadline | kNoDeadline,
              0);
    return spec;
  }

  // The same, anonymous.
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> Once(F body) {
    return Once(std::string(), std::move(body));
  }
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> Restartable(F body) {
    return Restartable(std::string(), std::move(body));
  }
  template <TaskCallable F>
  [[nodiscard]] static SpecFor<F> Periodic(Duration every, F body) {
    return Periodic(std::string(), every, std::move(body));
  }

  TaskSpec(TaskSpec&& other) noexcept = default;
  TaskSpec& operator=(TaskSpec&& other) noexcept;
  ~TaskSpec() {
    if (cell_ != nullptr) DropCell();
  }

  TaskSpec WithRestart(RestartPolicy restart) && {
    SetRestart(restart);
    return State(kRestart, 0);
  }
  TaskSpec WithBackoff(const BackoffPolicy& backoff) && {
    MakeRest().backoff = backoff;
    return State(kBackoff, 0);
  }
  // Per attempt, from the start of the body; 0 = none. When it is up the body is asked to stop, and
  // the attempt is Failed when it returns, however late: an attempt has no grace. For bodies that
  // may not listen there are WithDeadline and WithHeartbeat.
  TaskSpec WithTimeout(Duration timeout) && {
    timeout_ = timeout;
    return State(kTimeout, kNoTimeout);
  }
  TaskSpec WithoutTimeout() && {
    timeout_ = {};
    return State(kTimeout | kNoTimeout, 0);
  }
  // `n` >= 1 retries allow n + 1 failures in a row.
  TaskSpec WithMaxRetries(uint32_t n) && {
    max_retries_ = n;
    return State(kMaxRetries, kUnlimitedRetries);
  }
  TaskSpec WithUnlimitedRetries() && { return State(kMaxRetries | kUnlimitedRetries, 0); }

  // The body promises a TaskContext::Beat() at least so often while it runs. The first silence
  // that is longer gives the event TaskStuck, with the stack of the body's thread; the next
  // beat, or the body's return, TaskRecovered. Both only tell: nothing is cancelled. Silence
  // is told after `heartbeat` at the earliest; a quarter of it (at least 1 ms), and what a timer
  // may be late, later at the latest. A wait of the context's (SleepFor, WaitFor, WaitCancelled) is
  // silence too; a coroutine that is suspended is not. In the body, a poll or a sleep may end with
  // EINTR when its stack is taken.
  TaskSpec WithHeartbeat(Duration heartbeat) && {
    heartbeat_ = heartbeat;
    return State(kHeartbeat, kNoHeartbeat);
  }
  TaskSpec WithoutHeartbeat() && { return State(kHeartbeat | kNoHeartbeat, 0); }

  // Who begins first when more attempts are ready than there are workers, or than
  // max_concurrent lets in: those of a higher class, those of one class in their turn. A body
  // that runs is never interrupted, so a task of a high class waits for a body or two.
  // Lower classes go on: while all three wait, a worker begins 12 high, 3 normal and 1 low one of
  // 16; of two, at least 1 of 16 is of the lower one. The order is kept by each worker for itself.
  // While tasks of other classes wait, a normal one costs some more to begin (README.md).
  TaskSpec WithPriority(Priority priority) && {
    priority_ = priority;
    return State(kPriority, 0);
  }

  // Measures what each attempt spends on cores, for cpu_time() of its end event and of the
  // outcome, which has the attempt's queue wait, run time and overrun then too (that takes a
  // piece of memory; the end event has them in any case). CPU time is that of the thread which runs
  // the body, in user and kernel mode. What parallel work inside the body does on other workers is
  // not in it; what this thread does for other loops of oneTBB while the body waits for its own,
  // is. None if the body comes back on another thread than it began on (oneTBB's `task::suspend`).
  // Real time, whatever the clock. Costs two readings of the thread's clock, which are system
  // calls: some 360 ns an attempt.
  TaskSpec WithCpuTime() && { return State(kCpuTime, kNoCpuTime); }
  TaskSpec WithoutCpuTime() && { return State(kCpuTime | kNoCpuTime, 0); }

  // The task ends so long after its admission at the latest, whatever it is at by then: waiting
  // for a worker, a permit or its next attempt, it ends at once; a body that runs is asked to
  // stop (CancelCause::kDeadline), has the supervisor's grace, and a success that comes late
  // does not count. The outcome is Failed, its cause() kDeadline. No attempt begins after the
  // deadline; an attempt's own timeout counts if it is up earlier. Holds for a task that
  // repeats too. What then ends at rest is destroyed on the timer thread: the destructor of the
  // body must not block.
  TaskSpec WithDeadline(Duration deadline) && {
    MakeRest().deadline = deadline;
    return State(kDeadline, kNoDeadline);
  }
  TaskSpec WithoutDeadline() && { return State(kDeadline | kNoDeadline, 0); }

  // Which failures are retried: `predicate` is asked once about each attempt that failed in a
  // retryable way (Fail, an exception, a timeout), while the task could be tried again: true,
  // and the restart policy goes on as usual; false, and the failure is fatal: the outcome is
  // Fatal, with the failure's reason. Not asked about what is fatal, cancelled, or past the
  // task's deadline. Means nothing where nothing is retried (Once). Not inherited. Several of
  // these calls, also with those below, add up: what one of them refuses is fatal; null takes all
  // of them back.
  //
  // Called by the worker, between two attempts, never twice at a time: it must not block. If it
  // throws, nobody knows whether to go on: the failure is fatal, and a RuntimeFailure event
  // (task: "retry_if") says what was thrown.
  TaskSpec WithRetryIf(internal::RetryRule predicate) &&;
  // The same by the type of the exception behind a failure (thrown, or given to WithSource):
  // retried only if it is one of these, or derived from one, by catch (const E&). A failure
  // with no exception behind it is retried. A FatalError never is, named or not.
  template <class... Exceptions>
  TaskSpec WithRetryOn() && {
    return std::move(*this).WithRetryIf([](const TaskError& error) {
      return error.source == nullptr || internal::IsOneOf<Exceptions...>(error);
    });
  }
  // The same: fatal only if it is one of these.
  template <class... Exceptions>
  TaskSpec WithFatalOn() && {
    return std::move(*this).WithRetryIf(
        [](const TaskError& error) { return !internal::IsOneOf<Exceptions...>(error); });
  }

  // A waiter for this task's outcome; call it before the spec is added. Refused because
  // of a name (its own, or another's of its batch): outcome Rejected. Never added, or
  // refused for another reason: the waiter answers kUnavailable.
  [[nodiscard]] TaskWaiter Watch();

  [[nodiscard]] const std::string& name() const { return name_; }

  // Stated settings; empty = inherited.
  [[nodiscard]] std::optional<RestartPolicy> restart() const {
    return If(kRestart, RestartPolicy(restart_, interval_));
  }
  [[nodiscard]] std::optional<BackoffPolicy> backoff() const {
    const bool stated = (stated_ & kBackoff) != 0 && rest_ != nullptr;  // not of one moved from
    return stated ? std::optional(rest_->backoff) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::optional<Duration>> timeout() const {
    return OrNone(kTimeout, kNoTimeout, timeout_);
  }
  [[nodiscard]] std::optional<std::optional<uint32_t>> max_retries() const {
    return OrNone(kMaxRetries, kUnlimitedRetries, max_retries_);
  }
  [[nodiscard]] std::optional<std::optional<Duration>> heartbeat() const {
    return OrNone(kHeartbeat, kNoHeartbeat, heartbeat_);
  }
  [[nodiscard]] std::optional<Priority> priority() const { return If(kPriority, priority_); }
  [[nodiscard]] std::optional<bool> cpu_time() const {
    return If(kCpuTime, (stated_ & kNoCpuTime) == 0);
  }
  [[nodiscard]] std::optional<std::optional<Duration>> deadline() const {
    if (rest_ != nullptr) return OrNone(kDeadline, kNoDeadline, rest_->deadline);
    return If(kNoDeadline, std::optional<Duration>());  // of one moved from there is no other
  }

  // The settings this spec has under `defaults`: stated ones win, also a stated "none".
  [[nodiscard]] TaskDefaults Resolve(const TaskDefaults& defaults) const;

 private:
  friend class internal::SpecAccess;

  // What is stated; the rest is inherited.
  enum Stated : uint16_t {
    kRestart = 1,
    kBackoff = 2,
    kTimeout = 4,
    kNoTimeout = 8,
    kMaxRetries = 16,
    kUnlimitedRetries = 32,
    kHeartbeat = 64,
    kNoHeartbeat = 128,
    kPriority = 256,
    kCpuTime = 512,
    kDeadline = 1024,
    kNoDeadline = 2048,
    kNoCpuTime = 4096,
    kRetryIf = 8192,
    // Not settings.
    kAsync = 16384,  // the body is a coroutine
    kPlain = 32768,  // it is small and has no destructor
  };
  // What few state, in memory of its own: a spec is moved several times on its way in, and
  // batches of a million of them are.
  struct Rest {
    BackoffPolicy backoff;
    Duration deadline{};
    internal::RetryRule retry_if;
  };

  template <class Body>
  static uint16_t KindOf(bool async) {
    using Kept = std::remove_cvref_t<Body>;
    constexpr bool kIsPlain =
        std::is_trivially_destructible_v<Kept> && sizeof(Kept) <= 2 * sizeof(void*);
    return async ? kAsync : kIsPlain ? kPlain : 0;
  }
  // `body`: what a TaskBody is made of, here and in its place.
  template <class Body>
  TaskSpec(std::string&& name, Body&& body, bool async)
      : name_(std::move(name)), body_(std::forward<Body>(body)), stated_(KindOf<Body>(async)) {}
  template <class Body>
  TaskSpec(std::string&& name, Body&& body, bool async, RestartPolicy restart)
      : TaskSpec(std::move(name), std::forward<Body>(body), async) {
    SetRestart(restart);
    Mark(kRestart, 0);
  }

  void SetRestart(RestartPolicy restart) {
    restart_ = restart.form_;
    interval_ = restart.interval_;
  }

  void Mark(int set, int clear) { stated_ = static_cast<uint16_t>((stated_ & ~clear) | set); }
  TaskSpec State(int set, int clear) {
    Mark(set, clear);
    return std::move(*this);
  }
  // Once, and nothing else stated but its heartbeat: what tasks are that come by the million.
  [[nodiscard]] bool IsOnce() const {
    return (stated_ & ~(kHeartbeat | kNoHeartbeat | kPlain)) == kRestart &&
           restart_ == RestartPolicy::Form::kNever;
  }
  template <class T>
  [[nodiscard]] std::optional<T> If(Stated stated, const T& value) const {
    return (stated_ & stated) != 0 ? std::optional<T>(value) : std::nullopt;
  }
  // The same, of what may be stated to be none.
  template <class T>
  [[nodiscard]] std::optional<std::optional<T>> OrNone(Stated stated, Stated none,
                                                       const T& value) const {
    return If(stated, (stated_ & none) != 0 ? std::nullopt : std::optional(value));
  }
  Rest& MakeRest() {
    if (rest_ == nullptr) rest_ = std::make_unique<Rest>();
    return *rest_;
  }
  // No task came of it: its waiters must not wait for ever.
  void DropCell();

  template <class F, class... Restart>
  static SpecFor<F> Make(std::string&& name, F&& body, Restart... restart) {
    constexpr bool kAsync = internal::kIsAsync<F>;
    if constexpr (!internal::kHasValue<F>) {
      if (internal::IsNull(body)) return TaskSpec(std::move(name), nullptr, kAsync, restart...);
      return TaskSpec(std::move(name), AsBody(std::move(body)), kAsync, restart...);
    } else {
      if (internal::IsNull(body))
        return {TaskSpec(std::move(name), nullptr, kAsync, restart...), nullptr};
      auto task = std::make_shared<internal::ValueTask<F>>(std::move(body));
      return {TaskSpec(std::move(name), internal::ValueBody<F>(task), kAsync, restart...), task};
    }
  }

  template <class F>
  static auto AsBody(F&& body) {
    return [body = std::move(body)](TaskContext& context) mutable -> TaskResult {
      if constexpr (internal::kIsAsync<F>) {
        return internal::StartAsync(body, context, nullptr);
      } else if constexpr (std::is_void_v<internal::BodyResult<F>>) {
        return internal::CallWith(body, context), Ok();
      } else {
        return internal::CallWith(body, context);
      }
    };
  }

  std::string name_;
  TaskBody body_;
  internal::CellRef cell_;
  uint16_t stated_ = 0;
  Priority priority_ = Priority::kNormal;
  RestartPolicy::Form restart_ = RestartPolicy::Form::kOnFailure;
  uint32_t max_retries_ = 0;
  Duration interval_{};  // of restart_
  Duration timeout_{};
  Duration heartbeat_{};
  std::unique_ptr<Rest> rest_;  // null: none of it is stated
};

}  // namespace taskvisor

#include "taskvisor/typed_spec.h"  // what Once and the others return

#endif  // TASKVISOR_TASK_SPEC_H_
