// I. Management, the way out: Remove and Cancel (95-98).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(ContractManagement, S095_RemoveIsTrueForTheOneThatClaimedTheStop) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  for (int round = 0; round < 50; ++round) {
    const TaskId id = handle.Add(TaskSpec::Once(UntilCancelled)).value();
    std::atomic<int> ready{0};
    std::atomic<int> claims{0};
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
          for (++ready; ready < 4;) std::this_thread::yield();
          if (handle.Remove(id).value()) ++claims;
        });
      }
    }
    ASSERT_EQ(claims, 1);
  }
}

TEST(ContractManagement, S095_RemoveDoesNotWaitAndIsFalseForWhatItDoesNotKnow) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("held", held.Body()));
  ASSERT_TRUE(held.Inside());
  EXPECT_EQ(handle.RemoveByName("held").value(), true);  // returns, and the body is still in
  EXPECT_EQ(handle.RemoveByName("held").value(), false);
  EXPECT_EQ(handle.Remove(task->id).value(), false);
  EXPECT_FALSE(task->waiter.Ready());
  held.LetGo();
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(handle.Remove(task->id).value(), false);
  EXPECT_EQ(handle.RemoveByName("held").value(), false);
  EXPECT_EQ(handle.Remove(TaskId()).value(), false);
  EXPECT_EQ(handle.Remove(TaskId(uint64_t{1} << 60, 1 << 23)).value(), false);
}

TEST(ContractManagement, S096_CancelWaitsUntilTheNameIsFree) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  for (int round = 0; round < 100; ++round) {
    Gate inside;
    std::atomic<bool> returned{false};
    auto body = [&](TaskContext& context) {
      inside.Open();
      static_cast<void>(UntilCancelled(context));
      returned = true;
    };
    const auto id = handle.Add(TaskSpec::Once("once more", body));
    ASSERT_TRUE(id.ok()) << id.status() << " in round " << round;
    ASSERT_TRUE(round % 2 != 0 || inside.Wait());
    ASSERT_EQ(handle.Cancel(*id).value(), true);
    EXPECT_EQ(returned, inside.IsOpen());  // a body that began has returned
    EXPECT_TRUE(handle.List().empty());
  }
}

TEST(ContractManagement, S096_JoinersWaitTooAndGetFalse) {
  Harness harness({.grace = hours(1)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const TaskId id = handle.Add(TaskSpec::Once("held", held.Body())).value();
  ASSERT_TRUE(held.Inside());
  std::atomic<int> trues{0};
  std::atomic<int> answers{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        const auto mine = i == 0 ? handle.CancelByName("held") : handle.Cancel(id);
        if (mine.value()) ++trues;
        ++answers;
      });
    }
    // Each of them has found the task.
    ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoveRequested), 3));
    EXPECT_EQ(answers, 0);
    held.LetGo();
  }
  EXPECT_EQ(trues, 1);
  EXPECT_EQ(answers, 3);
  EXPECT_EQ(handle.Cancel(id).value(), false);  // unknown: at once
  EXPECT_EQ(handle.CancelByName("held").value(), false);
}

TEST(ContractManagement, S097_ATimeLimitEndsTheWaitNotTheStop) {
  Harness harness({.grace = hours(24 * 365)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("slow", held.Body()));
  ASSERT_TRUE(held.Inside());
  absl::Status in_time;
  std::atomic<bool> answered{false};
  std::jthread canceller([&] {
    in_time = handle.CancelWithTimeout(task->id, seconds(2)).status();
    answered = true;
  });
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoveRequested)));
  ASSERT_TRUE(harness.AdvanceUntil([&] { return answered.load(); }, seconds(1)));
  canceller.join();
  EXPECT_EQ(in_time.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ErrorLabel(in_time), "runtime_task_termination_timeout");
  EXPECT_NE(in_time.ToString().find(task->id.ToString()), std::string::npos);
  EXPECT_NE(in_time.ToString().find("2s"), std::string::npos);

  // A limit of nothing, by name: the claim is another's, the answer the same.
  const auto at_once = handle.CancelByNameWithTimeout("slow", Duration::zero());
  EXPECT_EQ(ErrorLabel(at_once.status()), "runtime_task_termination_timeout");

  held.LetGo();  // and the stop that was begun goes on
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(handle.CancelWithTimeout(task->id, seconds(2)).value(), false);
}

TEST(ContractManagement, S098_NamesAreResolvedAndClaimedInProgramOrder) {
  Harness harness({.workers = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once("busy", held.Body())).ok());
  ASSERT_TRUE(held.Inside());  // nothing that is added now can start
  std::atomic<int> bodies{0};
  for (int round = 0; round < 100; ++round) {
    const auto task = handle.AddAndWatch(TaskSpec::Once("named", [&] { ++bodies; }));
    ASSERT_TRUE(task.ok()) << task.status();
    ASSERT_EQ(handle.RemoveByName("named").value(), true);
    ASSERT_EQ(handle.RemoveByName("named").value(), false);
    EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled);
  }
  held.LetGo();
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(bodies, 0);
}

}  // namespace
}  // namespace taskvisor::testing
