#ifndef TASKVISOR_ERRORS_H_
#define TASKVISOR_ERRORS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "taskvisor/clock.h"
#include "taskvisor/event.h"
#include "taskvisor/task_id.h"

namespace taskvisor {

// The stable label of an error of this library; empty for any other status.
//
//   code                  label                              when
//   kInvalidArgument      config_invalid                     a field of SupervisorConfig
//                         spec_invalid, batch_empty          a spec or batch
//                         backoff_*                          see BackoffPolicy::Make
//                         when_any_empty                     WhenAny or FirstOf of no task
//   kAlreadyExists        runtime_task_already_exists        the name is taken
//   kResourceExhausted    runtime_command_queue_full         max_tasks registered
//                         runtime_out_of_memory              no memory; nothing has changed.
//                                                            Without memory for the label
//                                                            too, there is none
//                         runtime_start_failed               no thread; nothing was started
//                         crash_dump_table_full              see InstallCrashDump
//   kUnavailable          runtime_shutting_down              shut down, or about to be; also of
//                                                            a waiter whose spec was never added
//   kFailedPrecondition   runtime_already_running            Run was used up
//                         runtime_would_deadlock             a blocking call on a worker
//                         runtime_signal_setup_failed        Run could not install handlers
//                         crash_dump_setup_failed            see InstallCrashDump
//                         runtime_no_attempt                 Spawn without a body that runs
//                         runtime_too_deep                   Spawn in the last generation
//                         value_taken                        see Waiter
//   kCancelled            runtime_attempt_cancelled          Spawn in a cancelled attempt
//   kDeadlineExceeded     runtime_task_termination_timeout   the task did not stop in time
//                         runtime_grace_exceeded             see GraceExceeded
//                         runtime_wait_timeout               WaitFor, DrainedFor
[[nodiscard]] std::string ErrorLabel(const absl::Status& status);

// How many events a StuckTask carries at most.
inline constexpr size_t kMaxLastEvents = 8;

// One task whose body did not return within grace.
struct StuckTask {
  TaskId id;
  std::string name;
  uint32_t attempt = 0;
  Duration running_for{};  // the attempt, when grace passed
  int32_t thread = 0;      // kernel thread id of the body
  // Where its thread was: a line for each frame, innermost first, up to the body; at most 48
  // frames and 4096 bytes. "(no stack: ...)" with the reason if it could not be taken, also
  // if the thread did not answer within 100 ms.
  std::string stack;
  // The task's last ones, oldest first, as far as the flight recorder still had them: best
  // effort, with long texts cut.
  std::vector<Event> last_events = {};

  // Without last_events: they tell about the task, and are not what it is known by.
  friend bool operator==(const StuckTask& a, const StuckTask& b) {
    return a.id == b.id && a.name == b.name && a.attempt == b.attempt &&
           a.running_for == b.running_for && a.thread == b.thread && a.stack == b.stack;
  }
};

// GraceExceeded
//
// What a shutdown that met stuck bodies answers with, inside a kDeadlineExceeded. Print the
// status's message(); the whole status as text has all of this in it, as bytes.
//
// Example:
//   absl::Status stopped = handle.Shutdown();
//   if (auto exceeded = taskvisor::GraceExceeded::From(stopped))
//     for (const taskvisor::StuckTask& task : exceeded->stuck) Report(task);
struct GraceExceeded {
  Duration grace{};              // as configured
  std::vector<StuckTask> stuck;  // sorted by name, then id

  // Nothing if `status` is another error.
  [[nodiscard]] static std::optional<GraceExceeded> From(const absl::Status& status);
  [[nodiscard]] absl::Status ToStatus() const;
};

}  // namespace taskvisor

#endif  // TASKVISOR_ERRORS_H_
