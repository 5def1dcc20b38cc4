// A simulation's time: who moves it, and how far.

#include <algorithm>
#include <stdexcept>

#include "taskvisor/async.h"
#include "tests/simulation/simulated.h"
#include "tests/support/sanitizers.h"

namespace taskvisor::testing {
namespace {

TaskResult FailThrice(TaskContext& context) {
  return context.attempt() < 4 ? Fail("not yet") : Ok();
}

TEST(Simulation, BackoffPassesInVirtualTime) {
  Simulation simulation({.seed = 7});
  auto waiter = simulation.Add(TaskSpec::Restartable("job", FailThrice)
                                   .WithBackoff(BackoffPolicy::Exponential(1h).WithMax(24h)));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 7h);
  EXPECT_EQ(OutcomeOf(waiter).kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(OutcomeOf(waiter).attempts(), 4u);
}

TEST(Simulation, NothingBeginsBeforeItRuns) {
  Simulation simulation;
  bool begun = false;
  const TaskWaiter waiter = simulation.Add(TaskSpec::Once([&] { begun = true; }));
  EXPECT_FALSE(begun);
  EXPECT_TRUE(simulation.RunReady());
  EXPECT_TRUE(begun);
  EXPECT_TRUE(waiter.Ready());
  EXPECT_EQ(Passed(simulation), 0s);
}

TEST(Simulation, AWaitOfTheTestRunsIt) {
  Simulation simulation;
  const TaskWaiter waiter =
      simulation.Add(TaskSpec::Once([](TaskContext& context) { context.SleepFor(3h); }));
  EXPECT_EQ(waiter.Wait()->kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(Passed(simulation), 3h);
}

TEST(Simulation, AWaitWithALimitLetsNoMoreTimePass) {
  Simulation simulation;
  const TaskWaiter waiter =
      simulation.Add(TaskSpec::Once([](TaskContext& context) { context.SleepFor(3h); }));
  EXPECT_EQ(waiter.WaitFor(10min).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Passed(simulation), 10min);
  EXPECT_EQ(waiter.WaitFor(10h)->kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(Passed(simulation), 3h);
}

TEST(Simulation, AdvanceByRunsAllThatIsDueInItsTime) {
  Simulation simulation;
  simulation.Add(TaskSpec::Periodic("tick", 1min, [] {}));
  simulation.AdvanceBy(1h);
  EXPECT_EQ(Passed(simulation), 1h);
  const std::vector<Duration> times = TimesOf(simulation, EventKind::kTaskStarting, "tick");
  ASSERT_EQ(times.size(), 61u);
  for (size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i], 1min * i);
}

TEST(Simulation, APointThatIsPastIsNow) {
  Simulation simulation;
  simulation.AdvanceBy(1h);
  simulation.AdvanceTo(simulation.Start());
  simulation.AdvanceBy(-1h);
  EXPECT_EQ(Passed(simulation), 1h);
}

TEST(Simulation, TasksRunAtTheEndOfTimeToo) {
  Simulation simulation;
  simulation.AdvanceTo(TimePoint::max());
  const TaskWaiter late = simulation.Add(TaskSpec::Once([] {}));
  simulation.RunUntilIdle(Duration::max());
  EXPECT_EQ(OutcomeOf(late).kind(), OutcomeKind::kCompleted);
}

TEST(Simulation, AdvanceToNextStopsWhereSomethingHappens) {
  Simulation simulation;
  simulation.Add(TaskSpec::Periodic("seven", 7min, [] {}));
  simulation.Add(TaskSpec::Periodic("days", 24h * 3, [] {}));
  simulation.Add(TaskSpec::Once([](TaskContext& context) { context.SleepFor(10min); }));
  for (const Duration expected : {7min, 10min, 14min, 21min}) {
    EXPECT_TRUE(simulation.AdvanceToNext());
    EXPECT_EQ(Passed(simulation), expected);
  }
}

TEST(Simulation, AdvanceToNextPassesOverTimersThatWereCalledOff) {
  Simulation simulation;
  simulation.Add(TaskSpec::Once([] {}).WithTimeout(5min));
  simulation.Add(TaskSpec::Once([](TaskContext& context) { context.SleepFor(1h); }));
  EXPECT_TRUE(simulation.AdvanceToNext());
  EXPECT_EQ(Passed(simulation), 1h);
  EXPECT_FALSE(simulation.AdvanceToNext());
  EXPECT_EQ(simulation.handle().Stats().tasks, 0u);
}

TEST(Simulation, APeriodicTaskIsNeverIdle) {
  Simulation simulation;
  simulation.Add(TaskSpec::Periodic("tick", 1min, [] {}));
  EXPECT_FALSE(simulation.RunUntilIdle(1h));
  EXPECT_EQ(Passed(simulation), 1h);
}

TEST(Simulation, ATaskThatWaitsForEverIsIdle) {
  Simulation simulation;
  simulation.Add(TaskSpec::Once([](TaskContext& context) { context.SleepFor(Duration::max()); }));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 0s);
  EXPECT_EQ(simulation.handle().Stats().tasks, 1u);
}

TEST(Simulation, TimeStandsStillWhenAllIsDone) {
  Simulation simulation;
  simulation.Add(TaskSpec::Once([] {}).WithTimeout(30s));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 0s);
}

TEST(Simulation, ATaskThatRepeatsAtOnceDoesNotStopTime) {
  Simulation simulation;
  uint64_t attempts = 0;
  const TaskWaiter pump = simulation.Add(TaskSpec::Restartable("pump", [&] {
                                           ++attempts;
                                         }).WithRestart(RestartPolicy::AlwaysImmediately()));
  EXPECT_FALSE(simulation.RunReady());
  EXPECT_GT(attempts, 1000u);
  simulation.AdvanceBy(1s);
  EXPECT_EQ(Passed(simulation), 1s);
  EXPECT_TRUE(simulation.handle().CancelByName("pump").value());
  EXPECT_EQ(OutcomeOf(pump).kind(), OutcomeKind::kCancelled);
}

TEST(Simulation, ManyTasksAtOnceAreStillOneMoment) {
  Simulation simulation({.keep_events = false, .config = {.max_tasks = 300'000}});
  uint64_t runs = 0;
  std::vector<TaskSpec> batch;
  for (int i = 0; i < 150'000; ++i) batch.push_back(TaskSpec::Once([&] { ++runs; }));
  EXPECT_TRUE(simulation.handle().AddBatch(std::move(batch)).ok());
  EXPECT_TRUE(simulation.RunReady());
  EXPECT_EQ(runs, 150'000u);
  EXPECT_TRUE(simulation.events().empty());
}

TEST(Simulation, ManyTasksAreOneMomentForAWaitToo) {
  constexpr int kTasks = 40'000;
  Simulation simulation({.keep_events = false});
  std::vector<TaskWaiter> waiters;
  for (int i = 0; i < kTasks; ++i) {
    waiters.push_back(simulation.Add(TaskSpec::Once([](TaskContext& context) -> Async<> {
                                       co_await context.RunUntilCancelled(SleepFor(1h));
                                     }).WithDeadline(24h)));
  }
  EXPECT_TRUE(simulation.RunReady());
  EXPECT_TRUE(simulation.Shutdown().ok());
  for (const TaskWaiter& waiter : waiters) ASSERT_TRUE(waiter.Ready());
  EXPECT_EQ(Passed(simulation), 0s);
}

TEST(Simulation, TasksThatComeMeanwhileAreTheSameMoment) {
  Simulation simulation({.keep_events = false});
  int late = 0;
  simulation.Add(TaskSpec::Once([&](TaskContext& parent) {
    for (int i = 0; i < 40'000; ++i) {
      ASSERT_TRUE(parent
                      .Spawn(TaskSpec::Once([&](TaskContext& context) {
                        late += context.Now() == simulation.Start() ? 0 : 1;
                      }))
                      .ok());
    }
  }));
  EXPECT_TRUE(simulation.RunReady());
  EXPECT_EQ(late, 0);
}

TEST(Simulation, HowManyTasksAreAddedBeforeItRunsLosesNoEvent) {
  constexpr size_t kTasks = 40'000;
  Simulation simulation;
  bool begun = false;
  for (size_t i = 0; i < kTasks; ++i) simulation.Add(TaskSpec::Once([&] { begun = true; }));
  EXPECT_FALSE(begun);
  simulation.RunUntilIdle();
  EXPECT_EQ(simulation.handle().Stats().events_lost, 0u);
  EXPECT_EQ(std::count_if(simulation.events().begin(), simulation.events().end(),
                          [](const Event& e) { return e.kind() == EventKind::kTaskAdded; }),
            kTasks);
}

TEST(Simulation, AWaitForSomethingRealTakesAsLongAsItTakes) {
  const Simulation simulation;
  auto real = Supervisor::Create({});
  const SupervisorHandle handle = real->Serve();
  const auto task =
      handle.AddAndWatch(TaskSpec::Once([](TaskContext& context) { context.SleepFor(2500ms); }));
  EXPECT_EQ(task->waiter.Wait()->kind(), OutcomeKind::kCompleted);
}

TEST(Simulation, EventsHaveTheVirtualTime) {
  Simulation simulation;
  simulation.Add(
      TaskSpec::Restartable("job", FailThrice).WithBackoff(BackoffPolicy::Constant(90s)));
  simulation.RunUntilIdle();
  EXPECT_EQ(TimesOf(simulation, EventKind::kTaskFailed, "job"),
            (std::vector<Duration>{0s, 90s, 180s}));
}

TEST(Simulation, TheLogHasALineForEachEvent) {
  Simulation simulation;
  simulation.Add(TaskSpec::Once("job", [](TaskContext& context) { context.SleepFor(90s); }));
  simulation.RunUntilIdle();
  EXPECT_EQ(
      simulation.EventLog(),
      "+0 #1 task_add_requested task=job id=1\n"
      "+0 #2 task_added task=job id=1\n"
      "+0 #3 task_starting task=job id=1 attempt=1\n"
      "+1m30s #4 task_stopped task=job id=1 attempt=1 duration=1m30s queue_wait=0 cause=none\n"
      "+1m30s #5 actor_exhausted task=job id=1 attempt=1 outcome_kind=outcome_completed\n"
      "+1m30s #6 task_removed task=job id=1\n");
}

TEST(Simulation, ABodysValueComesOut) {
  Simulation simulation;
  const Waiter<int> waiter = simulation.Add(TaskSpec::Once([] { return 42; }));
  EXPECT_EQ(waiter.Get().value(), 42);
}

TEST(Simulation, RefusesWhatTheSupervisorRefuses) {
  EXPECT_THROW(Simulation({.config = {.max_tasks = 0}}), std::invalid_argument);
  SupervisorConfig config;
  config.clock = RealClock();
  EXPECT_THROW(Simulation({.config = config}), std::invalid_argument);
  Simulation simulation;
  simulation.Add(TaskSpec::Once("job", [] {}));
  EXPECT_THROW(simulation.Add(TaskSpec::Once("job", [] {})), std::invalid_argument);
  EXPECT_EQ(simulation.handle().Add(TaskSpec::Once("job", [] {})).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST(Simulation, WorkersDoNotDependOnTheMachine) {
  EXPECT_EQ(Simulation().handle().Stats().workers, 4u);
  EXPECT_EQ(Simulation({.config = {.workers = 9}}).handle().Stats().workers, 9u);
}

TEST(SimulationDeathTest, AWaitForWhatCanNeverComeSaysWhoWaits) {
  EXPECT_DEATH(
      {
        Simulation simulation;
        const auto waiter = simulation.Add(TaskSpec::Once(
            "forever", [](TaskContext& context) { context.SleepFor(Duration::max()); }));
        static_cast<void>(waiter.Wait());
      },
      "can never come.*\n.*task forever: ");
}

TEST(SimulationDeathTest, AWaitForWhatDoesNotComeBesideAPeriodicTaskEnds) {
  if (kAddressSanitizer || kThreadSanitizer) GTEST_SKIP() << "minutes of steps";
  EXPECT_DEATH(
      {
        Simulation simulation({.keep_events = false});
        simulation.Add(TaskSpec::Periodic("tick", 1s, [] {}));
        const auto waiter = simulation.Add(TaskSpec::Once(
            "forever", [](TaskContext& context) { context.SleepFor(Duration::max()); }));
        static_cast<void>(waiter.Wait());
      },
      "has not come in twenty million steps");
}

TEST(SimulationDeathTest, ABodyCannotRunItsSimulation) {
  EXPECT_DEATH(
      {
        Simulation simulation;
        simulation.Add(TaskSpec::Once([&] { simulation.RunReady(); }));
        simulation.RunReady();
      },
      "a body runs the simulation that it is in.*handle");
}

}  // namespace
}  // namespace taskvisor::testing
