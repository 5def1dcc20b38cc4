#ifndef TASKVISOR_TASK_OUTCOME_H_
#define TASKVISOR_TASK_OUTCOME_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/cancel_cause.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_id.h"

namespace taskvisor {

namespace internal {
class OutcomeCell;
class WaiterAccess;

// A counted reference to where an outcome goes; the last one gives the place back.
class CellRef {
 public:
  CellRef() = default;
  // Takes over a count that the caller has.
  explicit CellRef(OutcomeCell* cell) : cell_(cell) {}
  CellRef(const CellRef& other) : cell_(other.cell_) {
    if (cell_ != nullptr) Keep(cell_);
  }
  CellRef(CellRef&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  CellRef& operator=(CellRef other) noexcept { return std::swap(cell_, other.cell_), *this; }
  ~CellRef() {
    if (cell_ != nullptr) LetGo(cell_);
  }

  [[nodiscard]] OutcomeCell* get() const { return cell_; }
  OutcomeCell* operator->() const { return cell_; }
  OutcomeCell& operator*() const { return *cell_; }
  friend bool operator==(const CellRef& ref, std::nullptr_t) { return ref.cell_ == nullptr; }

 private:
  static void Keep(OutcomeCell* cell);
  static void LetGo(OutcomeCell* cell);

  OutcomeCell* cell_ = nullptr;
};

}  // namespace internal

// How a task ended. Stable labels in brackets.
enum class OutcomeKind : uint8_t {
  kCompleted,  // the last attempt succeeded and the policy stopped [outcome_completed]
  kFailed,     // a retryable error, and the policy or the budget stopped [outcome_failed]
  kFatal,      // a fatal error [outcome_fatal]
  kCancelled,  // removed, cancelled, shut down, or the body said so [outcome_canceled]
  kStuck,      // grace passed and the body still runs [outcome_stuck]
  kPanicked,   // the supervision itself failed, not the body [outcome_panicked]
  kRejected,   // never registered: the body never ran [outcome_rejected]
};
[[nodiscard]] std::string_view Label(OutcomeKind kind);

// Why a task was refused. Stable labels: "already_exists", "batch_rejected",
// "slot_busy", "queue_full", "superseded_by_replace", "removed_from_queue",
// "controller_shutting_down", "admission_failed".
enum class RejectionKind : uint8_t {
  kAlreadyExists,
  kBatchRejected,
  kSlotBusy,
  kQueueFull,
  kSupersededByReplace,
  kRemovedFromQueue,
  kControllerShuttingDown,
  kAdmissionFailed,
};
[[nodiscard]] std::string_view Label(RejectionKind kind);

// TaskOutcome
//
// The one final result of a task. `reason` is diagnostic text, byte-identical to that
// of the end event; branch on kind(). Before the body's own words it says what ended the task, if
// something else did: "max_retries_exceeded(3/3): ", "deadline exceeded after 5s; last: ".
class TaskOutcome {
 public:
  // Where a stuck body was when it was given up.
  struct Stuck {
    Duration running_for{};  // of the attempt, when grace passed
    int32_t thread = 0;      // kernel thread id
    std::string stack = {};  // of that thread then: see StuckTask
  };

  TaskOutcome() = default;
  explicit TaskOutcome(OutcomeKind kind, std::string_view reason = {}) : kind_(kind) {
    if (!reason.empty()) More().reason = reason;
  }
  TaskOutcome(const TaskOutcome& other)
      : kind_(other.kind_),
        cause_(other.cause_),
        rejection_(other.rejection_),
        attempts_(other.attempts_),
        more_(other.more_ == nullptr ? nullptr : std::make_unique<Details>(*other.more_)) {}
  TaskOutcome(TaskOutcome&&) noexcept = default;
  TaskOutcome& operator=(TaskOutcome other) noexcept { return Swap(other), *this; }
  ~TaskOutcome() = default;

  [[nodiscard]] OutcomeKind kind() const { return kind_; }
  [[nodiscard]] bool IsSuccess() const { return kind_ == OutcomeKind::kCompleted; }
  [[nodiscard]] std::string_view reason() const {
    return more_ != nullptr ? std::string_view(more_->reason) : std::string_view();
  }
  // Attempts begun.
  [[nodiscard]] uint32_t attempts() const { return attempts_; }
  // Failed and Fatal only.
  [[nodiscard]] std::optional<int32_t> exit_code() const {
    return more_ != nullptr ? more_->exit_code : std::nullopt;
  }
  // The exception behind Failed or Fatal, if one was thrown or attached; rethrow it to
  // see its type.
  [[nodiscard]] std::exception_ptr source() const {
    return more_ != nullptr ? more_->source : nullptr;
  }
  // What had asked it to stop, if it did not complete; kNone: nothing had. kDeadline: its
  // deadline has passed (Failed; Stuck if the body would not stop). kTimeout: its last attempt's
  // timeout was up, and it was not tried again (Failed; Fatal if its retry rule said so).
  // kChildFailed: so, of a child that took its last attempt with it.
  [[nodiscard]] CancelCause cause() const { return cause_; }
  // Rejected only.
  [[nodiscard]] std::optional<RejectionKind> rejection() const {
    return kind_ == OutcomeKind::kRejected ? std::optional(rejection_) : std::nullopt;
  }
  // Stuck only; null otherwise.
  [[nodiscard]] const Stuck* stuck() const {
    return more_ != nullptr && more_->stuck.has_value() ? &*more_->stuck : nullptr;
  }

  // Where the time of the attempt went with which the task ended, if TaskSpec::WithCpuTime asked
  // for it. None: it did not, the task ended otherwise (stopped while it waited, refused), or
  // that attempt's body still runs (Stuck).
  //   queue_wait + run_time = from when it was ready to its end
  //   overrun               how much of run_time came after its deadline, if it passed
  //   cpu_time              of the body's own thread
  [[nodiscard]] std::optional<Duration> queue_wait() const { return Time(&Details::queue_wait); }
  [[nodiscard]] std::optional<Duration> run_time() const { return Time(&Details::run_time); }
  [[nodiscard]] std::optional<Duration> overrun() const { return Time(&Details::overrun); }
  [[nodiscard]] std::optional<Duration> cpu_time() const { return Time(&Details::cpu_time); }

  // A line for people, with what there is to say: "outcome_failed attempts=2 exit_code=28
  // cause=timeout reason=no disk".
  [[nodiscard]] std::string ToString() const;

  TaskOutcome& set_queue_wait(Duration wait) { return More().queue_wait = wait, *this; }
  TaskOutcome& set_run_time(Duration run) { return More().run_time = run, *this; }
  TaskOutcome& set_overrun(Duration overrun) { return More().overrun = overrun, *this; }
  TaskOutcome& set_cpu_time(std::optional<Duration> cpu) { return More().cpu_time = cpu, *this; }
  TaskOutcome& set_attempts(uint32_t attempts) { return attempts_ = attempts, *this; }
  TaskOutcome& set_exit_code(std::optional<int32_t> code) {
    if (code.has_value()) More().exit_code = code;
    return *this;
  }
  TaskOutcome& set_source(std::exception_ptr source) {
    if (source != nullptr) More().source = std::move(source);
    return *this;
  }
  TaskOutcome& set_cause(CancelCause cause) { return cause_ = cause, *this; }
  TaskOutcome& set_rejection(RejectionKind kind) { return rejection_ = kind, *this; }
  TaskOutcome& set_stuck(Stuck stuck) { return More().stuck = std::move(stuck), *this; }

 private:
  // What a task that went well has nothing of.
  struct Details {
    std::string reason = {};
    std::optional<int32_t> exit_code = std::nullopt;
    std::exception_ptr source = nullptr;
    std::optional<Stuck> stuck = std::nullopt;
    std::optional<Duration> queue_wait = std::nullopt;
    std::optional<Duration> run_time = std::nullopt;
    std::optional<Duration> overrun = std::nullopt;
    std::optional<Duration> cpu_time = std::nullopt;
  };

  [[nodiscard]] std::optional<Duration> Time(std::optional<Duration> Details::*time) const {
    return more_ != nullptr ? (*more_).*time : std::nullopt;
  }
  Details& More() {
    if (more_ == nullptr) more_ = std::make_unique<Details>();
    return *more_;
  }
  void Swap(TaskOutcome& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(cause_, other.cause_);
    std::swap(rejection_, other.rejection_);
    std::swap(attempts_, other.attempts_);
    more_.swap(other.more_);
  }

  OutcomeKind kind_ = OutcomeKind::kCompleted;
  CancelCause cause_ = CancelCause::kNone;
  RejectionKind rejection_ = RejectionKind::kAlreadyExists;  // if kind_ is kRejected
  uint32_t attempts_ = 0;
  std::unique_ptr<Details> more_;
};

// TaskWaiter
//
// Receives the one outcome of one task, on the reliable path: no event is involved and
// none can be lost. Copies wait for the same outcome. Dropping it never affects the
// task; it may outlive the supervisor.
//
// When Wait returns (not Stuck), the task's name is free and its body destroyed.
//
// Blocking forms, from a worker of the same supervisor: kFailedPrecondition
// ("runtime_would_deadlock") unless the answer is already there.
class TaskWaiter {
 public:
  // Waits for nothing: every wait answers kUnavailable.
  TaskWaiter() = default;

  // Blocks until the outcome is there.
  // Errors: kUnavailable          the spec was dropped and never added, or was refused
  //                               before it became a task
  //         kFailedPrecondition   called from a worker
  [[nodiscard]] absl::StatusOr<TaskOutcome> Wait() const;

  // The same, at most `limit` on the supervisor's clock, then kDeadlineExceeded; the
  // task is not affected.
  [[nodiscard]] absl::StatusOr<TaskOutcome> WaitFor(Duration limit) const;

  // The outcome is there: Wait will not block. Never blocks.
  [[nodiscard]] bool Ready() const;

  // For a Stuck outcome: blocks until the body has really returned and name and permit
  // are free. For all others true as soon as the outcome is. OK, or Wait's errors.
  [[nodiscard]] absl::Status Drained() const;
  [[nodiscard]] absl::Status DrainedFor(Duration limit) const;
  [[nodiscard]] bool IsDrained() const;

  // The task's id; not valid() until it is added.
  [[nodiscard]] TaskId id() const;

 private:
  friend class TaskSpec;
  friend class internal::WaiterAccess;
  explicit TaskWaiter(internal::CellRef cell) : cell_(std::move(cell)) {}

  internal::CellRef cell_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_TASK_OUTCOME_H_
