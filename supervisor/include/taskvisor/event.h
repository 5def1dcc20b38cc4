#ifndef TASKVISOR_EVENT_H_
#define TASKVISOR_EVENT_H_

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "taskvisor/cancel_cause.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_id.h"
#include "taskvisor/task_outcome.h"

namespace taskvisor {
namespace internal {
class EventDraft;
struct EventRecord;
}  // namespace internal

// What happened. Braces: the fields that are set besides sequence, at and kind.
enum class EventKind : uint8_t {
  kTaskAddRequested,  // {id, task} past the shutdown gate, with room reserved
  kTaskAdded,         // {id, task} registered; no attempt has begun
  kTaskAddFailed,     // {id, task, rejection_kind} refused; nothing follows for this id
  // {id?, task?, reason?} a stop was asked for; by name, perhaps while the add is under way: then
  // before the two events of that
  kTaskRemoveRequested,
  kTaskStarting,  // {id, task, attempt} permit held, the body is next
  // {.., attempt, duration, queue_wait, cpu_time?, cause} success (kNone) or cancelled
  kTaskStopped,
  kTaskFailed,  // {.., attempt, duration, queue_wait, cpu_time?, reason, exit_code?, overrun?}
  kTimeoutHit,  // {.., attempt, timeout, [cause]} the time is up; the body still runs
  kBackoffScheduled,          // {.., attempt (the past one), delay, backoff_source, reason?}
  kActorExhausted,            // {id, task, outcome_kind, reason?, exit_code?} ended by its rules
  kActorDead,                 // the same: ended by a fatal error, a stop, or stuck
  kTaskRemoved,               // {id, task} the last event of an id: the name is free
  kShutdownRequested,         // {reason} by a call or a signal
  kAllStoppedWithinGrace,     // verdict of a shutdown
  kGraceExceeded,             // verdict: {grace, stuck, reason: their names}
  kSubscriberOverflow,        // {task = subscriber, reason, count}
  kSubscriberPanicked,        // {task = subscriber, reason}
  kRuntimeFailure,            // {task = component, reason}
  kControllerSubmitted,       // {slot, id, reason}
  kControllerRejected,        // {slot?, id, rejection_kind, reason}
  kControllerSlotTransition,  // {slot, reason}
  kTaskStuck,      // {id, task, attempt, duration (so far), thread, reason: its stack, in a line}
  kTaskRecovered,  // {id, task, attempt, duration (so far), thread} beats again, or is back
};
inline constexpr int kEventKindCount = 23;

// One of the library's own reports (overflow, panic, runtime failure): losing one, or
// failing while handling one, is never reported again.
[[nodiscard]] constexpr bool IsInternalDiagnostic(EventKind kind) {
  return kind == EventKind::kSubscriberOverflow || kind == EventKind::kSubscriberPanicked ||
         kind == EventKind::kRuntimeFailure;
}

// "task_add_requested", ...: the name in snake case. Never changes.
[[nodiscard]] std::string_view Label(EventKind kind);

enum class BackoffSource : uint8_t { kSuccess, kFailure };
[[nodiscard]] std::string_view Label(BackoffSource source);

// EventMask
//
// A set of kinds, for Subscriber::Interests.
class EventMask {
 public:
  constexpr EventMask() = default;
  constexpr EventMask(std::initializer_list<EventKind> kinds) {
    for (const EventKind kind : kinds) bits_ |= Bit(kind);
  }
  [[nodiscard]] static constexpr EventMask All() { return EventMask(~uint32_t{0}); }
  [[nodiscard]] static constexpr EventMask None() { return {}; }
  // Attempts that failed, timed out or missed their heartbeat, refused adds, tasks that
  // died, missed grace, and the library's own troubles.
  [[nodiscard]] static constexpr EventMask Failures() {
    return {EventKind::kTaskFailed,         EventKind::kTimeoutHit,
            EventKind::kTaskAddFailed,      EventKind::kActorDead,
            EventKind::kGraceExceeded,      EventKind::kSubscriberOverflow,
            EventKind::kSubscriberPanicked, EventKind::kRuntimeFailure,
            EventKind::kControllerRejected, EventKind::kTaskStuck};
  }
  [[nodiscard]] constexpr bool Has(EventKind kind) const { return (bits_ & Bit(kind)) != 0; }
  friend constexpr EventMask operator|(EventMask a, EventMask b) {
    return EventMask(a.bits_ | b.bits_);
  }
  friend constexpr bool operator==(const EventMask&, const EventMask&) = default;

 private:
  constexpr explicit EventMask(uint32_t bits) : bits_(bits) {}
  static constexpr uint32_t Bit(EventKind kind) { return 1u << static_cast<unsigned>(kind); }
  uint32_t bits_ = 0;
};

// Event
//
// One fact, as a fixed-size value that refers to nothing: copy it, keep it. Events are
// best effort and drive nothing; `sequence()` says what is missing. The reliable result
// of a task is its TaskOutcome.
//
// Every event has sequence (from 1, strictly increasing per supervisor; the order in
// which events were made), at (wall clock) and kind. All other fields start empty; the
// accessors answer nullopt, and text is an empty view.
//
// `reason` is for people and may change; programs look at outcome_kind, rejection_kind
// and cause.
class Event {
 public:
  Event() : Event(EventKind::kRuntimeFailure) {}
  explicit Event(EventKind kind) : kind_(kind) {}  // NOLINT: text stays unwritten

  uint64_t sequence = 0;

  [[nodiscard]] EventKind kind() const { return kind_; }
  [[nodiscard]] WallTime at() const { return WallTime(Duration(at_)); }

  [[nodiscard]] std::optional<TaskId> id() const { return Optional(kId, TaskId(id_, slot_)); }
  // The task's name or "task-<id>"; a subscriber's or component's name.
  [[nodiscard]] std::string_view task() const { return Has(kSlot) ? std::string_view() : Name(); }
  // A controller's key.
  [[nodiscard]] std::string_view slot() const { return Has(kSlot) ? Name() : std::string_view(); }
  [[nodiscard]] std::string_view reason() const { return {reason_, reason_size_}; }
  [[nodiscard]] std::optional<uint32_t> attempt() const { return Optional(kAttempt, attempt_); }
  // Of a child (TaskContext::Spawn): the task whose attempt has spawned it; its value() only.
  [[nodiscard]] std::optional<TaskId> parent_id() const {
    return Optional(kParent, TaskId(parent_, 0));
  }

  // Durations: whole milliseconds, saturated at the largest uint32_t, and exact.
  [[nodiscard]] std::optional<uint32_t> duration_ms() const { return Ms(kDuration, duration_); }
  [[nodiscard]] std::optional<uint32_t> delay_ms() const { return Ms(kDelay, delay_); }
  [[nodiscard]] std::optional<uint32_t> timeout_ms() const { return Ms(kTimeout, timeout_); }
  [[nodiscard]] std::optional<Duration> duration() const { return Exact(kDuration, duration_); }
  [[nodiscard]] std::optional<Duration> delay() const { return Exact(kDelay, delay_); }
  [[nodiscard]] std::optional<Duration> timeout() const { return Exact(kTimeout, timeout_); }
  // How long the body ran on after its deadline.
  [[nodiscard]] std::optional<Duration> overrun() const { return Exact(kOverrun, overrun_); }
  // What the attempt waited for a worker, and for a permit, before its duration began: from
  // when it was ready (added; or after its delay) until its start. Queue wait and duration add
  // up to the time from ready to end.
  [[nodiscard]] std::optional<Duration> queue_wait() const {
    return Exact(kQueueWait, queue_wait_);
  }
  // Of the body's own thread; only if TaskSpec::WithCpuTime asked for it.
  [[nodiscard]] std::optional<Duration> cpu_time() const { return Exact(kCpuTime, cpu_time_); }
  // As configured.
  [[nodiscard]] std::optional<Duration> grace() const { return Exact(kGrace, timeout_); }

  [[nodiscard]] std::optional<int32_t> exit_code() const { return Optional(kExitCode, exit_code_); }
  [[nodiscard]] std::optional<BackoffSource> backoff_source() const {
    return Optional(kBackoffSource, backoff_source_);
  }
  [[nodiscard]] std::optional<OutcomeKind> outcome_kind() const {
    return Optional(kOutcomeKind, outcome_kind_);
  }
  [[nodiscard]] std::optional<RejectionKind> rejection_kind() const {
    return Optional(kRejectionKind, rejection_kind_);
  }
  // TaskStopped: kNone = success, else why the attempt was cancelled. TimeoutHit: kDeadline if it
  // was the task's deadline.
  [[nodiscard]] std::optional<CancelCause> cause() const { return Optional(kCause, cause_); }
  // The kernel's id of the thread that the body runs on.
  [[nodiscard]] std::optional<int32_t> thread() const { return Optional(kThread, exit_code_); }
  // SubscriberOverflow: how many records. GraceExceeded: how many tasks are stuck.
  [[nodiscard]] std::optional<uint64_t> count() const { return Optional(kCount, count_); }

  [[nodiscard]] bool IsInternalDiagnostic() const { return taskvisor::IsInternalDiagnostic(kind_); }

  // One line of text: "#12 task_failed task=flaky id=3 attempt=1 ... reason=not yet".
  [[nodiscard]] std::string ToString() const;

  // Builders. Text is cut at kMaxNameLength and kMaxReasonLength bytes.
  Event& WithAt(WallTime at) { return at_ = at.time_since_epoch().count(), *this; }
  Event& WithId(TaskId id);
  Event& WithTask(std::string_view task);
  Event& WithSlot(std::string_view slot);
  Event& WithReason(std::string_view reason);
  Event& WithAttempt(uint32_t attempt) { return attempt_ = attempt, Set(kAttempt); }
  Event& WithParent(TaskId parent) { return parent_ = parent.value(), Set(kParent); }
  Event& WithDuration(Duration d) { return duration_ = d.count(), Set(kDuration); }
  Event& WithDelay(Duration d) { return delay_ = d.count(), Set(kDelay); }
  Event& WithTimeout(Duration d) { return timeout_ = d.count(), Set(kTimeout); }
  Event& WithOverrun(Duration d) { return overrun_ = d.count(), Set(kOverrun); }
  Event& WithQueueWait(Duration d) { return queue_wait_ = d.count(), Set(kQueueWait); }
  Event& WithCpuTime(Duration d) { return cpu_time_ = d.count(), Set(kCpuTime); }
  Event& WithGrace(Duration d) { return timeout_ = d.count(), Set(kGrace); }
  Event& WithExitCode(std::optional<int32_t> code);
  // An event has a thread or an exit code.
  Event& WithThread(int32_t thread) { return exit_code_ = thread, Set(kThread); }
  Event& WithBackoffSource(BackoffSource s) { return backoff_source_ = s, Set(kBackoffSource); }
  Event& WithOutcomeKind(OutcomeKind k) { return outcome_kind_ = k, Set(kOutcomeKind); }
  // Also sets outcome_kind to kRejected.
  Event& WithRejectionKind(RejectionKind k) {
    rejection_kind_ = k;
    return Set(kRejectionKind), WithOutcomeKind(OutcomeKind::kRejected);
  }
  Event& WithCause(CancelCause c) { return cause_ = c, Set(kCause); }
  Event& WithCount(uint64_t n) { return count_ = n, Set(kCount); }

 private:
  friend class internal::EventDraft;
  friend struct internal::EventRecord;

  enum Field : uint32_t {
    kId,
    kAttempt,
    kParent,
    kDuration,
    kDelay,
    kTimeout,
    kOverrun,
    kGrace,
    kExitCode,
    kBackoffSource,
    kOutcomeKind,
    kRejectionKind,
    kCause,
    kCount,
    kSlot,
    kThread,
    kQueueWait,
    kCpuTime,
  };

  [[nodiscard]] bool Has(Field f) const { return (present_ & (1u << f)) != 0; }
  Event& Set(Field f) { return present_ |= 1u << f, *this; }
  template <class T>
  [[nodiscard]] std::optional<T> Optional(Field f, T value) const {
    return Has(f) ? std::optional<T>(value) : std::nullopt;
  }
  [[nodiscard]] std::optional<Duration> Exact(Field f, int64_t ns) const {
    return Has(f) ? std::optional<Duration>(Duration(ns)) : std::nullopt;
  }
  [[nodiscard]] std::optional<uint32_t> Ms(Field f, int64_t ns) const;
  [[nodiscard]] std::string_view Name() const { return {name_, name_size_}; }

  int64_t at_ = 0;
  uint64_t id_ = 0;
  uint64_t parent_ = 0;
  int64_t duration_ = 0;
  int64_t delay_ = 0;
  int64_t timeout_ = 0;
  int64_t overrun_ = 0;
  int64_t queue_wait_ = 0;
  int64_t cpu_time_ = 0;
  uint64_t count_ = 0;
  uint32_t slot_ = 0;
  uint32_t attempt_ = 0;
  int32_t exit_code_ = 0;
  uint32_t present_ = 0;
  EventKind kind_;
  BackoffSource backoff_source_ = BackoffSource::kSuccess;
  OutcomeKind outcome_kind_ = OutcomeKind::kCompleted;
  RejectionKind rejection_kind_ = RejectionKind::kAlreadyExists;
  CancelCause cause_ = CancelCause::kNone;
  uint8_t name_size_ = 0;
  uint8_t reason_size_ = 0;
  char name_[255];  // not terminated; only the first name_size_ bytes mean anything
  char reason_[255];
};

static_assert(std::is_trivially_copyable_v<Event>);
static_assert(sizeof(Event) <= 640);

}  // namespace taskvisor

#endif  // TASKVISOR_EVENT_H_
