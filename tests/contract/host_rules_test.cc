// Q. The rules where C++ differs: workers and clocks (D10, D11).

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/contract/served.h"
#include "tests/support/bodies.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;

// Every blocking call, as a body could make it.
std::vector<absl::Status> BlockingCalls(Supervisor& supervisor, const SupervisorHandle& handle,
                                        TaskId self, const TaskWaiter& pending) {
  return {handle.Cancel(self).status(),
          handle.CancelByName("self").status(),
          handle.CancelWithTimeout(self, hours(1)).status(),
          handle.CancelByNameWithTimeout("self", hours(1)).status(),
          handle.Shutdown(),
          supervisor.Shutdown(),
          supervisor.Run(TaskSpec::Once(DoNothing)),
          pending.Wait().status(),
          pending.WaitFor(hours(1)).status(),
          pending.Drained(),
          pending.DrainedFor(hours(1)),
          handle.Add(TaskSpec::Once(DoNothing)).status()};  // full: it would wait
}

TEST(ContractRules, D10_ABlockingCallOnAWorkerSaysSoInsteadOfHanging) {
  SupervisorConfig config{.workers = 2};
  config.max_tasks = 2;
  Served served(config);
  const WatchedTask pending = served.Watch(TaskSpec::Periodic(hours(1), DoNothing));
  std::vector<absl::Status> answers;
  std::vector<absl::Status> in_a_loop(8);
  auto body = [&](TaskContext& context) {
    answers = BlockingCalls(*served.supervisor, served.handle, context.id(), pending.waiter);
    const auto ask = [&](size_t i) { in_a_loop[i] = served.handle.Shutdown(); };
    if (kThreadSanitizer) {  // see TbbTest
      for (size_t i = 0; i < in_a_loop.size(); ++i) ask(i);
    } else {
      oneapi::tbb::parallel_for(size_t{0}, in_a_loop.size(), ask);
    }
  };
  EXPECT_EQ(Served::Outcome(served.Watch(TaskSpec::Once("self", body))).kind(),
            OutcomeKind::kCompleted);
  ASSERT_EQ(answers.size(), 12u);
  answers.insert(answers.end(), in_a_loop.begin(), in_a_loop.end());
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].code(), absl::StatusCode::kFailedPrecondition) << i << " " << answers[i];
    EXPECT_EQ(ErrorLabel(answers[i]), "runtime_would_deadlock") << i;
  }
  // None of them did anything.
  EXPECT_FALSE(served.handle.shutdown_trigger().has_value());
  EXPECT_FALSE(pending.waiter.Ready());
  EXPECT_TRUE(served.handle.Cancel(pending.id).value());
  EXPECT_TRUE(served.supervisor->Run(TaskSpec::Once(DoNothing)).ok());  // not used up
}

TEST(ContractRules, D10_WhatNeedNotBlockWorksOnAWorker) {
  Served served;
  const WatchedTask done = served.Watch(TaskSpec::Once(DoNothing));
  ASSERT_EQ(Served::Outcome(done).kind(), OutcomeKind::kCompleted);
  absl::Status added;
  bool removed = false;
  bool waited = false;
  auto body = [&](TaskContext& context) {
    added = served.handle.Add(TaskSpec::Once("child", UntilCancelled)).status();
    waited = done.waiter.Wait().ok() && done.waiter.Drained().ok();  // there already
    removed = served.handle.Remove(context.id()).value();
    static_cast<void>(served.handle.List());
    served.handle.RequestShutdown();
  };
  EXPECT_EQ(Served::Outcome(served.Watch(TaskSpec::Once(body))).kind(), OutcomeKind::kCancelled);
  EXPECT_TRUE(added.ok()) << added;
  EXPECT_TRUE(waited);
  EXPECT_TRUE(removed);
  EXPECT_TRUE(served.handle.Shutdown().ok());
}

TEST(ContractRules, D10_AWorkerOfAnotherSupervisorMayWait) {
  Served one;
  Served other;
  absl::StatusOr<TaskOutcome> outcome = absl::UnknownError("");
  auto body = [&] { outcome = other.Watch(TaskSpec::Once(DoNothing)).waiter.Wait(); };
  EXPECT_EQ(Served::Outcome(one.Watch(TaskSpec::Once(body))).kind(), OutcomeKind::kCompleted);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
}

TEST(ContractRules, D11_AllTimeIsTheInjectedClocks) {
  Served served;
  HeldBody held;
  const TimePoint start = served.clock->Now();
  TimePoint seen_now;
  TimePoint seen_deadline;
  auto body = [&, hold = held.Body()](TaskContext& context) mutable {
    seen_now = context.Now();
    seen_deadline = context.Deadline();
    hold(context);
  };
  const WatchedTask task = served.Watch(TaskSpec::Once(body).WithTimeout(hours(100)));
  ASSERT_TRUE(held.Inside());
  served.Advance(hours(99));
  held.LetGo();
  EXPECT_EQ(Served::Outcome(task).kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(seen_now, start);
  EXPECT_EQ(seen_deadline, start + hours(100));
  const Event stopped = served.Await(EventKind::kTaskStopped, task);
  EXPECT_EQ(stopped.duration(), hours(99));
  EXPECT_EQ(stopped.at() - served.Await(EventKind::kTaskStarting, task).at(), hours(99));
  // The wall clock stamps, and does nothing else.
  EXPECT_EQ(stopped.at(), served.clock->WallAt(start + hours(99)));
}

TEST(ContractRules, D11_LimitsOfWaitsAreTheClocksToo) {
  Served served;
  const WatchedTask task = served.Watch(TaskSpec::Once(UntilCancelled));
  std::atomic<bool> over{false};
  absl::Status result;
  std::jthread waiter([&] {
    result = task.waiter.WaitFor(hours(1000)).status();
    over = true;
  });
  EXPECT_TRUE(served.AdvanceUntil([&] { return over.load(); }, hours(1)));
  waiter.join();
  EXPECT_EQ(ErrorLabel(result), "runtime_wait_timeout");
  EXPECT_FALSE(task.waiter.Ready());
}

}  // namespace
}  // namespace taskvisor::testing
