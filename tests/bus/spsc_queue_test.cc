#include "bus/spsc_queue.h"

#include <gtest/gtest.h>

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
