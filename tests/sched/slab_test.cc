#include "sched/slab.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using testing::AnnouncedSeed;
using testing::Random;

struct Item {
  Item() { made.fetch_add(1); }
  ~Item() { made.fetch_sub(1); }
  std::atomic<int> owners{0};
  int value = 0;
  static inline std::atomic<int> made{0};
};

TEST(Slab, GivesOutExactlyItsCapacity) {
  for (const uint32_t capacity : {1u, 3u, 256u, 257u, 1000u}) {
    Slab<Item> slab(capacity);
    std::set<uint32_t> out;
    while (const auto index = slab.Allocate()) {
      EXPECT_LT(*index, capacity);
      EXPECT_TRUE(out.insert(*index).second) << "given out twice";
    }
    EXPECT_EQ(out.size(), capacity);
    EXPECT_EQ(slab.used(), capacity);
    slab.Free(*out.begin());
    EXPECT_EQ(slab.Allocate(), *out.begin());
    EXPECT_FALSE(slab.Allocate().has_value());
  }
}

TEST(Slab, ASlotStaysWhereItIsAndIsNotBuiltAgain) {
  Slab<Item> slab(600);
  const uint32_t index = slab.Allocate().value();
  Item* const item = &slab.At(index);
  item->value = 7;
  slab.Free(index);
  for (int i = 0; i < 600; ++i) EXPECT_TRUE(slab.Allocate().has_value());
  EXPECT_EQ(&slab.At(index), item);
  EXPECT_EQ(item->value, 7);
  EXPECT_EQ(slab.Find(index), item);
}

TEST(Slab, FindKnowsNoForgedNumbers) {
  Slab<Item> slab(1000);
  EXPECT_EQ(slab.Find(0), nullptr);
  EXPECT_TRUE(slab.Allocate().has_value());
  EXPECT_NE(slab.Find(0), nullptr);
  EXPECT_EQ(slab.Find(999), nullptr) << "its chunk was never made";
  EXPECT_EQ(slab.Find(1000), nullptr);
  EXPECT_EQ(slab.Find(UINT32_MAX), nullptr);
}

TEST(Slab, BuildsOnlyChunksThatAreUsedAndDestroysThem) {
  {
    Slab<Item> slab(100'000);
    EXPECT_EQ(Item::made, 0);
    EXPECT_TRUE(slab.Allocate().has_value());
    EXPECT_EQ(Item::made, static_cast<int>(Slab<Item>::kChunk));
  }
  EXPECT_EQ(Item::made, 0);
}

TEST(Slab, WhoTakesManyTakesThoseThatWereFreedAndThenFreshOnesOfOneChunkEach) {
  constexpr uint32_t kCapacity = 600;
  Slab<Item> slab(kCapacity);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(slab.Allocate(), i);
  slab.Free(1);
  Slab<Item>::Taken taken;
  std::set<uint32_t> out{0, 2};
  for (size_t more = 300; more > 0; --more) {
    const auto index = slab.Allocate(taken, more);
    ASSERT_TRUE(index.has_value());
    EXPECT_TRUE(out.insert(*index).second) << "given out twice";
  }
  EXPECT_EQ(taken.next, taken.end) << "more than were asked for";
  EXPECT_EQ(slab.used(), 302u);
  // Here it gives up, with some of them in its hands.
  EXPECT_TRUE(out.insert(slab.Allocate(taken, 1000).value()).second);
  EXPECT_EQ(slab.used(), 512u) << "one chunk at a time";
  slab.GiveBack(taken);
  while (const auto index = slab.Allocate(taken, 1000)) EXPECT_TRUE(out.insert(*index).second);
  EXPECT_EQ(out.size(), kCapacity) << "slots got lost";
}

// Slots of it come back, and go out, several at a time.
struct Linked {
  std::atomic<int> owners{0};
  int value = 0;
  std::atomic<uint32_t> next_free{0};
  std::atomic<uint32_t> next_chain{0};
};

TEST(Slab, WhatWasGivenBackTogetherIsTakenTogether) {
  constexpr uint32_t kTogether = Slab<Linked>::kTogether;
  Slab<Linked> slab(2 * kTogether);
  std::vector<uint32_t> out;
  while (const auto index = slab.Allocate()) out.push_back(*index);
  Slab<Linked>::Returned returned;
  for (uint32_t i = 0; i + 1 < kTogether; ++i) slab.FreeLater(out[i], returned);
  EXPECT_FALSE(slab.Allocate().has_value()) << "they are kept so far";
  slab.FreeLater(out[kTogether - 1], returned);
  EXPECT_EQ(returned.count, 0u) << "that is enough to keep";

  Slab<Linked>::Taken one;
  Slab<Linked>::Taken other;
  EXPECT_TRUE(slab.Allocate(one, 1).has_value());
  EXPECT_FALSE(slab.Allocate(other, 1).has_value()) << "all of them are taken";
  EXPECT_EQ(one.likely(), out[kTogether - 2] + 1);
  slab.GiveBack(one);
  std::set<uint32_t> again;
  while (const auto index = slab.Allocate(other, 1)) again.insert(*index);
  EXPECT_EQ(again.size(), kTogether - 1);
}

TEST(Slab, SomeThatAreGivenBackBeforeThereAreEnoughAreThereForAll) {
  Slab<Linked> slab(5);
  std::vector<uint32_t> out;
  while (const auto index = slab.Allocate()) out.push_back(*index);
  Slab<Linked>::Returned returned;
  for (const uint32_t index : out) slab.FreeLater(index, returned);
  slab.FreeNow(returned);
  slab.FreeNow(returned);  // nothing more
  std::set<uint32_t> again;
  while (const auto index = slab.Allocate()) again.insert(*index);
  EXPECT_EQ(again.size(), out.size());
}

template <class T>
void ExpectOneOwnerEach() {
  const uint64_t seed = AnnouncedSeed();
  Slab<T> slab(300);  // more than one chunk, and often dry
  std::atomic<int> shared{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed + t);
      std::vector<uint32_t> mine;
      typename Slab<T>::Taken taken;
      typename Slab<T>::Returned returned;
      for (int step = 0; step < 30'000; ++step) {
        if (random.Percent(55) && mine.size() < 100) {
          const auto index = slab.Allocate(taken, 1 + random.Below(8));
          if (random.Percent(10)) slab.GiveBack(taken);
          if (!index.has_value()) continue;
          if (slab.At(*index).owners.fetch_add(1) != 0) shared.fetch_add(1);
          ++slab.At(*index).value;  // plain: the slab hands it over
          mine.push_back(*index);
        } else if (!mine.empty()) {
          slab.At(mine.back()).owners.fetch_sub(1);
          random.Percent(50) ? slab.Free(mine.back()) : slab.FreeLater(mine.back(), returned);
          mine.pop_back();
        } else {
          slab.FreeNow(returned);
        }
      }
      slab.FreeNow(returned);
      slab.GiveBack(taken);
      for (const uint32_t index : mine) {
        slab.At(index).owners.fetch_sub(1);
        slab.Free(index);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, 0);
  int left = 0;
  while (slab.Allocate().has_value()) ++left;
  EXPECT_EQ(left, 300) << "slots got lost";
}

TEST(Slab, ASlotHasOneOwnerUnderSeededThreads) { ExpectOneOwnerEach<Item>(); }
TEST(Slab, ASlotOfAChainHasOneOwnerUnderSeededThreads) { ExpectOneOwnerEach<Linked>(); }

}  // namespace
}  // namespace taskvisor::internal
