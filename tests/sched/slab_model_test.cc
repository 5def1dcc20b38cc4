// Model of sched/slab.h and sched/index_stack.h: see tests/support/model.h.

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include "sched/index_stack.h"
#include "sched/slab.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

// The ABA test: with three numbers and three threads, tops come back all the time.
TEST(IndexStackModel, ANumberIsHeldByOneThreadAtATimeAndNoneGetsLost) {
  Explore(50'000, [](Model& model) {
    IndexStack stack;
    std::array<Atomic<uint32_t>, 3> links{};
    const auto link = [&](uint32_t i) -> Atomic<uint32_t>& { return links[i]; };
    for (uint32_t i = 0; i < 3; ++i) stack.Push(i, link);
    std::array<bool, 3> held{};
    const auto take_and_give = [&] {
      for (int round = 0; round < 3; ++round) {
        const std::optional<uint32_t> first = stack.Pop(link);
        const std::optional<uint32_t> second = round == 1 ? stack.Pop(link) : std::nullopt;
        for (const auto& taken : {first, second}) {
          if (!taken.has_value()) continue;
          EXPECT_FALSE(held[*taken]);
          held[*taken] = true;
        }
        Model::Step();
        for (const auto& taken : {first, second}) {
          if (!taken.has_value()) continue;
          held[*taken] = false;
          stack.Push(*taken, link);
        }
      }
    };
    for (const char* name : {"one", "two", "three"}) model.Spawn(name, take_and_give);
    model.Run();

    std::array<int, 3> left{};
    while (const auto index = stack.Pop(link)) ++left[*index];
    EXPECT_EQ(left, (std::array<int, 3>{1, 1, 1}));
  });
}

TEST(SlabModel, CapacityIsExactAndASlotHasOneOwner) {
  Explore(30'000, [](Model& model) {
    Slab<Atomic<int>> slab(2);
    std::array<bool, 2> held{};
    int most = 0;
    int now = 0;
    const auto use = [&] {
      for (int round = 0; round < 3; ++round) {
        const auto index = slab.Allocate();
        if (!index.has_value()) continue;
        EXPECT_FALSE(held[*index]);
        held[*index] = true;
        most = std::max(most, ++now);
        slab.At(*index).fetch_add(1);
        held[*index] = false;
        --now;
        slab.Free(*index);
      }
    };
    for (const char* name : {"one", "two", "three"}) model.Spawn(name, use);
    model.Run();
    EXPECT_LE(most, 2);
    EXPECT_LE(slab.used(), 2u);
    // Nothing is lost: both slots can be had again, and no third.
    EXPECT_TRUE(slab.Allocate().has_value());
    EXPECT_TRUE(slab.Allocate().has_value());
    EXPECT_FALSE(slab.Allocate().has_value());
  });
}

// What was written before Free is there after the Allocate that returns the slot.
TEST(SlabModel, ARecycledSlotKeepsWhatWasWrittenInIt) {
  Explore(30'000, [](Model& model) {
    Slab<Atomic<int>> slab(1);
    int uses = 0;
    const auto use = [&] {
      for (int round = 0; round < 3; ++round) {
        const auto index = slab.Allocate();
        if (!index.has_value()) continue;
        EXPECT_EQ(slab.At(*index).fetch_add(1), uses);
        ++uses;
        slab.Free(*index);
      }
    };
    model.Spawn("one", use);
    model.Spawn("two", use);
    model.Run();
    EXPECT_EQ(slab.At(0).load(), uses);
  });
}

struct Linked {
  Atomic<int> uses{0};
  Atomic<uint32_t> next_free{0};
  Atomic<uint32_t> next_chain{0};
};

// Chains come back and go out; who has taken one gives the rest of it back.
TEST(SlabModel, ASlotOfAChainHasOneOwnerAndNoneGetsLost) {
  static constexpr uint32_t kSlots = 4;
  Explore(50'000, [](Model& model) {
    Slab<Linked> slab(kSlots);
    std::array<bool, kSlots> held{};
    {
      Slab<Linked>::Returned returned;
      std::array<uint32_t, kSlots> all{};
      for (uint32_t& index : all) index = *slab.Allocate();
      for (const uint32_t index : all) slab.FreeLater(index, returned);
      slab.FreeNow(returned);
    }
    const auto use = [&] {
      Slab<Linked>::Taken taken;
      Slab<Linked>::Returned returned;
      for (int round = 0; round < 3; ++round) {
        const auto index = slab.Allocate(taken, 1);
        if (!index.has_value()) continue;
        EXPECT_FALSE(held[*index]);
        held[*index] = true;
        const int before = slab.At(*index).uses.load();
        slab.At(*index).uses.store(before + 1);
        held[*index] = false;
        slab.FreeLater(*index, returned);
        if (round == 0) slab.GiveBack(taken);
        if (round > 0) slab.FreeNow(returned);
      }
      slab.FreeNow(returned);
      slab.GiveBack(taken);
    };
    for (const char* name : {"one", "two", "three"}) model.Spawn(name, use);
    model.Run();
    EXPECT_EQ(slab.used(), kSlots);
    for (uint32_t i = 0; i < kSlots; ++i) EXPECT_TRUE(slab.Allocate().has_value());
    EXPECT_FALSE(slab.Allocate().has_value());
  });
}

}  // namespace
}  // namespace taskvisor::internal
