// Q. The rules where C++ differs: bodies and workers (D1-D4).

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "supervisor/runtime.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TaskResult PlainFunction(TaskContext& context) {
  return context.attempt() == 1 ? Ok() : Fail("again");
}

TEST(ContractRules, D01_OneSpecTakesEveryKindOfSynchronousBody) {
  Served served;
  const auto kind_of = [&](auto body) {
    return Served::Outcome(served.Watch(TaskSpec::Once(std::move(body)))).kind();
  };
  EXPECT_EQ(kind_of([] {}), OutcomeKind::kCompleted);
  EXPECT_EQ(kind_of([](TaskContext&) {}), OutcomeKind::kCompleted);
  EXPECT_EQ(kind_of([] { return Fatal("f"); }), OutcomeKind::kFatal);
  EXPECT_EQ(kind_of([](TaskContext&) { return Fail("f"); }), OutcomeKind::kFailed);
  EXPECT_EQ(kind_of([] { return absl::OkStatus(); }), OutcomeKind::kCompleted);
  EXPECT_EQ(kind_of([](TaskContext&) { return absl::CancelledError(); }), OutcomeKind::kCancelled);
  EXPECT_EQ(kind_of([] { return absl::DataLossError("d"); }), OutcomeKind::kFailed);
  EXPECT_EQ(kind_of(&PlainFunction), OutcomeKind::kCompleted);
  EXPECT_EQ(kind_of(std::function<void()>([] {})), OutcomeKind::kCompleted);
  EXPECT_EQ(kind_of([only = std::make_unique<int>(1)] { return only ? Ok() : Fail("gone"); }),
            OutcomeKind::kCompleted);
  EXPECT_EQ(kind_of([calls = 0]() mutable { return ++calls == 1 ? Ok() : Fail("shared"); }),
            OutcomeKind::kCompleted);

  static_assert(!TaskCallable<int>);
  static_assert(!TaskCallable<void (*)(int)>);  // nobody brings the int
  // 3 is not success or failure but a value, for a Waiter<int>.
  static_assert(std::is_same_v<SpecFor<int (*)()>, TypedSpec<int>>);
  static_assert(std::is_same_v<SpecFor<std::string (*)(TaskContext&)>, TypedSpec<std::string>>);
  static_assert(!std::is_copy_constructible_v<TaskSpec>);  // a spec owns its body
}

TEST(ContractRules, D02_TasksAtRestCostNoWorker) {
  SupervisorConfig config{.workers = 1};
  config.bus_capacity = 1 << 12;
  Served served(config);
  constexpr int kTasks = 200;
  std::atomic<int> ran{0};
  for (int i = 0; i < kTasks; ++i) {
    served.Watch(TaskSpec::Periodic(hours(1), [&] { ++ran; }));
  }
  ASSERT_TRUE(Eventually([&] { return ran == kTasks; }));  // each has had its turn
  served.LetOthersRun();                                   // the one worker is free
  served.Advance(hours(1));
  EXPECT_TRUE(Eventually([&] { return ran == 2 * kTasks; }));
  EXPECT_EQ(served.handle.Stats().tasks, static_cast<uint64_t>(kTasks));
}

// Something for the pool that is no task.
class Probe final : public internal::Runnable {
 public:
  void Run(internal::Seat&) noexcept override { ran_.Open(); }
  [[nodiscard]] bool Ran() { return ran_.Wait(); }

 private:
  Gate ran_;
};

TEST(ContractRules, D02_TasksThatWaitForAPermitCostNoWorker) {
  Probe probe;
  SupervisorConfig config{.workers = 2};
  config.max_concurrent = 1;
  Served served(config);
  HeldBody held;
  served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  std::vector<WatchedTask> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(served.Watch(TaskSpec::Once(DoNothing)));
  // All 20 have met the limit, and the second worker is free.
  ASSERT_TRUE(Eventually([&] { return served.handle.Stats().permits == -20; }));
  internal::RuntimeAccess::Of(*served.supervisor).pool().Submit(probe);
  EXPECT_TRUE(probe.Ran());
  held.LetGo();
  for (const WatchedTask& task : waiting) {
    EXPECT_EQ(Served::Outcome(task).kind(), OutcomeKind::kCompleted);
  }
}

TEST(ContractRules, D03_AQueuedTaskNeverStarts) {
  Served served(SupervisorConfig{.workers = 1});
  HeldBody held;
  served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  std::atomic<bool> ran{false};
  const WatchedTask queued = served.Watch(TaskSpec::Once([&] { ran = true; }));
  EXPECT_TRUE(served.handle.Cancel(queued.id).value());  // at once: no worker is needed
  EXPECT_EQ(Served::Outcome(queued).attempts(), 0u);
  held.LetGo();
  served.LetOthersRun();
  EXPECT_FALSE(ran);
}

TEST(ContractRules, D03_ARunningBodyIsAskedAndWaitedFor) {
  Served served;
  HeldBody held;
  std::atomic<bool> asked{false};
  auto body = [&, hold = held.Body()](TaskContext& context) mutable {
    hold(context);
    asked = context.Cancelled();
  };
  const WatchedTask running = served.Watch(TaskSpec::Once(body));
  ASSERT_TRUE(held.Inside());
  EXPECT_TRUE(served.handle.Remove(running.id).value());
  EXPECT_FALSE(running.waiter.Ready());
  held.LetGo();
  EXPECT_EQ(Served::Outcome(running).kind(), OutcomeKind::kCancelled);
  EXPECT_TRUE(asked);
}

class ContractRulesTbb : public TbbTest {};

TEST_F(ContractRulesTbb, D03_TheNestedLoopOfARunningBodyIsCancelled) {
  Served served;
  Gate looping;
  const WatchedTask nested = served.Watch(TaskSpec::Once([&] {
    const auto step = [&](int) {  // it never looks
      looping.Open();
      std::this_thread::yield();
    };
    oneapi::tbb::parallel_for(0, 1 << 30, step, oneapi::tbb::simple_partitioner());
  }));
  ASSERT_TRUE(looping.Wait());
  EXPECT_TRUE(served.handle.Cancel(nested.id).value());
}

TEST(ContractRules, D04_AtGraceTheOutcomeIsStuckAndEverythingStaysReserved) {
  SupervisorConfig config{.workers = 2, .grace = seconds(1)};
  config.max_concurrent = 1;
  config.max_tasks = 2;
  Served served(config);
  HeldBody held;
  const WatchedTask stuck = served.Watch(TaskSpec::Once("zombie", held.Body()));
  ASSERT_TRUE(held.Inside());
  const WatchedTask next = served.Watch(TaskSpec::Once("next", DoNothing));
  ASSERT_TRUE(served.handle.Remove(stuck.id).value());
  served.Advance(seconds(1));
  EXPECT_EQ(Served::Outcome(stuck).kind(), OutcomeKind::kStuck);
  EXPECT_FALSE(stuck.waiter.IsDrained());
  EXPECT_EQ(served.PhaseOf(stuck), TaskPhase::kStuck);
  EXPECT_EQ(served.handle.TryAdd(TaskSpec::Once(DoNothing)).status().code(),
            absl::StatusCode::kResourceExhausted);              // its room
  EXPECT_EQ(served.Count(EventKind::kTaskStarting, next), 0u);  // its permit
  EXPECT_EQ(served.Count(EventKind::kTaskRemoved, stuck), 0u);  // its name
  held.LetGo();
  EXPECT_TRUE(stuck.waiter.Drained().ok());
  EXPECT_EQ(Served::Outcome(next).kind(), OutcomeKind::kCompleted);
  served.Await(EventKind::kTaskRemoved, stuck);
}

}  // namespace
}  // namespace taskvisor::testing
