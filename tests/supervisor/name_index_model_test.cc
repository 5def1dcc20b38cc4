// Model of supervisor/name_index.h: see tests/support/model.h. The names all have one hash,
// so they share one place; those of the index that grows have several, and none at first.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "supervisor/name_index.h"
#include "tests/support/colliding_names.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::CollidingName;
using testing::Explore;
using testing::Model;

constexpr size_t kSlots = 4;

// Slots and an index over them, with books of who holds which name.
struct Scene {
  explicit Scene(NameIndex::Growth growth = {}) : index{4, &LinkOf, &slots, growth} {
    EXPECT_TRUE(testing::NamesCollide());
    for (size_t n = 0; n < names.size(); ++n) names[n] = CollidingName(n + 1);
  }
  static NameLink& LinkOf(void* slots, uint32_t index) {
    return (*static_cast<std::array<NameLink, kSlots>*>(slots))[index];
  }

  // As Registry::SetName and ClaimName.
  bool Insert(uint32_t slot, size_t name) {
    slots[slot].name.Set(names[name]);
    index.Prepare(slot, names[name]);
    return index.Insert(slot, names[name]);
  }
  // As those, and Finish: true if the slot had the name for a while.
  bool HoldName(uint32_t slot, size_t name) {
    if (!Insert(slot, name)) {
      slots[slot].name.Set({});
      return false;
    }
    EXPECT_FALSE(held[name]) << "two slots have one name";
    held[name] = true;
    const auto found = index.Find(names[name]);
    EXPECT_TRUE(found == slot) << "a name that is held is not found";
    held[name] = false;
    index.Remove(slot);
    slots[slot].name.Set({});
    return true;
  }

  std::array<NameLink, kSlots> slots{};
  NameIndex index;
  std::array<std::string, 3> names;
  std::array<bool, 3> held{};
};

// Three threads hold the three names for a while, by draws, until nobody holds any.
void HoldNamesAtOnce(Model& model, Scene& scene) {
  static constexpr std::array kThreads{"adder 0", "adder 1", "adder 2"};
  for (uint32_t thread = 0; thread < 3; ++thread) {
    const uint64_t draws = model.random().Next();
    model.Spawn(kThreads[thread], [&scene, thread, draws] {
      for (int round = 0; round < 3; ++round) {
        static_cast<void>(scene.HoldName(thread, (draws >> (8 * round)) % 3));
      }
    });
  }
  model.Run();
  for (const std::string& name : scene.names) {
    EXPECT_FALSE(scene.index.Find(name).has_value()) << "a removed name is found";
  }
}

// Slots are recycled at once, with other names: the worst case for the tags.
TEST(NameIndexModel, ANameHasOneHolderAndIsFoundWhileHeld) {
  Explore(15'000, [](Model& model) {
    Scene scene;
    HoldNamesAtOnce(model, scene);
  });
}

TEST(NameIndexModel, OfRacingInsertsOfOneNameOneWins) {
  Explore(15'000, [](Model& model) {
    Scene scene;
    int winners = 0;
    static constexpr std::array kThreads{"adder 0", "adder 1", "adder 2"};
    for (uint32_t thread = 0; thread < 3; ++thread) {
      model.Spawn(kThreads[thread], [&, thread] { winners += scene.Insert(thread, 0); });
    }
    // Meanwhile the chain moves in front of and behind them.
    model.Spawn("other", [&] {
      EXPECT_TRUE(scene.HoldName(3, 1));
      EXPECT_TRUE(scene.HoldName(3, 2));
    });
    model.Run();
    EXPECT_EQ(winners, 1);
    EXPECT_TRUE(scene.index.Find(scene.names[0]).has_value());
  });
}

// A name that stays is found at any moment, whatever its neighbours do.
TEST(NameIndexModel, AFinderNeverMissesANameThatStays) {
  Explore(15'000, [](Model& model) {
    Scene scene;
    ASSERT_TRUE(scene.Insert(0, 0));
    model.Spawn("finder", [&] {
      for (int look = 0; look < 4; ++look) EXPECT_EQ(scene.index.Find(scene.names[0]), 0u);
    });
    for (uint32_t slot : {1u, 2u}) {
      model.Spawn("neighbour", [&scene, slot] {
        for (int round = 0; round < 2; ++round) static_cast<void>(scene.HoldName(slot, slot));
      });
    }
    model.Run();
  });
}

// One cell, and with each name that goes in behind another one twice as many.
struct GrowingScene : Scene {
  GrowingScene() : Scene({.first = 1, .crowd = 1}) { names = {"a", "b", "c"}; }
};

TEST(NameIndexModel, ANameHasOneHolderWhileTheCellsBecomeMore) {
  uint32_t most = 0;
  Explore(15'000, [&](Model& model) {
    GrowingScene scene;
    HoldNamesAtOnce(model, scene);
    most = std::max(most, scene.index.cells());
  });
  EXPECT_GE(most, 4u);
}

TEST(NameIndexModel, NamesThatStayAreFoundWhileTheCellsBecomeMore) {
  Explore(15'000, [](Model& model) {
    GrowingScene scene;
    for (uint32_t slot : {0u, 1u}) {
      model.Spawn("adder", [&scene, slot] {
        ASSERT_TRUE(scene.Insert(slot, slot));
        for (size_t name = 0; name <= slot; ++name) {
          static_cast<void>(scene.index.Find(scene.names[name]));
        }
        EXPECT_EQ(scene.index.Find(scene.names[slot]), slot);
      });
    }
    model.Spawn("other", [&] {
      for (int round = 0; round < 2; ++round) EXPECT_TRUE(scene.HoldName(2, 2));
    });
    model.Run();
    for (uint32_t slot : {0u, 1u}) EXPECT_EQ(scene.index.Find(scene.names[slot]), slot);
  });
}

}  // namespace
}  // namespace taskvisor::internal
