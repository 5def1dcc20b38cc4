#ifndef TASKVISOR_ERRORS_H_
#define TASKVISOR_ERRORS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_id.h"

namespace taskvisor {

// The stable label of an error of this library; empty for any other status.
//
//   code                  label                              when
//   kInvalidArgument      config_invalid                     a field of SupervisorConfig
//                         spec_invalid, batch_empty          a spec or batch
//                         backoff_*                          see BackoffPolicy::Make
//   kAlreadyExists        runtime_task_already_exists        the name is taken
//   kResourceExhausted    runtime_command_queue_full         max_tasks registered
//   kUnavailable          runtime_shutting_down              shut down, or about to be
//   kFailedPrecondition   runtime_already_running            Run was used up
//                         runtime_would_deadlock             a blocking call on a worker
//                         runtime_signal_setup_failed        Run could not install handlers
//   kDeadlineExceeded     runtime_task_termination_timeout   the task did not stop in time
//                         runtime_grace_exceeded             see GraceExceeded
//                         runtime_wait_timeout               WaitFor, DrainedFor
[[nodiscard]] std::string ErrorLabel(const absl::Status& status);

// One task whose body did not return within grace.
struct StuckTask {
  TaskId id;
  std::string name;
  uint32_t attempt = 0;
  Duration running_for{};  // the attempt, when grace passed
  int32_t thread = 0;      // kernel thread id of the body
  std::string stack;       // reserved: empty

  friend bool operator==(const StuckTask&, const StuckTask&) = default;
};

// GraceExceeded
//
// What a shutdown that met stuck bodies answers with, inside a kDeadlineExceeded.
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
