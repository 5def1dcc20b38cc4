#ifndef TASKVISOR_TESTS_SIMULATION_SIMULATED_H_
#define TASKVISOR_TESTS_SIMULATION_SIMULATED_H_

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "taskvisor/testing.h"

namespace taskvisor::testing {

using namespace std::chrono_literals;

inline Duration Passed(const Simulation& simulation) {
  return simulation.Now() - simulation.Start();
}

// Sleeps on the clock, deaf to every cancellation.
inline void DeafSleep(const std::shared_ptr<Clock>& clock, Duration duration) {
  DetachedContext deaf({.clock = clock});
  EXPECT_TRUE(deaf.context().SleepFor(duration));
}
inline auto DeafBody(const Simulation& simulation, Duration duration) {
  return [clock = simulation.clock(), duration] { DeafSleep(clock, duration); };
}

// The events of this kind, and when each came.
inline std::vector<Duration> TimesOf(const Simulation& simulation, EventKind kind,
                                     const std::string& task) {
  const WallTime start = simulation.clock()->WallAt(simulation.Start());
  std::vector<Duration> times;
  for (const Event& event : simulation.events()) {
    if (event.kind() == kind && event.task() == task) times.push_back(event.at() - start);
  }
  return times;
}

inline TaskOutcome OutcomeOf(const TaskWaiter& waiter) {
  EXPECT_TRUE(waiter.Ready());
  return waiter.Ready() ? *waiter.Wait() : TaskOutcome(OutcomeKind::kRejected, "not ready");
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SIMULATION_SIMULATED_H_
