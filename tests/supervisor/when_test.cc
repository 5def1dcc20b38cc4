// WhenAll and WhenAny over waiters, and the watchers of an outcome that they stand on.

#include "taskvisor/when.h"

#include <dirent.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "supervisor/outcome_cell.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"
#include "tests/support/seed.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;

size_t Threads() {
  size_t count = 0;
  DIR* const dir = opendir("/proc/self/task");
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

TEST(WhenAll, GivesTheValuesInTheOrderOfTheWaiters) {
  Served served;
  std::vector<Waiter<int>> waiters;
  for (int i = 0; i < 50; ++i) {
    waiters.push_back(served.handle.AddAndWatch(TaskSpec::Once([i] { return i * i; }))->waiter);
  }
  const auto values = WhenAll(waiters);
  ASSERT_EQ(values.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(values[static_cast<size_t>(i)].value(), i * i);
}

TEST(WhenAll, TakesDifferentTypesAndFailures) {
  Served served;
  const auto sum = served.handle.AddAndWatch(TaskSpec::Once([] { return 4; }));
  const auto name = served.handle.AddAndWatch(TaskSpec::Once([] { return std::string("four"); }));
  const auto bad = served.handle.AddAndWatch(
      TaskSpec::Once([]() -> absl::StatusOr<char> { return absl::AbortedError("no"); }));
  const auto [a, b, c] = WhenAll(sum->waiter, name->waiter, bad->waiter);
  EXPECT_EQ(a.value(), 4);
  EXPECT_EQ(b.value(), "four");
  EXPECT_EQ(c.status().message(), "no");
}

TEST(WhenAll, GivesTheOutcomesOfTasksWithoutValues) {
  Served served;
  const TaskWaiter waiters[] = {
      served.Watch(TaskSpec::Once(DoNothing)).waiter,
      served.Watch(TaskSpec::Once([] { return Fatal("no"); })).waiter,
      TaskWaiter(),
  };
  const auto outcomes = WhenAll(std::span(waiters));
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0]->kind(), OutcomeKind::kCompleted);
  EXPECT_EQ(outcomes[1]->kind(), OutcomeKind::kFatal);
  EXPECT_EQ(outcomes[2].status().code(), absl::StatusCode::kUnavailable);
}

TEST(WhenAny, GivesTheFirstCancelsTheOthersAndWaitsForThem) {
  Served served({.workers = 4});
  std::atomic<int> inside{0};
  std::atomic<int> ended{0};
  std::vector<TaskWaiter> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(served
                          .Watch(TaskSpec::Once([&](TaskContext& context) {
                            ++inside;
                            const TaskResult result = UntilCancelled(context);
                            ++ended;
                            return Cancelled();
                          }))
                          .waiter);
  }
  HeldBody winner;
  waiters.insert(waiters.begin() + 1, served.Watch(TaskSpec::Once(winner.Body())).waiter);
  ASSERT_TRUE(Eventually([&] { return inside == 3; }));
  ASSERT_TRUE(winner.Inside());
  const size_t threads = Threads();
  std::atomic<bool> back{false};
  absl::StatusOr<size_t> first = absl::UnknownError("");
  std::thread asker([&] {
    first = WhenAny(served.handle, waiters);
    EXPECT_EQ(ended, 3);
    back = true;
  });
  for (int look = 0; look < 200; ++look) std::this_thread::yield();
  EXPECT_FALSE(back);
  EXPECT_LE(Threads(), threads + 1);  // the asker; one of an earlier test may have gone since
  winner.LetGo();
  asker.join();
  EXPECT_EQ(first.value(), 1u);
  for (const TaskWaiter& waiter : waiters) EXPECT_TRUE(waiter.Ready());
  EXPECT_EQ(waiters[0].Wait()->kind(), OutcomeKind::kCancelled);
}

TEST(WhenAny, AnOutcomeThatIsThereIsTakenAtOnce) {
  Served served;
  const auto fast = served.handle.AddAndWatch(TaskSpec::Once([] { return 1; }));
  EXPECT_TRUE(fast->waiter.Get().ok());
  const auto slow = served.handle.AddAndWatch(TaskSpec::Once(
      [](TaskContext& context) { return static_cast<void>(context.WaitCancelled(hours(1))), 2; }));
  const std::vector<Waiter<int>> waiters{slow->waiter, fast->waiter};
  EXPECT_EQ(WhenAny(served.handle, waiters).value(), 1u);
  EXPECT_EQ(slow->waiter.Get().status().code(), absl::StatusCode::kCancelled);
}

TEST(WhenAny, AnswersWhatItCannotDo) {
  Served served;
  EXPECT_EQ(WhenAny(served.handle, std::vector<Waiter<int>>()).status().code(),
            absl::StatusCode::kInvalidArgument);
  const auto resident = served.Watch(TaskSpec::Once(UntilCancelled));
  const TaskWaiter nothing[] = {resident.waiter, TaskWaiter()};
  const absl::Status empty = WhenAny(served.handle, std::span(nothing)).status();
  EXPECT_EQ(ErrorLabel(empty), "when_any_empty");
  EXPECT_THAT(std::string(empty.message()), ::testing::HasSubstr("waiter 1 waits for nothing"));
  const TaskWaiter* const null[] = {&resident.waiter, nullptr};
  EXPECT_EQ(ErrorLabel(WhenAny(served.handle, std::span(null)).status()), "when_any_empty");
  std::atomic<absl::StatusCode> code{absl::StatusCode::kOk};
  const auto asks = served.Watch(TaskSpec::Once([&] {
    const TaskWaiter waiters[] = {resident.waiter};
    code = WhenAny(served.handle, std::span(waiters)).status().code();
  }));
  EXPECT_EQ(KindOf(asks.waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(code, absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(resident.waiter.Ready());  // nobody was cancelled
}

TEST(WhenAny, OnAWorkerItRefusesBeforeItCancels) {
  Served served;
  const auto resident = served.Watch(TaskSpec::Once(UntilCancelled));
  const auto fast = served.Watch(TaskSpec::Once(DoNothing));
  EXPECT_EQ(KindOf(fast.waiter), OutcomeKind::kCompleted);
  std::atomic<absl::StatusCode> code{absl::StatusCode::kOk};
  const auto asks = served.Watch(TaskSpec::Once([&] {
    const TaskWaiter waiters[] = {fast.waiter, resident.waiter};
    code = WhenAny(served.handle, std::span(waiters)).status().code();
    const TaskWaiter ready[] = {fast.waiter, fast.waiter};
    EXPECT_EQ(WhenAny(served.handle, std::span(ready)).value(), 0u)
        << "there is nothing to wait for";
  }));
  EXPECT_EQ(KindOf(asks.waiter), OutcomeKind::kCompleted);
  EXPECT_EQ(code, absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(resident.waiter.Ready());
}

TEST(WhenAny, AStuckLoserIsWaitedForUntilGrace) {
  Served served({.workers = 2, .grace = hours(1)});
  HeldBody held;
  const auto stubborn = served.Watch(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  const auto fast = served.Watch(TaskSpec::Once(DoNothing));
  std::atomic<bool> back{false};
  std::thread asker([&] {
    const TaskWaiter waiters[] = {stubborn.waiter, fast.waiter};
    EXPECT_EQ(WhenAny(served.handle, std::span(waiters)).value(), 1u);
    back = true;
  });
  ASSERT_TRUE(served.AdvanceUntil([&] { return back.load(); }, hours(1)));
  asker.join();
  EXPECT_EQ(stubborn.waiter.Wait()->kind(), OutcomeKind::kStuck);
}

TEST(WhenAny, ADroppedSpecCountsAsEnded) {
  Served served;
  const auto resident = served.Watch(TaskSpec::Once(UntilCancelled));
  const TaskWaiter waiters[] = {resident.waiter, TaskSpec::Once(DoNothing).Watch()};
  EXPECT_EQ(WhenAny(served.handle, std::span(waiters)).value(), 1u);
  EXPECT_EQ(KindOf(resident.waiter), OutcomeKind::kCancelled);
}

// Outcomes come while their watchers come and go; each that stays is told.
TEST(WhenAny, NoWakeUpIsLostAndNoWatcherIsTouchedAfterItLeft) {
  Random random(AnnouncedSeed());
  Served served({.workers = 2});
  for (int round = 0; round < 2000; ++round) {
    std::vector<Waiter<int>> waiters;
    const auto all = 1 + random.Below(4);
    for (uint64_t i = 0; i < all; ++i) {
      waiters.push_back(
          served.handle.AddAndWatch(TaskSpec::Once([round] { return round; }))->waiter);
    }
    const auto first = WhenAny(served.handle, waiters);
    ASSERT_TRUE(first.ok()) << first.status() << " in round " << round;
    ASSERT_TRUE(waiters[*first].Ready());
    for (const auto& waiter : waiters) ASSERT_TRUE(waiter.Ready());
  }
}

}  // namespace
}  // namespace taskvisor::testing
