// The n-th allocation inside a Spawn fails, for each n: no child has come, and the attempt goes on.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "taskvisor/async.h"
#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"
#include "tests/support/failing_memory.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using From = FailingMemory::From;

// What a fresh supervisor answers to a Spawn whose n-th allocation fails; nothing: there were
// fewer.
struct Answer {
  absl::Status status;
  bool failed = false;
};
Answer SpawnFailing(uint64_t n, From from, TaskSpec (*child)(std::atomic<int>& ran)) {
  Answer answer;
  std::atomic<int> ran{0};
  auto supervisor = Supervisor::Create({.workers = 2});
  const SupervisorHandle handle = supervisor->Serve();
  const auto parent = handle.AddAndWatch(TaskSpec::Once([&](TaskContext& context) {
    TaskSpec spec = child(ran);
    {
      const FailingMemory memory(n, from);
      answer.status = context.Spawn(std::move(spec)).status();
      answer.failed = memory.failures() > 0;
    }
    EXPECT_FALSE(context.Cancelled());
    EXPECT_TRUE(context.Spawn(child(ran)).ok()) << "the next one is a success";
  }));
  EXPECT_TRUE(parent.ok());
  EXPECT_EQ(KindOf(parent->waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(ran, answer.status.ok() ? 2 : 1);
  EXPECT_TRUE(Eventually([&] { return handle.Stats().tasks == 0; }));
  EXPECT_TRUE(handle.Shutdown().ok());
  return answer;
}

void FailEach(TaskSpec (*child)(std::atomic<int>& ran)) {
  uint64_t refused = 0;
  for (const From from : {From::kOnce, From::kOnwards}) {
    for (uint64_t n = 1; !::testing::Test::HasFailure(); ++n) {
      SCOPED_TRACE("allocation " + std::to_string(n) + (from == From::kOnce ? "" : " and later"));
      const Answer answer = SpawnFailing(n, from, child);
      if (!answer.failed) break;
      if (answer.status.ok()) continue;  // it could do without
      EXPECT_EQ(answer.status.code(), absl::StatusCode::kResourceExhausted) << answer.status;
      ++refused;
    }
  }
  EXPECT_GT(refused, 3u) << "the block, its node, and what an Add needs";
}

TEST(ChildrenMemory, SpawnOfAnAnonymousChild) {
  FailEach([](std::atomic<int>& ran) { return TaskSpec::Once([&ran] { ++ran; }); });
}

TEST(ChildrenMemory, SpawnOfANamedChildWithRulesOfItsOwn) {
  FailEach([](std::atomic<int>& ran) {
    static int named = 0;
    return TaskSpec::Restartable(std::string(200, 'n') + std::to_string(++named), [&ran] { ++ran; })
        .WithRetryIf([](const TaskError&) { return true; })
        .WithDeadline(hours(1));
  });
}

TEST(ChildrenMemory, SpawnOfACoroutine) {
  FailEach([](std::atomic<int>& ran) {
    return TaskSpec::Once([&ran]() -> Async<> {
      ++ran;
      co_await Yield();
    });
  });
}

// What a failing child leaves with its parent was made when there was memory.
TEST(ChildrenMemory, AChildThatFailsWithoutMemoryStillEndsItsParent) {
  auto supervisor = Supervisor::Create({.workers = 2});
  const SupervisorHandle handle = supervisor->Serve();
  Gate made;
  Gate fail;
  const auto parent = handle.AddAndWatch(TaskSpec::Once([&](TaskContext& context) -> absl::Status {
    const auto child = context.Spawn(TaskSpec::Once([&]() -> TaskResult {
                                       TaskResult result = Fatal("broken");
                                       made.Open();
                                       fail.Pass();
                                       return result;
                                     }),
                                     {.on_failure = OnChildFailure::kCancelSiblings});
    return child.status();
  }));
  ASSERT_TRUE(made.Wait());
  {
    const StarvedOthers starved;
    fail.Open();
    // The parent may have to wait for memory, too: for a place among those that are ready.
    ASSERT_TRUE(Eventually([&] { return handle.List().size() < 2; }));
  }
  EXPECT_FALSE(parent->waiter.Wait()->IsSuccess());
  EXPECT_TRUE(handle.Shutdown().ok());
}

}  // namespace
}  // namespace taskvisor::testing
