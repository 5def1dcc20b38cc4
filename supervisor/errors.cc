#include "taskvisor/errors.h"

#include <new>
#include <string_view>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "supervisor/payload.h"
#include "supervisor/status.h"
#include "supervisor/text.h"
#include "taskvisor/task_context.h"

namespace taskvisor {
namespace {

// As `make` makes it; without memory for that, the bare code.
template <class Make>
absl::Status OrBare(absl::StatusCode code, Make make) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return absl::Status(code, "");
  }
}

constexpr char kLabelUrl[] = "taskvisor/label";
constexpr char kGraceUrl[] = "taskvisor/grace_exceeded";

}  // namespace

std::string ErrorLabel(const absl::Status& status) {
  const auto label = status.GetPayload(kLabelUrl);
  return label.has_value() ? std::string(*label) : std::string();
}

absl::Status GraceExceeded::ToStatus() const {
  std::string names;
  internal::PayloadWriter writer;
  writer.Number(grace.count());
  writer.Number(stuck.size());
  for (const StuckTask& task : stuck) {
    names += (names.empty() ? "" : ", ") + task.name;
    writer.Number(task.id.value());
    writer.Number(task.id.slot());
    writer.Text(task.name);
    writer.Number(task.attempt);
    writer.Number(task.running_for.count());
    writer.Number(task.thread);
    writer.Text(task.stack);
    writer.Events(task.last_events);
  }
  absl::Status status = internal::Error(
      absl::StatusCode::kDeadlineExceeded, "runtime_grace_exceeded",
      absl::StrCat(stuck.size(), " task(s) still run after a grace of ", internal::ToText(grace),
                   ": ", names, "; their bodies ignore the cancellation"));
  status.SetPayload(kGraceUrl, absl::Cord(writer.Take()));
  return status;
}

std::optional<GraceExceeded> GraceExceeded::From(const absl::Status& status) {
  const auto payload = status.GetPayload(kGraceUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string bytes(*payload);
  internal::PayloadReader reader(bytes);
  GraceExceeded exceeded;
  exceeded.grace = Duration(reader.Number<Duration::rep>());
  const auto count = reader.Number<size_t>();
  for (size_t i = 0; i < count; ++i) {
    StuckTask task;
    const auto value = reader.Number<uint64_t>();
    task.id = TaskId(value, reader.Number<uint32_t>());
    task.name = reader.Text();
    task.attempt = reader.Number<uint32_t>();
    task.running_for = Duration(reader.Number<Duration::rep>());
    task.thread = reader.Number<int32_t>();
    task.stack = reader.Text();
    task.last_events = reader.Events(kMaxLastEvents);
    exceeded.stuck.push_back(std::move(task));
  }
  return exceeded;
}

namespace internal {

absl::Status Error(absl::StatusCode code, std::string_view label, std::string_view message) {
  absl::Status status(code, ToAbsl(message));
  status.SetPayload(kLabelUrl, absl::Cord(ToAbsl(label)));
  return status;
}

absl::Status InvalidSpec(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "spec_invalid", message);
}
absl::Status InvalidConfig(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "config_invalid", message);
}
absl::Status AlreadyExists(std::string_view name, bool in_batch) {
  const std::string_view why = in_batch ? "two specs of the batch are named so"
                                        : "it is registered; Cancel waits until the name is free";
  return OrBare(absl::StatusCode::kAlreadyExists, [&] {
    return Error(absl::StatusCode::kAlreadyExists, "runtime_task_already_exists",
                 absl::StrCat("the name \"", ToAbsl(name), "\" is taken: ", ToAbsl(why)));
  });
}
absl::Status Full(size_t max_tasks) {
  return Error(absl::StatusCode::kResourceExhausted, "runtime_command_queue_full",
               absl::StrCat("max_tasks (", max_tasks, ") tasks are registered"));
}
absl::Status OutOfMemory() {
  return OrBare(absl::StatusCode::kResourceExhausted, [] {
    return Error(absl::StatusCode::kResourceExhausted, "runtime_out_of_memory",
                 "no memory for the call; it has changed nothing");
  });
}
absl::Status ShuttingDown() {
  return Error(absl::StatusCode::kUnavailable, "runtime_shutting_down",
               "the supervisor is shutting down, or shut down");
}
absl::Status NoTask() {
  return Error(absl::StatusCode::kUnavailable, "runtime_shutting_down",
               "no task came of what this waits for: its spec was never added, or was refused (see "
               "what Add answered), or the supervisor was shut down");
}
absl::Status AlreadyRunning() {
  return Error(absl::StatusCode::kFailedPrecondition, "runtime_already_running",
               "Run was called before; it works once per supervisor");
}
absl::Status StartFailed(std::string_view why) {
  return OrBare(absl::StatusCode::kResourceExhausted, [&] {
    return Error(absl::StatusCode::kResourceExhausted, "runtime_start_failed",
                 absl::StrCat("the supervisor's threads could not be started: ", ToAbsl(why)));
  });
}
absl::Status WouldDeadlock(std::string_view call) {
  return Error(
      absl::StatusCode::kFailedPrecondition, "runtime_would_deadlock",
      absl::StrCat(ToAbsl(call),
                   " blocks, and would wait for the thread that it is called on: a worker, "
                   "or one that runs a callback or a destructor for the supervisor; call "
                   "it from another thread"));
}
absl::Status SignalSetupFailed(std::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "runtime_signal_setup_failed", why);
}
absl::Status TerminationTimeout(TaskId id, Duration limit, bool stuck) {
  return Error(
      absl::StatusCode::kDeadlineExceeded, "runtime_task_termination_timeout",
      absl::StrCat(id.ToString(), " did not stop within ", ToText(limit),
                   stuck ? "; it is stuck: its body runs on, its name stays taken until it "
                           "returns"
                         : "; its stop goes on"));
}
absl::Status WaitTimeout(Duration limit) {
  return Error(absl::StatusCode::kDeadlineExceeded, "runtime_wait_timeout",
               absl::StrCat("no outcome within ", ToText(limit)));
}

absl::Status NoAttempt(std::string_view why) {
  return Error(
      absl::StatusCode::kFailedPrecondition, "runtime_no_attempt",
      absl::StrCat("Spawn: ", ToAbsl(why), "; call it from a body that a supervisor runs"));
}
absl::Status TooDeep() {
  return Error(absl::StatusCode::kFailedPrecondition, "runtime_too_deep",
               absl::StrCat("Spawn: ", kMaxChildDepth,
                            " generations above already; add this one as a task of its own"));
}
absl::Status AttemptCancelled(CancelCause cause) {
  return Error(absl::StatusCode::kCancelled, "runtime_attempt_cancelled",
               absl::StrCat("the attempt is cancelled (", ToAbsl(Label(cause)),
                            "): it gets no more children"));
}

}  // namespace internal
}  // namespace taskvisor
