// Cancellation, grace and shutdown in virtual time.

#include <cstdlib>
#include <memory>

#include "taskvisor/async.h"
#include "tests/simulation/simulated.h"

namespace taskvisor::testing {
namespace {

void SleepADay(TaskContext& context) { context.SleepFor(24h); }

TEST(SimulatedStop, CancelEndsASleepAtOnce) {
  Simulation simulation;
  const TaskWaiter plain = simulation.Add(TaskSpec::Once("plain", SleepADay));
  const TaskWaiter coroutine =
      simulation.Add(TaskSpec::Once("coroutine", []() -> Async<> { co_await SleepFor(24h); }));
  simulation.AdvanceBy(1h);
  EXPECT_TRUE(simulation.handle().Cancel(plain.id()).value());
  EXPECT_TRUE(simulation.handle().Cancel(coroutine.id()).value());
  EXPECT_EQ(Passed(simulation), 1h);
  EXPECT_EQ(OutcomeOf(plain).cause(), CancelCause::kCancelled);
  EXPECT_EQ(OutcomeOf(coroutine).cause(), CancelCause::kCancelled);
}

TEST(SimulatedStop, CancelWaitsForADeafBody) {
  Simulation simulation;
  const TaskWaiter waiter = simulation.Add(TaskSpec::Once(DeafBody(simulation, 30s)));
  simulation.RunReady();
  EXPECT_TRUE(simulation.handle().Cancel(waiter.id()).value());
  EXPECT_EQ(Passed(simulation), 30s);
}

TEST(SimulatedStop, CancelWithTimeoutGivesUpInTime) {
  Simulation simulation;
  const TaskWaiter waiter = simulation.Add(TaskSpec::Once(DeafBody(simulation, 30s)));
  simulation.RunReady();
  const auto cancelled = simulation.handle().CancelWithTimeout(waiter.id(), 5s);
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Passed(simulation), 5s);
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 30s);
}

TEST(SimulatedStop, GraceEndsInStuckAndTheBodyReturnsLater) {
  Simulation simulation({.config = {.grace = 1min}});
  const TaskWaiter waiter = simulation.Add(TaskSpec::Once("deaf", DeafBody(simulation, 1h)));
  simulation.RunReady();
  EXPECT_EQ(simulation.handle().Cancel(waiter.id()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Passed(simulation), 1min);
  EXPECT_EQ(OutcomeOf(waiter).kind(), OutcomeKind::kStuck);
  EXPECT_FALSE(waiter.IsDrained());
  EXPECT_TRUE(waiter.Drained().ok());
  EXPECT_EQ(Passed(simulation), 1h);
}

TEST(SimulatedStop, ShutdownEndsSleepsAtOnce) {
  Simulation simulation;
  for (int i = 0; i < 3; ++i) simulation.Add(TaskSpec::Once(SleepADay));
  simulation.RunReady();
  EXPECT_TRUE(simulation.Shutdown().ok());
  EXPECT_EQ(Passed(simulation), 0s);
  EXPECT_EQ(simulation.handle().TryAdd(TaskSpec::Once([] {})).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(SimulatedStop, ShutdownWaitsForGraceAndNamesWhoIsStuck) {
  Simulation simulation({.config = {.grace = 90s}});
  const TaskWaiter deaf = simulation.Add(TaskSpec::Once("deaf", DeafBody(simulation, 1h)));
  simulation.Add(TaskSpec::Once("good", SleepADay));
  simulation.RunReady();
  const absl::Status status = simulation.Shutdown();
  EXPECT_EQ(Passed(simulation), 90s);
  const auto exceeded = GraceExceeded::From(status);
  ASSERT_TRUE(exceeded.has_value()) << status;
  ASSERT_EQ(exceeded->stuck.size(), 1u);
  EXPECT_EQ(exceeded->stuck[0].name, "deaf");
  EXPECT_EQ(exceeded->stuck[0].running_for, Duration(90s));
  EXPECT_EQ(exceeded->stuck[0].stack, "(no stack: in a simulation)");
  EXPECT_EQ(OutcomeOf(deaf).kind(), OutcomeKind::kStuck);
}

TEST(SimulatedStop, ABodyBeginsTheShutdown) {
  Simulation simulation;
  simulation.Add(TaskSpec::Periodic("tick", 1min, SleepADay));
  simulation.Add(TaskSpec::Once([handle = simulation.handle()](TaskContext& context) {
    context.SleepFor(10min);
    handle.RequestShutdown();
  }));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 10min);
  EXPECT_TRUE(simulation.Shutdown().ok());
}

TEST(SimulatedStop, TheEndOfASimulationEndsItsTasks) {
  TaskWaiter waiter;
  TaskWaiter ready;
  const auto alive = std::make_shared<int>(0);
  {
    Simulation simulation;
    waiter = simulation.Add(TaskSpec::Once([alive](TaskContext& context) { SleepADay(context); }));
    simulation.RunReady();
    ready = simulation.Add(TaskSpec::Once([alive] {}));
  }
  EXPECT_EQ(OutcomeOf(waiter).kind(), OutcomeKind::kCancelled);
  EXPECT_TRUE(ready.Ready());  // Cancelled, or Completed: the shutdown and a worker raced
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(SimulatedStop, ABodyThatNeverReturnsIsLeakedAndTold) {
  TaskWaiter waiter;
  ::testing::internal::CaptureStderr();
  {
    Simulation simulation;
    waiter = simulation.Add(TaskSpec::Once("deaf", DeafBody(simulation, Duration::max())));
    simulation.RunReady();
  }
  EXPECT_EQ(OutcomeOf(waiter).kind(), OutcomeKind::kStuck);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("and leaks: "), std::string::npos);
}

// Its callback never returns.
class DeafSubscriber : public Subscriber {
 public:
  void OnEvent(const Event&) override { DeafSleep(clock, Duration::max()); }
  std::shared_ptr<Clock> clock;
};

TEST(SimulatedStop, ASubscriberThatNeverReturnsIsCutOff) {
  const auto deaf = std::make_shared<DeafSubscriber>();
  Simulation simulation({.config = {.subscriber_drain = 10min, .subscribers = {deaf}}});
  deaf->clock = simulation.clock();
  const TaskWaiter waiter = simulation.Add(TaskSpec::Once([] {}));
  simulation.RunReady();
  simulation.Shutdown().IgnoreError();
  EXPECT_EQ(Passed(simulation), 10min);
  EXPECT_EQ(OutcomeOf(waiter).kind(), OutcomeKind::kCompleted);
}

TEST(SimulatedStop, WhoYieldsSeesItsTimeout) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Simulation simulation({.seed = seed});
    for (int i = 0; i < 3; ++i) {
      simulation.Add(TaskSpec::Once([](TaskContext& context) -> Async<> {
                       while (!context.Cancelled()) co_await Yield();
                     }).WithTimeout(1s));
    }
    for (int i = 0; i < 10; ++i) simulation.AdvanceBy(1s);
    EXPECT_EQ(simulation.handle().Stats().tasks, 0u) << seed;
  }
}

TEST(SimulatedStop, WhoYieldsForEverIsStuck) {
  ::testing::internal::CaptureStderr();
  TaskWaiter waiter;
  {
    Simulation simulation({.config = {.grace = 1s}});
    waiter = simulation.Add(TaskSpec::Once([]() -> Async<> {
      while (true) co_await Yield();
    }));
    EXPECT_FALSE(simulation.RunReady());
    EXPECT_TRUE(GraceExceeded::From(simulation.Shutdown()).has_value());
    EXPECT_EQ(Passed(simulation), 1s);
  }
  EXPECT_EQ(OutcomeOf(waiter).kind(), OutcomeKind::kStuck);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("and leaks: "), std::string::npos);
}

TEST(SimulatedStop, AHandleOutlivesItsSimulation) {
  auto simulation = std::make_unique<Simulation>();
  const SupervisorHandle handle = simulation->handle();
  simulation.reset();
  EXPECT_EQ(handle.Add(TaskSpec::Once([] {})).status().code(), absl::StatusCode::kUnavailable);
}

TEST(SimulatedStop, OnCancelRunsWhereItIsCancelled) {
  Simulation simulation;
  std::string told;
  const TaskWaiter waiter = simulation.Add(TaskSpec::Once([&](TaskContext& context) {
    const auto tell = context.OnCancel([&] { told += "told "; });
    context.SleepFor(24h);
    told += "back";
  }));
  simulation.RunReady();
  EXPECT_TRUE(simulation.handle().Remove(waiter.id()).value());
  EXPECT_EQ(told, "told ");
  simulation.RunReady();
  EXPECT_EQ(told, "told back");
}

// What a suite keeps between its tests.
struct AtExit {
  ~AtExit() {
    simulation->AdvanceBy(1h);
    const bool good = simulation->Shutdown().ok() && waiter.Ready();
    simulation.reset();
    std::_Exit(good ? 7 : 1);
  }
  std::unique_ptr<Simulation> simulation = std::make_unique<Simulation>();
  TaskWaiter waiter = simulation->Add(TaskSpec::Once(SleepADay));
};

TEST(SimulatedStopDeathTest, AStaticSimulationOutlivesItsThreadsOwnThings) {
  EXPECT_EXIT(
      {
        static const AtExit at_exit;
        at_exit.simulation->RunReady();
        std::exit(0);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace taskvisor::testing
