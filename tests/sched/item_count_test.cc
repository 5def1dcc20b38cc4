// What the model does not reach: as many threads at once as the word has room for.

#include "sched/item_count.h"

#include <gtest/gtest.h>

namespace taskvisor::internal {
namespace {

constexpr int kMoreThanFit = 5000;

constexpr auto kNothing = [] { return false; };
constexpr auto kSomething = [] { return true; };

TEST(ItemCount, MoreStartersThanFitPromiseNoMoreThanFit) {
  ItemCount items(2);
  ASSERT_TRUE(items.Announce());
  ASSERT_FALSE(items.TryCallOff());
  ASSERT_FALSE(items.Started());
  // All of these stop before they look whether their start is needed, and again behind that.
  int promised = 0;
  for (int i = 0; i < kMoreThanFit; ++i) promised += items.Announce() ? 1 : 0;
  EXPECT_GT(promised, 3500);
  for (int i = 0; i < promised; ++i) ASSERT_FALSE(items.TryCallOff());
  for (int i = 0; i < promised; ++i) ASSERT_FALSE(items.Started());

  EXPECT_FALSE(items.Announce()) << "there are items for it";
  for (int i = 0; i < promised; ++i) ASSERT_TRUE(items.TryLeave(kNothing));
  EXPECT_FALSE(items.TryClose()) << "an item drains";
  ASSERT_TRUE(items.TryLeave(kNothing));
  EXPECT_TRUE(items.TryClose());
  EXPECT_FALSE(items.Announce()) << "closed";
}

// The items are through before their starters have counted them.
TEST(ItemCount, MoreItemsThanFitMayLeaveBeforeTheyAreCounted) {
  ItemCount items(2);
  int promised = 0;
  for (int i = 0; i < kMoreThanFit; ++i) promised += items.Announce() ? 1 : 0;
  for (int i = 0; i < promised; ++i) ASSERT_TRUE(items.TryLeave(kNothing));
  EXPECT_FALSE(items.TryClose()) << "the promises are out";
  for (int i = 0; i < promised; ++i) EXPECT_EQ(items.Started(), i + 1 == promised);
  EXPECT_TRUE(items.TryClose());
}

TEST(ItemCount, AsManyStartAsThereAreWorkers) {
  ItemCount items(8);
  int starts = 0;
  while (items.Announce()) {
    EXPECT_FALSE(items.TryCallOff());
    EXPECT_FALSE(items.Started());
    ++starts;
  }
  EXPECT_EQ(starts, 8);
}

TEST(ItemCount, AnItemThatSeesSomethingGoesOnUnlessOthersDrainInItsPlace) {
  ItemCount items(1);
  ASSERT_TRUE(items.Announce());
  ASSERT_FALSE(items.Started());
  EXPECT_FALSE(items.TryLeave(kSomething));
  EXPECT_FALSE(items.Announce()) << "it drains again";
  EXPECT_TRUE(items.TryLeave([&] {
    EXPECT_TRUE(items.Announce());
    EXPECT_FALSE(items.Started());
    return true;
  })) << "another one has come for it";
  EXPECT_TRUE(items.TryLeave(kNothing));
  EXPECT_TRUE(items.TryClose());
}

}  // namespace
}  // namespace taskvisor::internal
