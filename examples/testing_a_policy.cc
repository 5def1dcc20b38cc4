// Testing a retry policy: six hours of outage, and what it makes of them under 100 seeds.
#include <algorithm>
#include <iostream>

#include "taskvisor/testing.h"
using namespace std::chrono_literals;
using namespace taskvisor;

int main() {
  const auto policy = BackoffPolicy::Exponential(1min).WithMax(1h).WithJitter(Jitter::kEqual);
  uint32_t most = 0;
  Duration latest{};
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    testing::Simulation simulation({.seed = seed});
    auto sync = [&](TaskContext& context) {
      const Duration passed = context.Now() - simulation.Start();
      if (seed == 7) std::cout << "attempt " << context.attempt() << ": " << passed / 1s << " s\n";
      return passed < 6h ? Fail("503") : Ok();
    };
    TaskWaiter waiter = simulation.Add(TaskSpec::Restartable("sync", sync).WithBackoff(policy));
    simulation.RunUntilIdle();  // the hours pass in microseconds
    most = std::max(most, waiter.Wait()->attempts());
    latest = std::max(latest, simulation.Now() - simulation.Start());
  }
  std::cout << "100 seeds: at most " << most << " attempts, done after " << latest / 1min
            << " min\n";
  return most <= 20 && latest <= 7h ? 0 : 1;
}
