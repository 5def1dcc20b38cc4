#include "supervisor/rule_book.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "tests/support/allocations.h"

namespace taskvisor::internal {
namespace {

using std::chrono::milliseconds;

TaskDefaults Every(Duration interval) {
  TaskDefaults rules;
  rules.restart = RestartPolicy::Always(interval);
  return rules;
}

TEST(RuleBook, EqualRulesAreOneSetAndDifferentOnesAreNot) {
  RuleBook book;
  const RuleSet* const first = book.Find(Every(milliseconds(1)));
  EXPECT_EQ(book.Find(Every(milliseconds(1))), first);
  std::vector<TaskDefaults> others(8, Every(milliseconds(1)));
  others[0].restart = RestartPolicy::Always(milliseconds(2));
  others[1].restart = RestartPolicy::OnFailure();
  others[2].timeout = milliseconds(1);
  others[3].timeout = Duration(0);  // stated, though it means none
  others[4].max_retries = 1;
  others[5].backoff = BackoffPolicy::Constant(milliseconds(3));
  others[6].priority = Priority::kHigh;
  others[7].cpu_time = true;
  std::vector<const RuleSet*> sets{first};
  for (const TaskDefaults& rules : others) {
    const RuleSet* const set = book.Find(rules);
    for (const RuleSet* const seen : sets) EXPECT_NE(set, seen);
    EXPECT_EQ(set->timeout, rules.timeout);
    EXPECT_EQ(set->max_retries, rules.max_retries);
    EXPECT_EQ(set->backoff.options().first, rules.backoff.options().first);
    sets.push_back(set);
  }
  EXPECT_EQ(book.Find(Every(milliseconds(1))), first) << "still the same";
}

TEST(RuleBook, KnownRulesCostNoMemory) {
  RuleBook book;
  static_cast<void>(book.Find(Every(milliseconds(1))));
  static_cast<void>(book.Find(Every(milliseconds(2))));
  const uint64_t before = testing::AllocationsOfThisThread();
  for (int i = 0; i < 100; ++i) RuleBook::LetGo(book.Find(Every(milliseconds(1 + i % 2))));
  EXPECT_EQ(testing::AllocationsOfThisThread(), before);
}

TEST(RuleBook, WhenItIsFullRulesAreTheTasksOwn) {
  RuleBook book;
  size_t own = 0;
  for (int i = 1; i <= 2000; ++i) {
    const RuleSet* const set = book.Find(Every(milliseconds(i)));
    EXPECT_EQ(set->restart.interval(), milliseconds(i));
    own += set->kept == RuleSet::Kept::kInBook ? 0 : 1;
    RuleBook::LetGo(set);  // a leak checker would tell
  }
  EXPECT_GT(own, 1000u);
  EXPECT_LT(own, 2000u - 128u);
}

TEST(RuleBook, ThreadsThatBringTheSameRulesAgree) {
  RuleBook book;
  std::vector<std::vector<const RuleSet*>> found(4);
  std::vector<std::thread> threads;
  for (auto& mine : found) {
    threads.emplace_back([&] {
      for (int i = 1; i <= 100; ++i) mine.push_back(book.Find(Every(milliseconds(i))));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 1; t < found.size(); ++t) EXPECT_EQ(found[t], found[0]);
}

}  // namespace
}  // namespace taskvisor::internal
