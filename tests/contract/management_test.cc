// I. Management, the way in: Add (87-89).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

TEST(ContractManagement, S087_AddMeansRegisteredNotStarted) {
  Harness harness({.workers = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once("first", held.Body())).ok());
  ASSERT_TRUE(held.Inside());  // the one worker is busy

  std::atomic<bool> ran{false};
  const auto second = handle.AddAndWatch(TaskSpec::Once("second", [&] { ran = true; }));
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(handle.List().size(), 2u);
  EXPECT_EQ(handle.List().back().name, "second");
  EXPECT_EQ(handle.List().back().attempt, 0u);
  EXPECT_FALSE(ran);

  held.LetGo();
  EXPECT_EQ(KindOf(second->waiter), OutcomeKind::kCompleted);
  EXPECT_TRUE(ran);
}

TEST(ContractManagement, S087_AddWaitsForRoom) {
  Harness harness({.max_tasks = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto first = handle.Add(TaskSpec::Once("first", held.Body()));
  ASSERT_TRUE(held.Inside());

  std::atomic<bool> answered{false};
  absl::Status second;
  std::jthread adder([&] {
    second = handle.Add(TaskSpec::Once("second", UntilCancelled)).status();
    answered = true;
  });
  // Whatever the adder's thread does meanwhile: there is no room, so no answer.
  EXPECT_EQ(handle.TryAdd(TaskSpec::Once(DoNothing)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(answered);
  held.LetGo();
  adder.join();
  EXPECT_TRUE(second.ok()) << second;
  EXPECT_EQ(handle.CancelByName("second").value(), true);
}

TEST(ContractManagement, S088_ADuplicateNameIsRefusedAndItsBodyNeverRuns) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  ASSERT_TRUE(handle.Add(TaskSpec::Once("taken", UntilCancelled)).ok());
  std::atomic<bool> ran{false};
  const auto again = handle.Add(TaskSpec::Once("taken", [&] { ran = true; }));
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrorLabel(again.status()), "runtime_task_already_exists");
  EXPECT_NE(again.status().ToString().find("taken"), std::string::npos);  // says which name
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_FALSE(ran);
}

TEST(ContractManagement, S088_OfRacingAddsOfOneNameExactlyOneWins) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  constexpr int kThreads = 4;
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> ready{0};
    std::atomic<int> registered{0};
    std::atomic<int> refused{0};
    std::atomic<int> bodies{0};
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
          auto body = [&](TaskContext& context) { return ++bodies, UntilCancelled(context); };
          TaskSpec spec = TaskSpec::Once("storm", body);
          for (++ready; ready < kThreads;) std::this_thread::yield();
          const auto added = handle.Add(std::move(spec));
          if (added.ok()) ++registered;
          if (added.status().code() == absl::StatusCode::kAlreadyExists) ++refused;
        });
      }
    }
    EXPECT_EQ(registered, 1);
    EXPECT_EQ(refused, kThreads - 1);
    ASSERT_EQ(handle.CancelByName("storm").value(), true);
    EXPECT_LE(bodies, 1);
  }
}

TEST(ContractManagement, S089_AddsAfterTheShutdownBeganAnswerShuttingDown) {
  Harness harness({.grace = std::chrono::hours(1)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  handle.RequestShutdown();  // and it is not over: a body is still in
  const absl::Status answers[] = {
      handle.Add(TaskSpec::Once(DoNothing)).status(),
      handle.TryAdd(TaskSpec::Once(DoNothing)).status(),
      handle.AddAndWatch(TaskSpec::Once(DoNothing)).status(),
      handle.TryAddAndWatch(TaskSpec::Once(DoNothing)).status(),
      handle.AddBatch(Batch(TaskSpec::Once(DoNothing))).status(),
  };
  for (const absl::Status& answer : answers) {
    EXPECT_EQ(answer.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ErrorLabel(answer), "runtime_shutting_down");
  }
  held.LetGo();
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(handle.Add(TaskSpec::Once(DoNothing)).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace taskvisor::testing
