// Model of supervisor/watch_slot.h: see tests/support/model.h.

#include <gtest/gtest.h>

#include "supervisor/watch_slot.h"
#include "tests/support/model.h"

namespace taskvisor::internal {

class Entry {};  // only its address is used

namespace {

using testing::Explore;
using testing::Model;

constexpr uint64_t kAttempts = 3;

TEST(WatchSlotModel, WhatIsReadBelongsToOneAttemptAndNoBeatToAnEarlierOne) {
  Explore(20000, [](Model& model) {
    WatchSlot slot;
    Entry entries[kAttempts];
    uint64_t left = 0;    // attempts that have left
    uint64_t beaten = 0;  // the last attempt that has beaten
    model.Spawn("worker", [&] {
      for (uint64_t n = 1; n <= kAttempts; ++n) {
        const auto number = static_cast<int64_t>(n);
        slot.Enter(entries[n - 1], n, number, number);
        if (n == 2) {
          beaten = n;
          slot.beat().store(1, std::memory_order_relaxed);
        }
        slot.Leave();
        left = n;
      }
    });
    model.Spawn("watchdog", [&] {
      for (int look = 0; look < 4; ++look) {
        const uint64_t left_before = left;
        const WatchSlot::View view = slot.Read();
        if (!view.inside) continue;
        const uint64_t n = view.epoch;
        EXPECT_EQ(view.count, 2 * n - 1);
        EXPECT_EQ(view.entry, &entries[n - 1]);
        EXPECT_EQ(view.start, static_cast<int64_t>(n));
        EXPECT_EQ(view.heartbeat, static_cast<int64_t>(n));
        EXPECT_GT(n, left_before) << "an attempt that had left";
        if (slot.TakeBeat(view.count)) {
          // One that was put back may count for the attempt that entered meanwhile; none
          // counts for an earlier one.
          EXPECT_GE(n, 2u);
          EXPECT_EQ(beaten, 2u);
        }
      }
    });
    model.Run();
  });
}

}  // namespace
}  // namespace taskvisor::internal
