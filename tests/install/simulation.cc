// Uses an installed taskvisor::testing as a stranger would: exits 0 once three hours of backoff
// have passed in a simulation.
#include <chrono>

#include "taskvisor/testing.h"

int main() {
  using namespace std::chrono_literals;
  taskvisor::testing::Simulation simulation;
  simulation.Add(taskvisor::TaskSpec::Restartable("job", [](taskvisor::TaskContext& context) {
                   return context.attempt() < 4 ? taskvisor::Fail("not yet") : taskvisor::Ok();
                 }).WithBackoff(taskvisor::BackoffPolicy::Constant(1h)));
  const bool idle = simulation.RunUntilIdle();
  return idle && simulation.Now() - simulation.Start() == 3h ? 0 : 1;
}
