#ifndef TASKVISOR_TASK_DEFAULTS_H_
#define TASKVISOR_TASK_DEFAULTS_H_

#include <cstdint>
#include <optional>

#include "taskvisor/backoff_policy.h"
#include "taskvisor/clock.h"
#include "taskvisor/priority.h"
#include "taskvisor/restart_policy.h"

namespace taskvisor {

// What a setting is when the spec does not state it; part of SupervisorConfig.
struct TaskDefaults {
  RestartPolicy restart = RestartPolicy::OnFailure();
  BackoffPolicy backoff = {};
  std::optional<Duration> timeout =
      std::nullopt;  // per attempt; none or 0: no timeout; not negative
  std::optional<uint32_t> max_retries = std::nullopt;  // >= 1; none: unlimited
  std::optional<Duration> heartbeat = std::nullopt;    // above 0; none: not watched
  Priority priority = Priority::kNormal;
  bool cpu_time = false;  // measured: see TaskSpec::WithCpuTime
  // From admission over all attempts and the waits between; above 0; none: no deadline.
  std::optional<Duration> deadline = std::nullopt;
};

}  // namespace taskvisor

#endif  // TASKVISOR_TASK_DEFAULTS_H_
