#ifndef TASKVISOR_SUPERVISOR_STATUS_H_
#define TASKVISOR_SUPERVISOR_STATUS_H_

#include <new>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "taskvisor/cancel_cause.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_id.h"

namespace taskvisor::internal {

// The errors of the public face, each with its stable label (see errors.h). Those that an
// admission answers with are made without memory too: the bare code then.
[[nodiscard]] absl::Status Error(absl::StatusCode code, std::string_view label,
                                 std::string_view message);

[[nodiscard]] absl::Status InvalidSpec(std::string_view message);
[[nodiscard]] absl::Status InvalidConfig(std::string_view message);
[[nodiscard]] absl::Status AlreadyExists(std::string_view name, bool in_batch);
[[nodiscard]] absl::Status Full(size_t max_tasks);
[[nodiscard]] absl::Status OutOfMemory();
[[nodiscard]] absl::Status ShuttingDown();
[[nodiscard]] absl::Status NoTask();
[[nodiscard]] absl::Status AlreadyRunning();
[[nodiscard]] absl::Status StartFailed(std::string_view why);
[[nodiscard]] absl::Status WouldDeadlock(std::string_view call);
[[nodiscard]] absl::Status SignalSetupFailed(std::string_view why);
[[nodiscard]] absl::Status TerminationTimeout(TaskId id, Duration limit, bool stuck);
[[nodiscard]] absl::Status WaitTimeout(Duration limit);
[[nodiscard]] absl::Status NoAttempt(std::string_view why);
[[nodiscard]] absl::Status TooDeep();
[[nodiscard]] absl::Status AttemptCancelled(CancelCause cause);

// What `call` answers, or OutOfMemory if it throws std::bad_alloc.
template <class Call>
auto OrOutOfMemory(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_STATUS_H_
