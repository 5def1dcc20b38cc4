#include "sched/ready_lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using Lanes = SharedReadyLanes<uint64_t>;

// Elements that tell their lane.
constexpr Priority kAll[] = {Priority::kHigh, Priority::kNormal, Priority::kLow};
uint64_t Of(Priority p, uint64_t n = 0) { return n * 3 + static_cast<uint64_t>(p); }
char LetterOf(uint64_t element) { return "HNL"[element % 3]; }

void Fill(Lanes& lanes, Priority p, size_t count) {
  for (size_t i = 0; i < count; ++i) ASSERT_TRUE(lanes.Push(Of(p, i), p));
}

std::string TakeSome(Lanes& lanes, Lanes::Cursor& cursor, size_t count) {
  std::string taken;
  for (size_t i = 0; i < count; ++i) taken += LetterOf(lanes.Take(cursor));
  return taken;
}

TEST(ReadyLanes, TurnsAreTwelveThreeAndOneOfSixteen) {
  Lanes lanes;
  Lanes::Cursor cursor(lanes);
  for (const Priority p : kAll) Fill(lanes, p, 100);
  EXPECT_EQ(TakeSome(lanes, cursor, 32), "HHHNHHHNHHHNHHHLHHHNHHHNHHHNHHHL");
}

TEST(ReadyLanes, AnEmptyClassGivesItsTurnToTheNextLowerOneThenToTheHighest) {
  {
    Lanes lanes;
    Lanes::Cursor cursor(lanes);
    Fill(lanes, Priority::kHigh, 100);
    Fill(lanes, Priority::kLow, 100);
    EXPECT_EQ(TakeSome(lanes, cursor, 16), "HHHLHHHLHHHLHHHL");
  }
  {
    Lanes lanes;
    Lanes::Cursor cursor(lanes);
    Fill(lanes, Priority::kNormal, 100);
    Fill(lanes, Priority::kLow, 100);
    EXPECT_EQ(TakeSome(lanes, cursor, 16), "NNNNNNNNNNNNNNNL");
  }
  {
    Lanes lanes;
    Lanes::Cursor cursor(lanes);
    Fill(lanes, Priority::kHigh, 100);
    Fill(lanes, Priority::kNormal, 100);
    EXPECT_EQ(TakeSome(lanes, cursor, 16), "HHHNHHHNHHHNHHHN");
  }
}

TEST(ReadyLanes, EachClassIsInItsOrderAndTheLastOfAnyIsFound) {
  Lanes lanes;
  Lanes::Cursor cursor(lanes);
  for (const Priority p : kAll) Fill(lanes, p, 20);
  std::array<uint64_t, 3> next{};
  for (size_t i = 0; i < 60; ++i) {
    const uint64_t taken = lanes.Take(cursor);
    EXPECT_EQ(taken / 3, next[taken % 3]++);
  }
  EXPECT_FALSE(lanes.mixed());
}

TEST(ReadyLanes, TakesWhileThereIsNothingOfAnotherClassAreNoTurns) {
  Lanes lanes;
  Lanes::Cursor cursor(lanes);
  Fill(lanes, Priority::kNormal, 40);
  EXPECT_EQ(TakeSome(lanes, cursor, 19), std::string(19, 'N'));
  EXPECT_FALSE(lanes.mixed());
  Fill(lanes, Priority::kHigh, 1);
  EXPECT_TRUE(lanes.mixed());
  EXPECT_EQ(TakeSome(lanes, cursor, 3), "HNN");
  EXPECT_FALSE(lanes.mixed());
}

TEST(ReadyLanes, WhoFindsNothingIsToldSo) {
  for (const Priority p : kAll) {
    Lanes lanes;
    Lanes::Cursor cursor(lanes);
    uint64_t value = 0;
    EXPECT_FALSE(lanes.TryTake(cursor, value));
    Fill(lanes, p, 2);
    EXPECT_EQ(lanes.mixed(), p != Priority::kNormal);
    EXPECT_TRUE(lanes.TryTake(cursor, value));
    EXPECT_TRUE(lanes.TryTake(cursor, value));
    EXPECT_EQ(value, Of(p, 1));
    EXPECT_FALSE(lanes.TryTake(cursor, value));
    EXPECT_FALSE(lanes.mixed());
  }
}

TEST(ReadyLanes, WithoutACursorTheClassesTakeTurnsToo) {
  Lanes lanes;
  for (const Priority p : kAll) Fill(lanes, p, 100);
  std::string taken;
  for (int i = 0; i < 16; ++i) taken += LetterOf(lanes.Take());
  EXPECT_EQ(std::count(taken.begin(), taken.end(), 'H'), 12) << taken;
  EXPECT_EQ(std::count(taken.begin(), taken.end(), 'N'), 3) << taken;
}

// Rights to take are counted before elements are taken, whatever lane they are in.
TEST(ReadyLanes, EveryOneWhoCountedFindsAnElementWhateverTheLanes) {
  constexpr uint64_t kEach = 30'000;
  constexpr size_t kThreads = 3;
  const uint64_t seed = testing::AnnouncedSeed();
  Lanes lanes;
  std::atomic<int64_t> rights{0};
  std::atomic<uint64_t> taken{0};
  std::atomic<uint64_t> sum{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      testing::Random random(seed + t);
      for (uint64_t i = 0; i < kEach; ++i) {
        const Priority p = kAll[random.Below(3)];
        EXPECT_TRUE(lanes.Push(Of(p, t * kEach + i), p));
        rights.fetch_add(1);
        if (random.Below(8) == 0) std::this_thread::yield();
      }
    });
    threads.emplace_back([&, t] {
      Lanes::Cursor cursor(lanes);
      while (taken.load() < kThreads * kEach) {
        int64_t seen = rights.load();
        if (seen <= 0 || !rights.compare_exchange_strong(seen, seen - 1)) {
          std::this_thread::yield();
          continue;
        }
        sum.fetch_add((t == 0 ? lanes.Take() : lanes.Take(cursor)) / 3);
        taken.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, kThreads * kEach);
  EXPECT_EQ(sum, kThreads * kEach * (kThreads * kEach - 1) / 2);
  EXPECT_FALSE(lanes.mixed());
}

// Each as many as there are, whoever is in between a push and its count.
TEST(CountedQueue, WhoTakesACountFindsAnElement) {
  constexpr uint64_t kEach = 50'000;
  constexpr uint64_t kPushers = 2;
  CountedQueue<uint64_t> queue;
  EXPECT_FALSE(queue.Any());
  std::atomic<uint64_t> taken{0};
  std::atomic<uint64_t> sum{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kPushers; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; ++i) EXPECT_TRUE(queue.Push(t * kEach + i + 1));
    });
    threads.emplace_back([&] {
      CountedQueue<uint64_t>::Cursor cursor(queue);
      uint64_t value = 0;
      while (taken.load() < kPushers * kEach) {
        if (!queue.TryTake(cursor, value)) continue;
        sum.fetch_add(value);
        taken.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, kPushers * kEach * (kPushers * kEach + 1) / 2);
  EXPECT_FALSE(queue.Any());
}

}  // namespace
}  // namespace taskvisor::internal
