#include "bus/spsc_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <thread>

namespace taskvisor::internal {
namespace {

TEST(SpscQueue, IsFirstInFirstOut) {
  SpscQueue<int> queue(4);
  EXPECT_EQ(queue.Front(), nullptr);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.TryPush(i));
  EXPECT_EQ(queue.Front(), nullptr) << "seen before it was published";
  EXPECT_TRUE(queue.Publish());
  EXPECT_FALSE(queue.Publish()) << "nothing new";
  for (int i = 0; i < 4; ++i) {
    ASSERT_NE(queue.Front(), nullptr);
    EXPECT_EQ(*queue.Front(), i);
    queue.Pop();
  }
  EXPECT_EQ(queue.Front(), nullptr);
}

TEST(SpscQueue, CapacityIsExactAndAFullQueueIsUnchanged) {
  for (const size_t capacity : {1u, 2u, 3u, 7u, 16u}) {
    SpscQueue<size_t> queue(capacity);
    EXPECT_EQ(queue.capacity(), capacity);
    for (size_t i = 0; i < capacity; ++i) EXPECT_TRUE(queue.TryPush(i));
    EXPECT_FALSE(queue.TryPush(99));
    queue.Publish();
    EXPECT_EQ(*queue.Front(), 0u) << "the newest is dropped, not the oldest";
    queue.Pop();
    EXPECT_TRUE(queue.TryPush(capacity));
    EXPECT_FALSE(queue.TryPush(99));
    queue.Publish();
    for (size_t i = 1; i <= capacity; ++i) {
      EXPECT_EQ(*queue.Front(), i);
      queue.Pop();
    }
  }
}

TEST(SpscQueue, TakesAllOrNone) {
  constexpr std::array<int, 3> kValues{1, 2, 3};
  SpscQueue<int> queue(5);
  EXPECT_TRUE(queue.TryPushAll(kValues));
  EXPECT_FALSE(queue.TryPushAll(kValues)) << "room for two only";
  EXPECT_TRUE(queue.TryPush(4));
  EXPECT_TRUE(queue.TryPush(5));
  EXPECT_FALSE(queue.TryPush(6));
  EXPECT_EQ(queue.Front(), nullptr) << "seen before it was published";
  queue.Publish();
  for (int i = 1; i <= 5; ++i) {
    ASSERT_NE(queue.Front(), nullptr);
    EXPECT_EQ(*queue.Front(), i);
    queue.Pop();
  }
  EXPECT_EQ(queue.Front(), nullptr);
  EXPECT_TRUE(queue.TryPushAll(std::span<const int>())) << "nothing always fits";
  EXPECT_FALSE(queue.Publish());
}

TEST(SpscQueue, AllGoAroundTheEndInOrder) {
  constexpr int kRounds = 50;
  for (const size_t capacity : {3u, 4u, 7u, 8u}) {
    SpscQueue<int> queue(capacity);
    for (int round = 0; round < kRounds; ++round) {
      const std::array<int, 3> values{3 * round, 3 * round + 1, 3 * round + 2};
      ASSERT_TRUE(queue.TryPushAll(values));
      queue.Publish();
      for (const int value : values) {
        ASSERT_NE(queue.Front(), nullptr);
        ASSERT_EQ(*queue.Front(), value);
        queue.Pop();
      }
    }
    EXPECT_EQ(queue.Front(), nullptr);
  }
}

TEST(SpscQueue, CapacityZeroCountsAsOne) {
  SpscQueue<int> queue(0);
  EXPECT_EQ(queue.capacity(), 1u);
  EXPECT_TRUE(queue.TryPush(1));
  EXPECT_FALSE(queue.TryPush(2));
}

TEST(SpscQueue, FrontStaysTheSameUntilPop) {
  SpscQueue<int> queue(2);
  EXPECT_TRUE(queue.TryPush(1));
  queue.Publish();
  const int* front = queue.Front();
  EXPECT_TRUE(queue.TryPush(2));
  queue.Publish();
  EXPECT_EQ(queue.Front(), front);
  EXPECT_EQ(*front, 1);
}

TEST(SpscQueue, BetweenTwoThreadsNothingIsLostDoubledOrTorn) {
  struct Pair {
    uint64_t value = 0;
    uint64_t negated = 0;
  };
  constexpr uint64_t kCount = 3'000;
  for (const size_t capacity : {1u, 3u, 64u}) {
    SpscQueue<Pair> queue(capacity);
    std::thread producer([&] {
      for (uint64_t i = 1; i <= kCount; ++i) {
        while (!queue.TryPush({i, ~i})) {
          queue.Publish();
          std::this_thread::yield();
        }
        if (i % 3 == 0) queue.Publish();
      }
      queue.Publish();
    });
    for (uint64_t i = 1; i <= kCount; ++i) {
      const Pair* front = nullptr;
      while ((front = queue.Front()) == nullptr) std::this_thread::yield();
      ASSERT_EQ(front->value, i);
      ASSERT_EQ(front->negated, ~i);
      queue.Pop();
    }
    producer.join();
    EXPECT_EQ(queue.Front(), nullptr);
  }
}

}  // namespace
}  // namespace taskvisor::internal
