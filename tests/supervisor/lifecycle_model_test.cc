// Model of supervisor/lifecycle.h: see tests/support/model.h.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "supervisor/lifecycle.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

// Blocks of two, whatever room there is: so credits come and go, and are revoked, all the time.
constexpr Lifecycle::Blocks kTinyBlocks = {.size = 2, .slack = 0};

struct Adders {
  [[nodiscard]] std::vector<Lifecycle::Credits*> All() { return {&of[0], &of[1], &of[2]}; }
  std::array<Lifecycle::Credits, 3> of;
};

// Adders that wait for room, a shutdown that closes and waits for emptiness: nobody sleeps
// for ever, the limit holds, and after the close nobody gets in.
TEST(LifecycleModel, WhoWaitsForRoomOrEmptinessIsWoken) {
  Explore(30'000, [](Model& model) {
    const int max = 1 + static_cast<int>(model.random().Below(3));
    Adders adders;
    Lifecycle gate(static_cast<uint64_t>(max), /*places=*/2, adders.All(), kTinyBlocks);
    std::set<uint64_t> ordinals;
    int inside = 0;
    bool closed = false;
    bool closed_and_empty = false;
    // Two of them leave as workers do, at a place of their own, and tell of it when they rest.
    const auto add = [&](size_t place) {
      for (int round = 0; round < 2; ++round) {
        Lifecycle::Entered entered = Lifecycle::Entered::kFull;
        uint64_t ordinal = 0;
        while ((entered = gate.Enter(1, &ordinal, &adders.of[place])) ==
               Lifecycle::Entered::kFull) {
          Await(gate.changed(), [&] {
            gate.WatchRoom();
            return gate.closed() || gate.HasRoom(1);
          });
        }
        if (entered == Lifecycle::Entered::kClosed) break;
        EXPECT_FALSE(closed_and_empty);
        EXPECT_TRUE(ordinals.insert(ordinal).second) << "two of one number";
        EXPECT_LE(++inside, max);
        Model::Step();
        --inside;
        place == Lifecycle::kOutside ? gate.Leave(1) : gate.LeaveAt(place);
      }
      if (place != Lifecycle::kOutside) gate.TellIfEmpty();
    };
    Atomic<int> adding{3};
    EventCount added;
    const char* const names[] = {"adder 1", "adder 2", "adder 3"};
    for (size_t place = 0; place < 3; ++place) {
      model.Spawn(names[place], [&, place] {
        add(place);
        adding.fetch_sub(1);
        added.Notify();
      });
    }
    // Half of the time it comes only when all have had their room.
    const bool late = model.random().Percent(50);
    model.Spawn("shutdown", [&, late] {
      if (late) Await(added, [&] { return adding.load() == 0; });
      EXPECT_TRUE(gate.Close());
      closed = true;
      Await(gate.changed(), [&] {
        gate.WatchEmpty();
        return gate.members() == 0;
      });
      EXPECT_EQ(inside, 0);
      closed_and_empty = true;
    });
    model.Run();
    EXPECT_TRUE(closed);
    EXPECT_EQ(gate.members(), 0u);
    EXPECT_EQ(gate.Enter(1), Lifecycle::Entered::kClosed);
  });
}

// The natural end: closed when empty, by one only, and never while somebody is in.
TEST(LifecycleModel, CloseIfEmptyNeverClosesOverAMember) {
  Explore(30'000, [](Model& model) {
    Adders adders;
    Lifecycle gate(5, /*places=*/0, adders.All(), kTinyBlocks);
    ASSERT_EQ(gate.Enter(1, nullptr, &adders.of[0]), Lifecycle::Entered::kYes);
    int inside = 1;
    int closers = 0;
    model.Spawn("outside", [&] {
      for (int i = 0; i < 3; ++i) {
        if (gate.Enter(1, nullptr, &adders.of[1]) != Lifecycle::Entered::kYes) break;
        EXPECT_EQ(closers, 0) << "let in behind the close";
        ++inside;
        Model::Step();
        --inside;
        gate.Leave(1);
      }
    });
    model.Spawn("first task", [&] {
      // It adds others before it ends, as a body may.
      for (const uint64_t more : {2u, 1u}) {
        if (gate.Enter(more, nullptr, &adders.of[0]) != Lifecycle::Entered::kYes) continue;
        inside += static_cast<int>(more);
        Model::Step();
        inside -= static_cast<int>(more);
        gate.Leave(more);
      }
      --inside;
      gate.Leave(1);
    });
    for (const char* name : {"run", "shutdown"}) {
      model.Spawn(name, [&] {
        while (!gate.closed()) {
          if (gate.CloseIfEmpty()) {
            ++closers;
            EXPECT_EQ(inside, 0);
            return;
          }
          Await(gate.changed(), [&] {
            gate.WatchEmpty();
            return gate.closed() || gate.members() == 0;
          });
        }
      });
    }
    model.Run();
    EXPECT_EQ(closers, 1);
    EXPECT_EQ(gate.members(), 0u);
  });
}

// A full supervisor whose task never ends by itself: who waits learns of the close.
TEST(LifecycleModel, WhoWaitsIsToldOfTheClose) {
  Explore(20'000, [](Model& model) {
    Lifecycle gate(1);
    ASSERT_EQ(gate.Enter(1), Lifecycle::Entered::kYes);
    model.Spawn("adder", [&] {
      Await(gate.changed(), [&] {
        gate.WatchRoom();
        return gate.closed() || gate.HasRoom(1);
      });
      EXPECT_EQ(gate.Enter(1), Lifecycle::Entered::kClosed);
    });
    model.Spawn("run", [&] {
      Await(gate.changed(), [&] {
        gate.WatchEmpty();
        return gate.closed() || gate.members() == 0;
      });
    });
    model.Spawn("shutdown", [&] { EXPECT_TRUE(gate.Close()); });
    model.Run();
    EXPECT_EQ(gate.members(), 1u);
  });
}

using Entered = Lifecycle::Entered;

// One takes a block and is held up before it has its credits; the others find no room, and
// nobody ever leaves.
TEST(LifecycleModel, WhoWaitsForRoomIsToldOfCreditsThatCome) {
  Explore(30'000, [](Model& model) {
    Adders adders;
    Lifecycle gate(3, /*places=*/0, adders.All(), kTinyBlocks);
    int inside = 0;
    int refused = 0;
    model.Spawn("block", [&] {
      ++(gate.Enter(1, nullptr, &adders.of[0]) == Entered::kYes ? inside : refused);
    });
    for (const size_t adder : {1u, 2u}) {
      model.Spawn("adder", [&, adder] {
        while (gate.Enter(1, nullptr, &adders.of[adder]) == Entered::kFull) {
          Await(gate.changed(), [&] {
            gate.WatchRoom();
            return gate.HasRoom(1);
          });
        }
        ++inside;
      });
    }
    model.Run();
    EXPECT_EQ(inside, 3 - refused);
    EXPECT_EQ(gate.members(), static_cast<uint64_t>(inside));
  });
}

// Three credits, and room for no more: of two who come, one must return these for both.
TEST(LifecycleModel, NobodyIsRefusedWhileAnotherReturnsCredits) {
  Explore(30'000, [](Model& model) {
    Adders adders;
    Lifecycle gate(10, /*places=*/0, adders.All(), {.size = 4, .slack = 2});
    ASSERT_EQ(gate.Enter(1, nullptr, &adders.of[0]), Entered::kYes);
    ASSERT_EQ(gate.Enter(6), Entered::kYes);
    for (const char* name : {"one", "other"}) {
      model.Spawn(name, [&] { EXPECT_EQ(gate.Enter(1), Entered::kYes); });
    }
    model.Spawn("looker", [&] {
      for (int i = 0; i < 3; ++i) {
        const uint64_t members = gate.members();
        EXPECT_TRUE(members >= 7 && members <= 9) << members;
      }
    });
    model.Run();
    EXPECT_EQ(gate.members(), 9u);
  });
}

// Room for a block is a hint: when the block does not fit, one may.
TEST(LifecycleModel, OneEntersWhereABlockDoesNotFit) {
  Explore(30'000, [](Model& model) {
    Adders adders;
    Lifecycle gate(10, /*places=*/0, adders.All(), {.size = 4, .slack = 2});
    model.Spawn("one", [&] { EXPECT_EQ(gate.Enter(1, nullptr, &adders.of[0]), Entered::kYes); });
    model.Spawn("nine", [&] { static_cast<void>(gate.Enter(9)); });  // see L4
    model.Run();
  });
}

// What has left is added up before the credits, and both before the word: see L2.
TEST(LifecycleModel, MembersAreNeverFewerThanNone) {
  Explore(30'000, [](Model& model) {
    constexpr uint64_t kMax = 6;
    constexpr uint64_t kEver = 2 * 4 * kTinyBlocks.size + kMax;  // so many are counted, in all
    Adders adders;
    Lifecycle gate(kMax, /*places=*/2, adders.All(), kTinyBlocks);
    int adding = 2;
    for (const size_t place : {1u, 2u}) {
      model.Spawn("adder", [&, place] {
        for (int round = 0; round < 4; ++round) {
          if (gate.Enter(1, nullptr, &adders.of[place]) == Entered::kYes) gate.LeaveAt(place);
        }
        --adding;
      });
    }
    model.Spawn("batch", [&] {
      if (gate.Enter(kMax) == Entered::kYes) gate.Leave(kMax);
    });
    model.Spawn("looker", [&] {
      while (adding > 0) {
        EXPECT_LE(gate.members(), kEver);
        Model::Step();
      }
    });
    model.Run();
    EXPECT_EQ(gate.members(), 0u);
  });
}

// What a shutdown asks again, in each of its phases: empty behind the close is empty for good.
TEST(LifecycleModel, OnceEmptyBehindTheCloseItStaysEmpty) {
  Explore(30'000, [](Model& model) {
    Adders adders;
    Lifecycle gate(8, /*places=*/0, adders.All(), {.size = 4, .slack = 0});
    ASSERT_EQ(gate.Enter(1, nullptr, &adders.of[0]), Entered::kYes);  // three credits are left
    gate.Leave(1);
    for (const size_t adder : {0u, 1u}) {
      model.Spawn("adder", [&, adder] {
        for (int i = 0; i < 3; ++i) {
          if (gate.Enter(1, nullptr, &adders.of[adder]) == Entered::kYes) gate.Leave(1);
        }
      });
    }
    model.Spawn("shutdown", [&] {
      gate.Close();
      Await(gate.changed(), [&] {
        gate.WatchEmpty();
        return gate.members() == 0;
      });
      for (int phase = 0; phase < 2; ++phase) EXPECT_EQ(gate.members(), 0u);
    });
    model.Run();
  });
}

// There is one at every moment: first the one of adder 1, then also that of adder 0, which comes
// while another thread looks for credits and has passed by, then only that.
TEST(LifecycleModel, NobodyIsRefusedWhileThereIsAlwaysACredit) {
  Explore(50'000, [](Model& model) {
    Adders adders;
    Lifecycle gate(4, /*places=*/0, adders.All(), kTinyBlocks);
    ASSERT_EQ(gate.Enter(1, nullptr, &adders.of[1]), Entered::kYes);
    bool brought = false;
    model.Spawn("block", [&] {
      EXPECT_EQ(gate.Enter(1, nullptr, &adders.of[0]), Entered::kYes);
      brought = true;
    });
    model.Spawn("credit", [&] {
      while (!brought) Model::Step();
      static_cast<void>(Lifecycle::TakeOne(adders.of[1]));  // and never a block (L4)
    });
    model.Spawn("one", [&] { EXPECT_EQ(gate.Enter(1), Entered::kYes); });
    model.Run();
  });
}

// One leaves, then another one uses its credit: there are never four.
TEST(LifecycleModel, FullIsSaidOnlyWhereItWasFull) {
  Explore(100'000, [](Model& model) {
    Adders adders;
    Lifecycle gate(4, /*places=*/1, adders.All(), kTinyBlocks);
    ASSERT_EQ(gate.Enter(1, nullptr, &adders.of[0]), Entered::kYes);
    ASSERT_EQ(gate.Enter(2), Entered::kYes);
    bool left = false;
    bool by_credit = false;
    model.Spawn("worker", [&] {
      gate.LeaveAt(1);
      left = true;
    });
    model.Spawn("credit", [&] {
      while (!left) Model::Step();
      by_credit = adders.of[0].count() == 1;
      static_cast<void>(gate.Enter(1, nullptr, &adders.of[0]));
      by_credit = by_credit && adders.of[0].word.load() == 0;  // used, and not returned
    });
    Entered entered{};
    model.Spawn("one", [&] { entered = gate.Enter(1); });
    model.Run();
    EXPECT_TRUE(!by_credit || entered == Entered::kYes);
  });
}

}  // namespace
}  // namespace taskvisor::internal
