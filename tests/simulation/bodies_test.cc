// What bodies and subscribers may do in a simulation: wait in all ways that there are.

#include <atomic>
#include <stdexcept>

#include "taskvisor/async.h"
#include "taskvisor/completion.h"
#include "taskvisor/when.h"
#include "tests/simulation/simulated.h"

namespace taskvisor::testing {
namespace {

void Sleep(TaskContext& context) { context.SleepFor(1h); }

TEST(SimulatedBodies, OneThatWaitsHoldsUpNobodyElse) {
  Simulation simulation({.config = {.workers = 2}});
  simulation.Add(TaskSpec::Once("sleeper", Sleep));
  simulation.Add(TaskSpec::Periodic("tick", 1min, [] {}));
  simulation.AdvanceBy(2h);
  EXPECT_EQ(TimesOf(simulation, EventKind::kTaskStarting, "tick").size(), 121u);
}

TEST(SimulatedBodies, OneThatWaitsKeepsItsWorker) {
  Simulation simulation({.config = {.workers = 1}});
  simulation.Add(TaskSpec::Once("a", Sleep));
  simulation.Add(TaskSpec::Once("b", Sleep));
  simulation.RunReady();
  const auto first = TimesOf(simulation, EventKind::kTaskStarting, "a").size();
  EXPECT_EQ(first + TimesOf(simulation, EventKind::kTaskStarting, "b").size(), 1u);
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 2h);
}

TEST(SimulatedBodies, ACoroutineThatWaitsKeepsNone) {
  Simulation simulation({.config = {.workers = 1}});
  for (int i = 0; i < 100; ++i) {
    simulation.Add(TaskSpec::Once([]() -> Async<> { co_await SleepFor(1h); }));
  }
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 1h);
}

TEST(SimulatedBodies, ASleepInACatchBlockKeepsItsException) {
  Simulation simulation;
  std::string seen;
  for (const char* const name : {"a", "b", "c"}) {
    simulation.Add(TaskSpec::Once(name, [&](TaskContext& context) {
      try {
        throw std::runtime_error(std::string(context.name()));
      } catch (const std::exception& error) {
        context.SleepFor(context.name() == "b" ? 1h : 2h);
        seen += error.what();
        throw;
      }
    }));
  }
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_TRUE(seen == "bac" || seen == "bca") << seen;
  for (const Event& event : simulation.events()) {
    if (event.kind() != EventKind::kTaskFailed) continue;
    EXPECT_EQ(event.reason(), "task panicked: " + std::string(event.task()));
  }
}

TEST(SimulatedBodies, OneSignalsAnother) {
  Simulation simulation;
  const Signal filled;
  int jobs = 0;
  std::vector<Duration> taken;
  simulation.Add(TaskSpec::Once("consumer", [&](TaskContext& context) {
    while (context.WaitFor(
        filled, [&] { return jobs > 0; }, 25min)) {
      --jobs;
      taken.push_back(context.Now() - simulation.Start());
    }
  }));
  simulation.Add(TaskSpec::Once("producer", [&](TaskContext& context) {
    for (int i = 0; i < 3 && context.SleepFor(20min); ++i) {
      ++jobs;
      filled.Notify();
    }
  }));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(taken, (std::vector<Duration>{20min, 40min, 60min}));
  EXPECT_EQ(Passed(simulation), 85min);
}

TEST(SimulatedBodies, TheTestSetsACompletion) {
  Simulation simulation;
  const Completion<int> reply;
  const Waiter<int> waiter =
      simulation.Add(TaskSpec::Once([reply]() -> Async<int> { co_return co_await reply + 1; }));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_FALSE(waiter.Ready());
  reply.Set(41);
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(waiter.Get().value(), 42);
}

TEST(SimulatedBodies, ABodyWaitsForAnother) {
  Simulation simulation;
  const TaskWaiter slow = simulation.Add(TaskSpec::Once("slow", Sleep));
  const TaskWaiter after = simulation.Add(TaskSpec::Once("after", [slow]() -> Async<TaskResult> {
    const auto outcome = co_await slow;
    co_return outcome.ok() ? Ok() : Fail("no outcome");
  }));
  EXPECT_EQ(after.Wait()->kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(Passed(simulation), 1h);
}

TEST(SimulatedBodies, AWorkerThatWaitsForAnotherIsRefusedAsEver) {
  Simulation simulation;
  const TaskWaiter slow = simulation.Add(TaskSpec::Once("slow", Sleep));
  absl::Status answered;
  simulation.Add(TaskSpec::Once("after", [&] { answered = slow.Wait().status(); }));
  simulation.RunUntilIdle();
  EXPECT_EQ(answered.code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SimulatedBodies, WhenAnyCancelsTheOthers) {
  Simulation simulation;
  std::vector<TaskWaiter> waiters;
  for (const Duration duration : {Duration(3h), Duration(1h), Duration(2h)}) {
    waiters.push_back(
        simulation.Add(TaskSpec::Once([=](TaskContext& context) { context.SleepFor(duration); })));
  }
  EXPECT_EQ(WhenAny(simulation.handle(), waiters).value(), 1u);
  EXPECT_EQ(Passed(simulation), 1h);
  EXPECT_EQ(OutcomeOf(waiters[0]).kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(WhenAll(waiters).size(), 3u);
}

TEST(SimulatedBodies, PermitsLimitThem) {
  Simulation simulation({.config = {.workers = 8, .max_concurrent = 2}});
  int now = 0;
  int most = 0;
  for (int i = 0; i < 10; ++i) {
    simulation.Add(TaskSpec::Once([&](TaskContext& context) {
      most = std::max(most, ++now);
      context.SleepFor(1h);
      --now;
    }));
  }
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(most, 2);
  EXPECT_EQ(Passed(simulation), 5h);
  EXPECT_EQ(simulation.handle().Stats().permits, 2);
}

TEST(SimulatedBodies, ATimeoutEndsASleep) {
  Simulation simulation;
  const auto waiter = simulation.Add(TaskSpec::Once("late", Sleep).WithTimeout(10min));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(OutcomeOf(waiter).kind(), OutcomeKind::kFailed);
  EXPECT_EQ(TimesOf(simulation, EventKind::kTimeoutHit, "late"), (std::vector<Duration>{10min}));
  EXPECT_EQ(Passed(simulation), 10min);
}

TEST(SimulatedBodies, ADeadlineEndsAllAttempts) {
  Simulation simulation;
  const auto waiter = simulation.Add(TaskSpec::Restartable("doomed", [] { return Fail("no"); })
                                         .WithBackoff(BackoffPolicy::Constant(1h))
                                         .WithDeadline(150min));
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(Passed(simulation), 150min);
  EXPECT_EQ(OutcomeOf(waiter).attempts(), 3u);
  EXPECT_EQ(OutcomeOf(waiter).cause(), CancelCause::kDeadline);
}

TEST(SimulatedBodies, AMissedHeartbeatIsToldInVirtualTime) {
  Simulation simulation;
  simulation.Add(TaskSpec::Once("silent", [&](TaskContext& context) {
                   DeafSleep(simulation.clock(), 1h);
                   context.Beat();
                   DeafSleep(simulation.clock(), 1min);
                 }).WithHeartbeat(10min));
  EXPECT_TRUE(simulation.RunUntilIdle());
  const auto stuck = TimesOf(simulation, EventKind::kTaskStuck, "silent");
  ASSERT_EQ(stuck.size(), 1u);
  EXPECT_GE(stuck[0], 10min);
  EXPECT_LE(stuck[0], 12min + 30s);
  EXPECT_EQ(TimesOf(simulation, EventKind::kTaskRecovered, "silent").size(), 1u);
}

TEST(SimulatedBodies, AScopeSleepsInVirtualTime) {
  Simulation simulation;
  bool slept = true;
  const TaskWaiter waiter = simulation.Add(TaskSpec::Once([&](TaskContext& context) {
    const CancelScope scope = context.Child();
    EXPECT_TRUE(scope.SleepFor(1h));
    slept = scope.SleepFor(24h);
  }));
  simulation.AdvanceBy(2h);
  EXPECT_TRUE(simulation.handle().Cancel(waiter.id()).value());
  EXPECT_FALSE(slept);
  EXPECT_EQ(Passed(simulation), 2h);
}

TEST(SimulatedBodies, CpuTimeIsNothing) {
  Simulation simulation;
  const auto waiter = simulation.Add(TaskSpec::Once(Sleep).WithCpuTime());
  EXPECT_TRUE(simulation.RunUntilIdle());
  EXPECT_EQ(OutcomeOf(waiter).cpu_time(), Duration::zero());
  EXPECT_EQ(OutcomeOf(waiter).run_time(), Duration(1h));
}

// Takes a minute for each event.
class SlowSubscriber : public Subscriber {
 public:
  void OnEvent(const Event&) override {
    if (clock != nullptr) DeafSleep(clock, 1min);
    ++delivered;
  }
  [[nodiscard]] size_t QueueCapacity() const override { return 4; }

  std::shared_ptr<Clock> clock;
  uint64_t delivered = 0;
};

TEST(SimulatedSubscribers, OneThatIsSlowLosesAndSaysSo) {
  const auto slow = std::make_shared<SlowSubscriber>();
  Simulation simulation({.config = {.subscriber_drain = 1h, .subscribers = {slow}}});
  slow->clock = simulation.clock();
  for (int i = 0; i < 5; ++i) simulation.Add(TaskSpec::Once([] {}));
  simulation.AdvanceBy(1h);
  EXPECT_TRUE(simulation.Shutdown().ok());
  const SubscriberStats stats = simulation.handle().SubscriberStats().at(0);
  EXPECT_GT(stats.dropped, 0u);
  EXPECT_EQ(stats.offered, stats.delivered + stats.dropped);
  EXPECT_EQ(slow->delivered, stats.delivered);
}

TEST(SimulatedSubscribers, AllThatIsPublishedIsDelivered) {
  const auto quick = std::make_shared<SlowSubscriber>();
  const auto second = std::make_shared<SlowSubscriber>();
  Simulation simulation({.config = {.subscribers = {quick, second}}});
  for (int i = 0; i < 50; ++i) {
    simulation.Add(TaskSpec::Once([] {}));
    simulation.RunReady();
  }
  EXPECT_TRUE(simulation.Shutdown().ok());
  EXPECT_EQ(quick->delivered + simulation.handle().SubscriberStats().at(0).dropped,
            simulation.events().size());
  EXPECT_EQ(simulation.events().size(), simulation.handle().Stats().events_published);
}

// Uses some 4 KiB of stack a level.
[[gnu::noinline]] int Descend(int levels) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(levels);
  return levels == 0 ? 0 : Descend(levels - 1) + frame[0] * 0 + 1;
}

TEST(SimulatedBodies, HasTheStackOfAThread) {
  Simulation simulation;
  int levels = 0;
  simulation.Add(TaskSpec::Once([&] { levels = Descend(1000); }));
  simulation.RunReady();
  EXPECT_EQ(levels, 1000);
}

}  // namespace
}  // namespace taskvisor::testing
