// Uses an installed taskvisor as a stranger would: exits 0 once a task that fails twice has
// been supervised to its success.
#include <chrono>
#include <cstdint>
#include <cstdio>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/supervisor.h"

int main() {
  absl::StatusOr<taskvisor::Supervisor> supervisor = taskvisor::Supervisor::Create();
  if (!supervisor.ok()) {
    std::printf("create: %s\n", supervisor.status().ToString().c_str());
    return 1;
  }
  uint32_t attempts = 0;
  const absl::Status status = supervisor->Run(
      taskvisor::TaskSpec::Restartable(
          "flaky",
          [&attempts](taskvisor::TaskContext& context) -> taskvisor::TaskResult {
            attempts = context.attempt();
            return attempts < 3 ? taskvisor::Fail("not yet") : taskvisor::Ok();
          })
          .WithBackoff(taskvisor::BackoffPolicy::Constant(std::chrono::milliseconds(1))));
  std::printf("%u attempts, %s\n", static_cast<unsigned>(attempts), status.ToString().c_str());
  return status.ok() && attempts == 3 ? 0 : 1;
}
