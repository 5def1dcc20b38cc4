#include "bus/block_store.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <vector>

#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using testing::AnnouncedSeed;
using testing::Random;

constexpr auto kNobodyIsPast = [](size_t, uint64_t) { return false; };
constexpr auto kAllArePast = [](size_t, uint64_t) { return true; };

TEST(BlockStore, WhatIsNotKeptIsGivenOutAgain) {
  BlockStore store(1);
  char* const first = store.Reserve(100, kNobodyIsPast);
  EXPECT_EQ(store.Reserve(100, kNobodyIsPast), first);
  store.Keep(100);
  EXPECT_GE(store.Reserve(100, kNobodyIsPast), first + 100);
}

TEST(BlockStore, WhatNobodyTookIsGivenOutAgain) {
  BlockStore store(1);
  static_cast<void>(store.Reserve(100, kNobodyIsPast));
  store.Keep(100);
  const size_t place = store.place();
  char* const second = store.Reserve(100, kNobodyIsPast);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store.Fits(100));
    static_cast<void>(store.Reserve(100, kNobodyIsPast));
    store.Keep(100);
  }
  store.TakeBack(place);
  EXPECT_EQ(store.Reserve(100, kNobodyIsPast), second);
}

TEST(BlockStore, ABlockIsUsedAgainWhenItsUsersAreDone) {
  BlockStore store(2);
  for (int i = 0; i < 1000; ++i) {
    static_cast<void>(store.Reserve(BlockStore::kBlock / 2, kAllArePast));
    store.Keep(BlockStore::kBlock / 2);
    store.Mark(static_cast<size_t>(i % 2), static_cast<uint64_t>(i) + 1);
  }
  EXPECT_LE(store.blocks(), 2u);
}

TEST(BlockStore, ARecordLongerThanABlockGetsOneOfItsOwn) {
  BlockStore store(1);
  char* const room = store.Reserve(3 * BlockStore::kBlock, kNobodyIsPast);
  std::memset(room, 1, 3 * BlockStore::kBlock);
  store.Keep(3 * BlockStore::kBlock);
  EXPECT_NE(store.Reserve(1, kNobodyIsPast), nullptr);
}

TEST(BlockStore, WhatComesBehindARecordLongerThanABlockIsNotBehindThatBlocksEnd) {
  BlockStore store(1);
  constexpr size_t kSize = BlockStore::kBlock + 9;  // no multiple of an alignment
  char* const room = store.Reserve(kSize, kNobodyIsPast);
  std::memset(room, 1, kSize);
  store.Mark(0, 1);  // still queued
  store.Keep(kSize);
  char* const next = store.Reserve(64, kNobodyIsPast);
  EXPECT_TRUE(next < room || next >= room + kSize + 64) << next - room;
}

TEST(BlockStore, AStuckUserKeepsItsBlocksAndNoFurtherOnesAreMade) {
  BlockStore store(2);
  uint64_t pushed = 0;
  const auto past = [&](size_t user, uint64_t mark) { return user == 1 && mark < pushed; };
  const auto put = [&](bool both) {
    static_cast<void>(store.Reserve(BlockStore::kBlock, past));
    store.Mark(1, ++pushed);
    if (both) store.Mark(0, pushed);
    store.Keep(BlockStore::kBlock);
  };
  for (int i = 0; i < 20; ++i) put(/*both=*/true);
  for (int i = 0; i < 100'000; ++i) put(/*both=*/false);
  EXPECT_LE(store.blocks(), 20u + 3u);
}

// Users that queue some of the records and are done with them later, each in its own time:
// what is queued is never written to, and memory stays near what is queued.
TEST(BlockStore, WhatIsQueuedStaysAsItWas) {
  Random random(AnnouncedSeed());
  constexpr size_t kUsers = 3;
  struct Queued {
    const char* at;
    size_t size;
    char content;
    uint64_t mark;
  };
  BlockStore store(kUsers);
  std::vector<std::deque<Queued>> queues(kUsers);
  std::vector<uint64_t> pushed(kUsers), popped(kUsers);
  const auto past = [&](size_t user, uint64_t mark) { return popped[user] >= mark; };
  const auto hand_over = [&](size_t user) {
    const Queued& oldest = queues[user].front();
    for (size_t i = 0; i < oldest.size; ++i) ASSERT_EQ(oldest.at[i], oldest.content);
    popped[user] = oldest.mark;
    queues[user].pop_front();
  };
  for (int step = 0; step < 20'000; ++step) {
    const size_t size = 56 + random.Below(600);
    const char content = static_cast<char>(step);
    char* const room = store.Reserve(size, past);
    ASSERT_NE(room, nullptr);
    std::memset(room, content, size);
    bool taken = false;
    for (size_t user = 0; user < kUsers; ++user) {
      if (queues[user].size() >= 50 || !random.Percent(60)) continue;
      queues[user].push_back({room, size, content, ++pushed[user]});
      store.Mark(user, pushed[user]);
      taken = true;
    }
    if (taken) store.Keep(size);
    const size_t user = random.Below(kUsers);
    for (uint64_t n = random.Below(5); n > 0 && !queues[user].empty(); --n) hand_over(user);
  }
  EXPECT_LE(store.blocks(), 50 * kUsers + 2);
}

}  // namespace
}  // namespace taskvisor::internal
