// The seed decides the order, and all of it.

#include <algorithm>
#include <set>
#include <thread>

#include "taskvisor/async.h"
#include "tests/simulation/simulated.h"

namespace taskvisor::testing {
namespace {

// Tasks that get into each other's way.
void Fill(Simulation& simulation) {
  const SupervisorHandle handle = simulation.handle();
  for (int i = 0; i < 6; ++i) {
    const std::string name = "flaky-" + std::to_string(i);
    simulation.Add(
        TaskSpec::Restartable(name, [](TaskContext& context) {
          return context.attempt() % 3 != 0 ? Fail("again") : Ok();
        }).WithBackoff(BackoffPolicy::Exponential(1min).WithMax(1h).WithJitter(Jitter::kFull)));
    simulation.Add(TaskSpec::Periodic(10min, [](TaskContext& context) { context.SleepFor(1min); }));
    simulation.Add(
        TaskSpec::Once([](TaskContext& context) { context.SleepFor(1h); }).WithTimeout(10min));
    simulation.Add(TaskSpec::Periodic(10min, []() -> Async<> { co_await SleepFor(5min); }));
  }
  simulation.Add(TaskSpec::Periodic("remover", 10min, [handle](TaskContext& context) {
    static_cast<void>(handle.RemoveByName("flaky-" + std::to_string(context.attempt() % 6)));
  }));
}

SimulationOptions Options(uint64_t seed) {
  return {.seed = seed, .config = {.workers = 3, .max_concurrent = 2}};
}

std::string LogOf(uint64_t seed) {
  Simulation simulation(Options(seed));
  Fill(simulation);
  simulation.AdvanceBy(2h);
  EXPECT_TRUE(simulation.Shutdown().ok());
  return simulation.EventLog();
}

TEST(Schedule, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(LogOf(seed), LogOf(seed));
}

TEST(Schedule, AnotherSeedGivesAnotherRun) {
  std::set<std::string> logs;
  for (uint64_t seed = 1; seed <= 20; ++seed) logs.insert(LogOf(seed));
  EXPECT_EQ(logs.size(), 20u);
}

TEST(Schedule, EachOrderOfThreeTasksComes) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Simulation simulation({.seed = seed});
    std::string order;
    for (const char letter : {'a', 'b', 'c'}) {
      simulation.Add(TaskSpec::Once([&order, letter] { order += letter; }));
    }
    simulation.RunReady();
    orders.insert(order);
  }
  EXPECT_EQ(orders, (std::set<std::string>{"abc", "acb", "bac", "bca", "cab", "cba"}));
}

TEST(Schedule, WhatIsDueAtTheSameTimeComesInEitherOrder) {
  // A timeout and a deadline, both on the timer thread.
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Simulation simulation({.seed = seed});
    for (const char* const name : {"a", "b"}) {
      simulation.Add(TaskSpec::Once(name, [](TaskContext& context) {
                       context.SleepFor(Duration::max());
                     }).WithTimeout(1h));
    }
    simulation.RunUntilIdle();
    std::string order;
    for (const Event& event : simulation.events()) {
      if (event.kind() == EventKind::kTimeoutHit) order += event.task();
    }
    orders.insert(order);
  }
  EXPECT_EQ(orders, (std::set<std::string>{"ab", "ba"}));
}

TEST(Schedule, SimulationsOnOneThreadAreNothingToEachOther) {
  Simulation first(Options(1));
  Simulation second(Options(2));
  Fill(first);
  Fill(second);
  for (int i = 0; i < 120; ++i) {
    first.AdvanceBy(1min);
    second.AdvanceBy(1min);
  }
  EXPECT_TRUE(first.Shutdown().ok());
  EXPECT_TRUE(second.Shutdown().ok());
  EXPECT_EQ(first.EventLog(), LogOf(1));
  EXPECT_EQ(second.EventLog(), LogOf(2));
}

TEST(Schedule, AWaitOfTheTestKnowsNotWhoseItIsAndIsServed) {
  Simulation first;
  Simulation second;
  second.Add(TaskSpec::Periodic("tick", 1min, [] {}));
  const auto waiter = first.Add(TaskSpec::Once([](TaskContext& context) { context.SleepFor(1h); }));
  EXPECT_EQ(waiter.Wait()->kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(Passed(first), 1h);
  EXPECT_LE(Passed(second), 1h);
}

TEST(Schedule, SimulationsOnSeveralThreadsAreNothingToEachOther) {
  std::vector<std::string> logs(3);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < logs.size(); ++i) {
      threads.emplace_back([&logs, i] { logs[i] = LogOf(i + 1); });
    }
  }
  for (size_t i = 0; i < logs.size(); ++i) EXPECT_EQ(logs[i], LogOf(i + 1));
}

TEST(Schedule, AHigherClassComesFirstAndNobodyStarves) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Simulation simulation({.seed = seed, .config = {.workers = 1}});
    std::string order;
    for (int i = 0; i < 20; ++i) {
      simulation.Add(TaskSpec::Once([&order] { order += 'l'; }).WithPriority(Priority::kLow));
      simulation.Add(TaskSpec::Once([&order] { order += 'h'; }).WithPriority(Priority::kHigh));
    }
    simulation.RunReady();
    EXPECT_EQ(order.size(), 40u);
    // The normal class has none, so its turns are the low one's.
    EXPECT_EQ(std::count(order.begin(), order.begin() + 16, 'l'), 4) << order;
  }
}

TEST(ScheduleDeathTest, AnotherThreadIsRefused) {
  EXPECT_DEATH(
      {
        Simulation simulation;
        std::jthread([&] { simulation.handle().Add(TaskSpec::Once([] {})).IgnoreError(); });
      },
      "on a thread that is not the simulation's own");
}

}  // namespace
}  // namespace taskvisor::testing
