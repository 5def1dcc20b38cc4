// M. The alive tracker: what it tells (143).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "supervisor/alive.h"
#include "tests/contract/about.h"

namespace taskvisor::testing {
namespace {

using internal::AliveTracker;
using ::testing::ElementsAre;

TEST(ContractAlive, S143_UpdateTellsOfVisibleChangesOnly) {
  AliveTracker tracker;
  EXPECT_FALSE(tracker.Update(About(EventKind::kTaskStopped, 1, 7, "task"))) << "never was alive";
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskStarting, 2, 7, "task")));
  EXPECT_FALSE(tracker.Update(About(EventKind::kTaskStarting, 3, 7, "task"))) << "it was";
  EXPECT_TRUE(tracker.Update(About(EventKind::kTimeoutHit, 4, 7, "task")));
  EXPECT_FALSE(tracker.Update(About(EventKind::kTaskFailed, 5, 7, "task"))) << "it was not";
  EXPECT_FALSE(tracker.Update(About(EventKind::kActorExhausted, 6, 7, "task")));
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskRemoved, 7, 7, "task"))) << "an entry went";
  EXPECT_FALSE(tracker.Update(About(EventKind::kTaskRemoved, 8, 7, "task"))) << "there was none";
}

TEST(ContractAlive, S143_ReconcilePrunesWhatIsNotRegistered) {
  AliveTracker tracker;
  for (const uint64_t id : {7u, 8u, 9u}) {
    tracker.Update(About(EventKind::kTaskStarting, id, id, "task-" + std::to_string(id)));
  }
  tracker.Update(About(EventKind::kTaskStopped, 20, 9, "task-9"));
  const std::set<uint64_t> live = {8, 9, 100};
  tracker.Reconcile([&](TaskId id) { return live.contains(id.value()); });
  EXPECT_THAT(tracker.Snapshot(), ElementsAre("task-8"));
  EXPECT_EQ(tracker.size(), 2u) << "8, and 9 which is registered but not alive";
  tracker.Reconcile([](TaskId) { return false; });
  EXPECT_EQ(tracker.size(), 0u);
}

// Whose TaskRemoved was lost is not alive for who asks, before any Reconcile.
TEST(ContractAlive, S143_WhatIsNotRegisteredIsNotToldOf) {
  AliveTracker tracker;
  for (const uint64_t id : {7u, 8u}) {
    tracker.Update(About(EventKind::kTaskStarting, id, id, "task-" + std::to_string(id)));
  }
  tracker.Update(About(EventKind::kTaskStarting, 9, 9, ""));
  const auto is_live = [](TaskId id) { return id.value() == 8; };
  EXPECT_THAT(tracker.Snapshot(is_live), ElementsAre("task-8"));
  EXPECT_TRUE(tracker.IsAlive("task-8", is_live));
  EXPECT_FALSE(tracker.IsAlive("task-7", is_live));
  EXPECT_FALSE(tracker.IsAlive("task-9", is_live));
  EXPECT_EQ(tracker.size(), 3u);
}

TEST(ContractAlive, S143_TheSnapshotIsSorted) {
  AliveTracker tracker;
  uint64_t number = 0;
  for (const char* name : {"pear", "apple", "zebra", "fig", "mango"}) {
    ++number;
    tracker.Update(About(EventKind::kTaskStarting, number, number, name));
  }
  tracker.Update(About(EventKind::kTaskStopped, 10, 5, "mango"));
  EXPECT_THAT(tracker.Snapshot(), ElementsAre("apple", "fig", "pear", "zebra"));
}

}  // namespace
}  // namespace taskvisor::testing
