// What the model does not reach: as many threads at once as the word has room for.

#include "sched/work_count.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace taskvisor::internal {
namespace {

constexpr int kMoreThanFit = 5000;

TEST(WorkCount, MoreStartersThanFitLoseNothing) {
  WorkCount work(2);
  ASSERT_TRUE(work.Announce(1));
  ASSERT_FALSE(work.TryCallOff());
  ASSERT_FALSE(work.Started());
  // All of these stop before they look whether their start is needed, and again behind that.
  int promised = 0;
  for (int i = 0; i < kMoreThanFit; ++i) promised += work.Announce(1) ? 1 : 0;
  EXPECT_GT(promised, 3500);
  for (int i = 0; i < promised; ++i) ASSERT_FALSE(work.TryCallOff());
  for (int i = 0; i < promised; ++i) ASSERT_FALSE(work.Started());

  EXPECT_FALSE(work.Announce(1)) << "there are items for it";
  int got = 0;
  while (work.Claim(0).got) ++got;
  EXPECT_EQ(got, kMoreThanFit + 2);
  for (int i = 0; i < promised; ++i) ASSERT_TRUE(work.TryLeave());
  EXPECT_FALSE(work.TryClose()) << "an item drains";
  ASSERT_TRUE(work.TryLeave());
  EXPECT_TRUE(work.TryClose());
}

// The items are through before their starters have counted them.
TEST(WorkCount, MoreItemsThanFitMayLeaveBeforeTheyAreCounted) {
  WorkCount work(2);
  int promised = 0;
  for (int i = 0; i < kMoreThanFit; ++i) promised += work.Announce(1) ? 1 : 0;
  while (work.Claim(0).got) {
  }
  for (int i = 0; i < promised; ++i) ASSERT_TRUE(work.TryLeave());
  EXPECT_FALSE(work.TryClose()) << "the promises are out";
  for (int i = 0; i < promised; ++i) EXPECT_EQ(work.Started(), i + 1 == promised);
  EXPECT_TRUE(work.TryClose());
}

TEST(WorkCount, OneWhoAnnouncesManyHoldsOnePromiseAtATime) {
  WorkCount work(8);
  ASSERT_TRUE(work.Announce(100));
  int starts = 0;
  do {
    EXPECT_FALSE(work.TryCallOff());
    EXPECT_FALSE(work.Started());
    ++starts;
  } while (work.PromiseMore());
  EXPECT_EQ(starts, 8);
}

}  // namespace
}  // namespace taskvisor::internal
