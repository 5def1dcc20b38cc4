#include "supervisor/lifecycle.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

using Entered = Lifecycle::Entered;

TEST(Lifecycle, LetsInUpToItsLimitAllOrNone) {
  Lifecycle gate(5);
  EXPECT_EQ(gate.Enter(3), Entered::kYes);
  EXPECT_EQ(gate.Enter(3), Entered::kFull);
  EXPECT_EQ(gate.members(), 3u) << "a refused batch left some behind";
  EXPECT_TRUE(gate.HasRoom(2));
  EXPECT_FALSE(gate.HasRoom(3));
  EXPECT_EQ(gate.Enter(2), Entered::kYes);
  gate.Leave(5);
  EXPECT_EQ(gate.members(), 0u);
}

TEST(Lifecycle, CountsThoseWhoEnterFromOneOn) {
  Lifecycle gate(5);
  uint64_t ordinal = 0;
  EXPECT_EQ(gate.Enter(3, &ordinal), Entered::kYes);
  EXPECT_EQ(ordinal, 1u);
  EXPECT_EQ(gate.Enter(3, &ordinal), Entered::kFull);
  EXPECT_EQ(ordinal, 1u) << "nobody entered";
  gate.Leave(3);
  EXPECT_EQ(gate.Enter(5, &ordinal), Entered::kYes);
  EXPECT_EQ(ordinal, 4u);
}

TEST(Lifecycle, ClosedItLetsNobodyInAndEverybodyOut) {
  Lifecycle gate(5);
  ASSERT_EQ(gate.Enter(2), Entered::kYes);
  EXPECT_TRUE(gate.Close());
  EXPECT_FALSE(gate.Close()) << "closed by two";
  EXPECT_TRUE(gate.closed());
  EXPECT_EQ(gate.Enter(1), Entered::kClosed);
  EXPECT_EQ(gate.Enter(100), Entered::kClosed) << "closed outranks full";
  gate.Leave(2);
  EXPECT_EQ(gate.members(), 0u);
  EXPECT_FALSE(gate.CloseIfEmpty());
}

TEST(Lifecycle, CloseIfEmptyClosesOnlyIfEmpty) {
  Lifecycle gate(5);
  ASSERT_EQ(gate.Enter(1), Entered::kYes);
  EXPECT_FALSE(gate.CloseIfEmpty());
  EXPECT_FALSE(gate.closed());
  gate.Leave(1);
  EXPECT_TRUE(gate.CloseIfEmpty());
  EXPECT_EQ(gate.Enter(1), Entered::kClosed);
}

TEST(Lifecycle, AWaiterForRoomWakesWhenSomebodyLeaves) {
  Lifecycle gate(2);
  ASSERT_EQ(gate.Enter(2), Entered::kYes);
  std::thread waiter([&] {
    Await(gate.changed(), [&] {
      gate.WatchRoom();
      return gate.HasRoom(1);
    });
    EXPECT_EQ(gate.Enter(1), Entered::kYes);
  });
  gate.Leave(1);
  waiter.join();
}

TEST(Lifecycle, AWaiterForEmptinessWakesWhenTheLastLeaves) {
  Lifecycle gate(3);
  ASSERT_EQ(gate.Enter(3), Entered::kYes);
  std::atomic<bool> empty{false};
  std::thread waiter([&] {
    Await(gate.changed(), [&] {
      gate.WatchEmpty();
      return gate.members() == 0;
    });
    empty = true;
  });
  gate.Leave(1);
  gate.Leave(1);
  EXPECT_FALSE(empty);
  gate.Leave(1);
  waiter.join();
}

TEST(Lifecycle, TheLimitHoldsUnderThreadsAndTheCountReturnsToZero) {
  constexpr int kLimit = 3;
  Lifecycle gate(kLimit);
  std::atomic<int> inside{0};
  std::atomic<int> over{0};
  std::atomic<int> entered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 5; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        while (gate.Enter(1) != Entered::kYes) {
          Await(gate.changed(), [&] {
            gate.WatchRoom();
            return gate.HasRoom(1);
          });
        }
        if (inside.fetch_add(1) >= kLimit) over.fetch_add(1);
        entered.fetch_add(1);
        inside.fetch_sub(1);
        gate.Leave(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(entered, 5 * 5000);
  EXPECT_EQ(over, 0);
  EXPECT_EQ(gate.members(), 0u);
}

// What threads that add keep to enter with.
class LifecycleCredits : public ::testing::Test {
 protected:
  [[nodiscard]] Entered EnterAs(size_t adder) { return gate.Enter(1, &ordinal, &adders[adder]); }

  std::array<Lifecycle::Credits, 2> adders;
  Lifecycle gate{10, 0, {&adders[0], &adders[1]}, {.size = 4, .slack = 2}};
  uint64_t ordinal = 0;
};

TEST_F(LifecycleCredits, AreNoMembers) {
  ASSERT_EQ(EnterAs(0), Entered::kYes);
  EXPECT_EQ(adders[0].count(), 3u);
  EXPECT_EQ(gate.members(), 1u);
  EXPECT_TRUE(gate.HasRoom(9));
  gate.Leave(1);
  EXPECT_EQ(gate.members(), 0u);
}

TEST_F(LifecycleCredits, EachGivesANumberOfItsOwn) {
  std::vector<uint64_t> ordinals;
  for (const size_t adder : {0u, 1u, 0u, 0u, 1u, 0u, 0u}) {
    ASSERT_EQ(EnterAs(adder), Entered::kYes);
    ordinals.push_back(ordinal);
  }
  EXPECT_EQ(ordinals, (std::vector<uint64_t>{1, 5, 2, 3, 6, 4, 9}));
}

TEST_F(LifecycleCredits, OfOthersLeaveTheLimitExact) {
  ASSERT_EQ(EnterAs(0), Entered::kYes);
  EXPECT_EQ(gate.Enter(9), Entered::kYes) << "three of these places were credits";
  EXPECT_EQ(adders[0].count(), 0u);
  EXPECT_EQ(EnterAs(0), Entered::kFull);
  EXPECT_EQ(EnterAs(1), Entered::kFull);
  gate.Leave(1);
  EXPECT_EQ(EnterAs(1), Entered::kYes);
  EXPECT_EQ(adders[1].count(), 0u) << "no blocks near the limit";
  EXPECT_EQ(EnterAs(0), Entered::kFull);
  EXPECT_EQ(gate.members(), 10u);
}

TEST_F(LifecycleCredits, LetNobodyInBehindAClose) {
  ASSERT_EQ(EnterAs(0), Entered::kYes);
  EXPECT_TRUE(gate.Close());
  EXPECT_EQ(EnterAs(0), Entered::kClosed);
  EXPECT_EQ(gate.members(), 1u);
  gate.Leave(1);
  EXPECT_EQ(gate.members(), 0u);
}

TEST_F(LifecycleCredits, DoNotKeepAnEmptyGateOpen) {
  ASSERT_EQ(EnterAs(0), Entered::kYes);
  EXPECT_FALSE(gate.CloseIfEmpty());
  gate.Leave(1);
  EXPECT_TRUE(gate.CloseIfEmpty());
  EXPECT_EQ(EnterAs(0), Entered::kClosed);
  EXPECT_EQ(gate.members(), 0u);
}

}  // namespace
}  // namespace taskvisor::internal
