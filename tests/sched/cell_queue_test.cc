#include "sched/cell_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <latch>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "sched/ready_lanes.h"
#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using Queue = CellQueue<uint64_t>;

constexpr size_t kOfTwo = 2;

// Elements are numbers from 1, with their pusher above.
constexpr uint64_t Of(uint64_t pusher, uint64_t n) { return pusher << 32 | n; }
constexpr uint64_t PusherOf(uint64_t element) { return element >> 32; }
constexpr uint64_t NumberOf(uint64_t element) { return element & 0xffff'ffff; }

constexpr auto kNoCall = [](uint64_t) {};

bool TryTake(Queue& queue, Queue::Cursor& cursor, uint64_t& value,
             Queue::First first = Queue::First::kOwn) {
  return queue.TryTake(cursor, value, first, kNoCall);
}

// As another thread, with a lane of its own, which lives on until the end of the test.
class Pushers {
 public:
  explicit Pushers(Queue& queue) : queue_(queue) {}
  ~Pushers() {
    over_.count_down();
    for (std::thread& thread : threads_) thread.join();
  }
  void Push(uint64_t pusher, uint64_t count) {
    std::latch pushed(1);
    threads_.emplace_back([&, pusher, count] {
      for (uint64_t n = 1; n <= count; ++n) EXPECT_TRUE(queue_.Push(Of(pusher, n)));
      pushed.count_down();
      over_.wait();
    });
    pushed.wait();
  }

 private:
  Queue& queue_;
  std::latch over_{1};
  std::vector<std::thread> threads_;
};

TEST(CellQueue, OnePushersElementsComeInTheirOrder) {
  Queue queue(1, kOfTwo);
  Queue::Cursor cursor(queue, 0);
  uint64_t value = 0;
  EXPECT_FALSE(TryTake(queue, cursor, value));
  uint64_t pushed = 0;
  uint64_t taken = 0;
  testing::Random random(testing::AnnouncedSeed());
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint64_t> range;
    for (uint64_t i = random.Below(300); i > 0; --i) range.push_back(Of(0, ++pushed));
    if (random.Percent(50)) {
      EXPECT_TRUE(queue.PushRange(range.begin(), range.size()));
    } else {
      for (const uint64_t element : range) EXPECT_TRUE(queue.Push(element));
    }
    for (uint64_t i = random.Below(300); i > 0 && taken < pushed; --i) {
      ASSERT_TRUE(TryTake(queue, cursor, value));
      ASSERT_EQ(value, Of(0, ++taken));
    }
  }
  while (TryTake(queue, cursor, value)) ASSERT_EQ(value, Of(0, ++taken));
  EXPECT_EQ(taken, pushed);
}

TEST(CellQueue, NoPusherIsPassedOverForMoreThanATurnOfEachOther) {
  Queue queue(1, kOfTwo);
  Queue::Cursor cursor(queue, 0);
  Pushers pushers(queue);
  pushers.Push(1, 1000);
  pushers.Push(2, 100);
  pushers.Push(3, 100);
  std::array<uint64_t, 4> taken{};
  for (int i = 0; i < 330; ++i) {
    uint64_t value = 0;
    ASSERT_TRUE(TryTake(queue, cursor, value));
    EXPECT_EQ(NumberOf(value), ++taken[PusherOf(value)]);
    // A turn ends with the strip in which it is over.
    EXPECT_LE(taken[1], taken[2] + Queue::kTurn + CellShape::kStrip);
    EXPECT_LE(taken[1], taken[3] + Queue::kTurn + CellShape::kStrip);
  }
  EXPECT_EQ(taken[2], 100u);
  EXPECT_EQ(taken[3], 100u);
}

TEST(CellQueue, ThreadsBeyondItsLanesAreServedToo) {
  constexpr uint64_t kPushers = Queue::kLanes + 5;
  constexpr uint64_t kEach = 100;
  Queue queue(1, kOfTwo);
  Queue::Cursor cursor(queue, 0);
  Pushers pushers(queue);
  for (uint64_t p = 0; p < kPushers; ++p) pushers.Push(p, kEach);
  std::vector<uint64_t> taken(kPushers);
  uint64_t value = 0;
  // What lies in the overflow has its turn too, before the lanes are empty.
  for (uint64_t i = 0; i < (Queue::kLanes + 1) * (Queue::kTurn + CellShape::kStrip); ++i) {
    ASSERT_TRUE(TryTake(queue, cursor, value));
    EXPECT_EQ(NumberOf(value), ++taken[PusherOf(value)]);
  }
  for (uint64_t p = 0; p < Queue::kLanes; ++p) EXPECT_GT(taken[p], 0u);
  uint64_t of_overflow = 0;
  for (uint64_t p = Queue::kLanes; p < kPushers; ++p) of_overflow += taken[p];
  EXPECT_GT(of_overflow, 0u);
  while (TryTake(queue, cursor, value)) EXPECT_EQ(NumberOf(value), ++taken[PusherOf(value)]);
  for (const uint64_t count : taken) EXPECT_EQ(count, kEach);
  EXPECT_FALSE(queue.AnyUnclaimed());
  pushers.Push(kPushers - 1, 1);
  EXPECT_TRUE(queue.AnyUnclaimed()) << "nobody would be woken for it";
}

TEST(CellQueue, AThreadThatEndedHandsItsLaneOn) {
  Queue queue(1, kOfTwo);
  Queue::Cursor cursor(queue, 0);
  uint64_t taken = 0;
  uint64_t value = 0;
  for (uint64_t t = 1; t <= 500; ++t) {
    std::thread([&] { EXPECT_TRUE(queue.Push(t)); }).join();
    // They share one lane: else this would not be their order.
    if (t % 7 != 0) continue;
    while (TryTake(queue, cursor, value)) EXPECT_EQ(value, ++taken);
  }
}

// A taker that is busy with an element: what it would take next is there for others, at
// once for who asks, and at last for all.
TEST(CellQueue, WhatIsInABusyTakersRangeIsAnybodys) {
  for (const auto first : {Queue::First::kOwn, Queue::First::kStrays}) {
    Queue queue(2, kOfTwo);
    Queue::Cursor busy(queue, 0);
    Queue::Cursor other(queue, 1);
    std::vector<uint64_t> elements;
    for (uint64_t n = 1; n <= 40; ++n) elements.push_back(n);
    ASSERT_TRUE(queue.PushRange(elements.begin(), elements.size()));
    uint64_t value = 0;
    for (uint64_t i = 1; i <= 4; ++i) {  // so many that it has claimed several at once
      ASSERT_TRUE(TryTake(queue, busy, value));
      ASSERT_EQ(value, i);
    }
    std::set<uint64_t> taken;
    for (uint64_t i = 5; i <= 40; ++i) {
      ASSERT_TRUE(TryTake(queue, other, value, first));
      if (first == Queue::First::kStrays && i <= CellShape::kStrip) {
        EXPECT_EQ(value, i);
      }
      EXPECT_TRUE(taken.insert(value).second);
    }
    EXPECT_FALSE(TryTake(queue, other, value, first));
    EXPECT_FALSE(TryTake(queue, busy, value));
    ASSERT_TRUE(queue.Push(41));
    ASSERT_TRUE(TryTake(queue, busy, value));
    EXPECT_EQ(value, 41u);
  }
}

// While little waits, and at the start of an item, though much does, whoever comes takes what was
// pushed first: nothing is in a range behind a body that waits for it.
TEST(CellQueue, NothingIsPassedOverWhereLittleWaitsNorByWhoBegins) {
  constexpr uint64_t kMany = 1000;
  constexpr size_t kOfFew = 8;
  Queue queue(2, kOfFew);
  Queue::Cursor one(queue, 0);
  Queue::Cursor two(queue, 1);
  std::vector<uint64_t> elements(kMany);
  std::iota(elements.begin(), elements.end(), 1);
  ASSERT_TRUE(queue.PushRange(elements.begin(), kMany));
  uint64_t value = 0;
  // Items of one body each.
  for (uint64_t n = 1; n <= 100; ++n) {
    ASSERT_TRUE(TryTake(queue, n % 2 == 0 ? one : two, value, Queue::First::kStrays));
    ASSERT_EQ(value, n);
  }
  // One of many: as much as fills a strip, at last.
  for (uint64_t n = 101; n < 200; ++n) ASSERT_TRUE(TryTake(queue, one, value));
  const uint64_t last = value;
  ASSERT_TRUE(TryTake(queue, two, value));
  EXPECT_GT(value, last + 1);
  EXPECT_LE(value, last + CellShape::kStrip);
  while (TryTake(queue, one, value)) {
  }
  // Items of many bodies, and of less than two of so many parts.
  for (uint64_t n = 1; n < 2 * kOfFew; ++n) ASSERT_TRUE(queue.Push(n));
  for (uint64_t n = 1; n < 2 * kOfFew; ++n) {
    ASSERT_TRUE(TryTake(queue, n % 3 == 0 ? one : two, value));
    ASSERT_EQ(value, n);
  }
}

TEST(CellQueue, TellsWhatComesSoon) {
  Queue queue(1, kOfTwo);
  Queue::Cursor cursor(queue, 0);
  for (uint64_t n = 1; n <= 100; ++n) ASSERT_TRUE(queue.Push(n));
  std::set<uint64_t> told;
  size_t told_before = 0;
  for (uint64_t n = 1; n <= 100; ++n) {
    uint64_t value = 0;
    ASSERT_TRUE(queue.TryTake(cursor, value, Queue::First::kOwn, [&](uint64_t element) {
      EXPECT_GT(element, n);
      EXPECT_LT(element, n + CellShape::kStrip);
      told.insert(element);
    }));
    told_before += told.contains(n);
  }
  EXPECT_GT(told_before, 75u);
}

// Who has counted an element finds one, whatever the others do, and nothing comes twice.
TEST(CellQueue, WhoCountedFindsAnElement) {
  constexpr uint64_t kEach = 60'000;
  constexpr uint64_t kPushers = 2;
  constexpr size_t kTakers = 3;
  const uint64_t seed = testing::AnnouncedSeed();
  Queue queue(kTakers, kOfTwo);
  std::atomic<int64_t> rights{0};
  std::atomic<uint64_t> taken{0};
  std::deque<std::atomic<int>> times(kPushers * kEach);
  std::vector<std::thread> threads;
  for (uint64_t p = 0; p < kPushers; ++p) {
    threads.emplace_back([&, p] {
      testing::Random random(seed + p);
      for (uint64_t n = 1; n <= kEach;) {
        std::vector<uint64_t> range;
        for (uint64_t i = 1 + random.Below(40); i > 0 && n <= kEach; --i) {
          range.push_back(p * kEach + n++);
        }
        const bool pushed = range.size() == 1 ? queue.Push(range.front())
                                              : queue.PushRange(range.begin(), range.size());
        EXPECT_TRUE(pushed);
        rights.fetch_add(static_cast<int64_t>(range.size()));
        if (random.Below(8) == 0) std::this_thread::yield();
      }
    });
  }
  for (size_t t = 0; t < kTakers; ++t) {
    threads.emplace_back([&, t] {
      testing::Random random(seed + 100 + t);
      Queue::Cursor cursor(queue, t);
      while (taken.load() < kPushers * kEach) {
        int64_t seen = rights.load();
        if (seen <= 0 || !rights.compare_exchange_strong(seen, seen - 1)) {
          std::this_thread::yield();
          continue;
        }
        const auto first = random.Below(16) == 0 ? Queue::First::kStrays : Queue::First::kOwn;
        uint64_t value = 0;
        while (!TryTake(queue, cursor, value, first)) std::this_thread::yield();
        EXPECT_EQ(times[value - 1].fetch_add(1), 0);
        taken.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, kPushers * kEach);
  for (const auto& count : times) ASSERT_EQ(count, 1);
}

// As the pool has it: beside the lanes of other classes.
TEST(CellQueue, IsTheNormalLaneAmongOthers) {
  ReadyLanes<uint64_t, Queue> lanes(size_t{1}, kOfTwo);
  ReadyLanes<uint64_t, Queue>::Cursor cursor(lanes, size_t{0});
  for (uint64_t n = 1; n <= 4; ++n) {
    ASSERT_TRUE(lanes.Push(100 + n, Priority::kHigh));
    ASSERT_TRUE(lanes.Push(200 + n, Priority::kNormal));
  }
  std::vector<uint64_t> taken;
  for (int i = 0; i < 8; ++i) taken.push_back(lanes.Take(cursor, Queue::First::kOwn, kNoCall));
  EXPECT_EQ(taken, (std::vector<uint64_t>{101, 102, 103, 201, 104, 202, 203, 204}));
}

}  // namespace
}  // namespace taskvisor::internal
