#include "supervisor/name_index.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/colliding_names.h"
#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using testing::AnnouncedSeed;
using testing::CollidingName;
using testing::Random;

struct Table {
  explicit Table(size_t size, uint64_t expected = 64, NameIndex::Growth growth = {})
      : slots(size), index(expected, &LinkOf, &slots, growth) {}
  static NameLink& LinkOf(void* slots, uint32_t index) {
    return (*static_cast<std::deque<NameLink>*>(slots))[index];
  }
  bool Insert(uint32_t slot, const std::string& name) {
    slots[slot].name.Set(name);
    index.Prepare(slot, name);
    return index.Insert(slot, name);
  }
  void Remove(uint32_t slot) { index.Remove(slot); }

  std::deque<NameLink> slots;
  NameIndex index;
};

TEST(NameIndex, FindsWhatWasInsertedUntilItIsRemoved) {
  Table table(4);
  EXPECT_FALSE(table.index.Find("a").has_value());
  EXPECT_TRUE(table.Insert(0, "a"));
  EXPECT_TRUE(table.Insert(1, "b"));
  EXPECT_EQ(table.index.Find("a"), 0u);
  EXPECT_EQ(table.index.Find("b"), 1u);
  EXPECT_FALSE(table.Insert(2, "a")) << "taken";
  table.Remove(0);
  EXPECT_FALSE(table.index.Find("a").has_value());
  EXPECT_EQ(table.index.Find("b"), 1u);
  EXPECT_TRUE(table.Insert(2, "a"));
  EXPECT_EQ(table.index.Find("a"), 2u);
}

TEST(NameIndex, ARecycledSlotTakesAnotherName) {
  Table table(1);
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "name-" + std::to_string(i % 7);
    ASSERT_TRUE(table.Insert(0, name));
    ASSERT_EQ(table.index.Find(name), 0u);
    table.Remove(0);
    ASSERT_FALSE(table.index.Find(name).has_value());
  }
}

TEST(NameIndex, NamesOfOneHashAreToldApart) {
  ASSERT_TRUE(testing::NamesCollide());
  constexpr uint32_t kNames = 50;
  Table table(kNames);
  for (uint32_t i = 0; i < kNames; ++i) EXPECT_TRUE(table.Insert(i, CollidingName(i)));
  for (uint32_t i = 0; i < kNames; i += 2) table.Remove(i);
  for (uint32_t i = 0; i < kNames; ++i) {
    const auto found = table.index.Find(CollidingName(i));
    EXPECT_EQ(found, i % 2 == 1 ? std::optional(i) : std::nullopt);
  }
}

TEST(NameIndex, HoldsManyMoreNamesThanCells) {
  constexpr uint32_t kNames = 3000;  // in 128 cells
  Table table(kNames + 1);
  for (uint32_t i = 0; i < kNames; ++i)
    ASSERT_TRUE(table.Insert(i, std::string(1, 'n').append(std::to_string(i))));
  for (uint32_t i = 0; i < kNames; ++i) {
    ASSERT_EQ(table.index.Find(std::string(1, 'n').append(std::to_string(i))), i);
    ASSERT_FALSE(table.Insert(kNames, std::string(1, 'n').append(std::to_string(i)))) << "taken";
  }
}

TEST(NameIndex, HasMoreCellsWhenItHasMoreNames) {
  constexpr uint32_t kNames = 20'000;
  Table table(kNames, uint64_t{1} << 20);
  uint32_t cells = table.index.cells();
  EXPECT_EQ(cells, NameIndex::Growth().first);
  for (uint32_t i = 0; i < kNames; ++i) {
    ASSERT_TRUE(table.Insert(i, "n-" + std::to_string(i)));
    ASSERT_GE(table.index.cells(), cells);
    cells = table.index.cells();
  }
  EXPECT_GE(cells, kNames / 4);
  EXPECT_LE(cells, 8 * kNames);
  for (uint32_t i = 0; i < kNames; i += 2) table.Remove(i);
  for (uint32_t i = 0; i < kNames; ++i) {
    const auto found = table.index.Find("n-" + std::to_string(i));
    ASSERT_EQ(found, i % 2 == 1 ? std::optional(i) : std::nullopt);
  }
}

// Last bytes whose lower halves are the same have places apart from each other, or no number of
// cells would be enough.
TEST(NameIndex, HasFewCellsForNamesWithAnyLastBytes) {
  constexpr uint32_t kNames = 2000;
  for (const uint32_t digits : {36u, 62u, 256u}) {
    Table table(kNames, uint64_t{1} << 20);
    for (uint32_t i = 0; i < kNames; ++i) {
      std::string name = "job-" + std::to_string(i / digits);
      const uint32_t digit = i % digits;
      name += static_cast<char>(digits == 256u ? digit
                                : digit < 10   ? '0' + digit
                                : digit < 36   ? 'a' + digit - 10
                                               : 'A' + digit - 36);
      ASSERT_TRUE(table.Insert(i, name));
    }
    EXPECT_LE(table.index.cells(), 8 * kNames) << digits;
  }
}

// A hundred thousand of them, one after the other.
TEST(NameIndex, HasFewCellsForFewNames) {
  constexpr uint32_t kAtOnce = 50;
  Table table(kAtOnce, uint64_t{1} << 20);
  for (uint32_t i = 0; i < 100'000; ++i) {
    if (i >= kAtOnce) table.Remove(i % kAtOnce);
    ASSERT_TRUE(table.Insert(i % kAtOnce, "n-" + std::to_string(i)));
  }
  EXPECT_EQ(table.index.cells(), NameIndex::Growth().first);
}

// Names that do not share a hash, in tables that begin with one cell, from several threads.
TEST(NameIndex, FindsEachNameWhileTheCellsBecomeMore) {
  constexpr uint32_t kThreads = 3;
  constexpr uint32_t kEach = 100;
  for (uint32_t round = 0; round < 200; ++round) {
    Table table(kThreads * kEach, 1024, {.first = 1, .crowd = 2});
    std::atomic<int> missed{0};
    std::barrier start(kThreads);
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const auto name = [&](uint32_t i) { return std::to_string(round * 1000 + i) + "-n"; };
        start.arrive_and_wait();
        for (uint32_t i = t; i < kThreads * kEach; i += kThreads) {
          if (!table.Insert(i, name(i))) missed.fetch_add(1);
          if (i % 2 == 0) table.Remove(i);
          for (uint32_t k = t; k <= i; k += 8 * kThreads) {
            const bool there = table.index.Find(name(k)) == std::optional(k);
            if (there != (k % 2 == 1)) missed.fetch_add(1);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(missed, 0);
    ASSERT_GT(table.index.cells(), 32u);
  }
}

TEST(NameIndex, OfRacingInsertsOfOneNameExactlyOneWins) {
  constexpr uint32_t kThreads = 3;
  Table table(kThreads);
  std::atomic<uint32_t> winners{0};
  std::atomic<uint32_t> bad_rounds{0};
  const auto judge = [&]() noexcept {
    if (winners.exchange(0) != 1) bad_rounds.fetch_add(1);
  };
  std::barrier start(kThreads);
  std::barrier inserted(kThreads, judge);
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 2000; ++round) {
        start.arrive_and_wait();
        const bool mine = table.Insert(t, "the name");
        winners.fetch_add(mine);
        inserted.arrive_and_wait();
        if (mine) table.Remove(t);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad_rounds, 0u);
}

// Threads that take and free few names, half of which have one hash, with slots of their
// own that are recycled at once: a name never has two holders, and its holder finds it.
TEST(NameIndex, SeededThreadsOnFewNamesNeverShareOne) {
  const uint64_t seed = AnnouncedSeed();
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kSlotsEach = 2;
  std::array<std::string, 8> names;
  for (size_t i = 0; i < names.size(); ++i) {
    names[i] = i % 2 == 0 ? CollidingName(i) : "name-" + std::to_string(i);
  }
  Table table(kThreads * kSlotsEach);
  std::array<std::atomic<int>, 8> holders{};
  std::atomic<int> shared{0};
  std::atomic<int> missed{0};
  std::atomic<int> finds{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed + t);
      std::array<int, kSlotsEach> holds{-1, -1};
      for (int step = 0; step < 30'000; ++step) {
        const auto k = static_cast<uint32_t>(random.Below(kSlotsEach));
        const uint32_t slot = t * kSlotsEach + k;
        if (holds[k] >= 0) {
          const auto held = static_cast<size_t>(holds[k]);
          if (table.index.Find(names[held]) != slot) missed.fetch_add(1);
          holders[held].fetch_sub(1);
          table.Remove(slot);
          holds[k] = -1;
          continue;
        }
        const size_t wanted = random.Below(names.size());
        if (table.Insert(slot, names[wanted])) {
          if (holders[wanted].fetch_add(1) != 0) shared.fetch_add(1);
          holds[k] = static_cast<int>(wanted);
        }
        finds.fetch_add(table.index.Find(names[random.Below(names.size())]).has_value());
      }
      for (uint32_t k = 0; k < kSlotsEach; ++k) {
        if (holds[k] < 0) continue;
        holders[static_cast<size_t>(holds[k])].fetch_sub(1);
        table.Remove(t * kSlotsEach + k);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, 0) << "two slots had one name";
  EXPECT_EQ(missed, 0) << "a held name was not found";
  EXPECT_GT(finds, 0);
  for (const std::string& name : names) EXPECT_FALSE(table.index.Find(name).has_value());
}

}  // namespace
}  // namespace taskvisor::internal
