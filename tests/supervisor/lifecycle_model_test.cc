// Model of supervisor/lifecycle.h: see tests/support/model.h.

#include <gtest/gtest.h>

#include "supervisor/lifecycle.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

// Adders that wait for room, a shutdown that closes and waits for emptiness: nobody sleeps
// for ever, the limit holds, and after the close nobody gets in.
TEST(LifecycleModel, WhoWaitsForRoomOrEmptinessIsWoken) {
  Explore(30'000, [](Model& model) {
    const int max = 1 + static_cast<int>(model.random().Below(2));
    Lifecycle gate(static_cast<uint64_t>(max), /*places=*/2);
    int inside = 0;
    bool closed = false;
    // Two of them leave as workers do, at a place of their own, and tell of it when they rest.
    const auto add = [&](size_t place) {
      for (int round = 0; round < 2; ++round) {
        Lifecycle::Entered entered = Lifecycle::Entered::kFull;
        while ((entered = gate.Enter(1)) == Lifecycle::Entered::kFull) {
          Await(gate.changed(), [&] {
            gate.WatchRoom();
            return gate.closed() || gate.HasRoom(1);
          });
        }
        if (entered == Lifecycle::Entered::kClosed) break;
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
    Lifecycle gate(3);
    ASSERT_EQ(gate.Enter(1), Lifecycle::Entered::kYes);
    int inside = 1;
    int closers = 0;
    model.Spawn("first task", [&] {
      // It adds another before it ends, as a body may.
      if (gate.Enter(2) == Lifecycle::Entered::kYes) {
        inside += 2;
        Model::Step();
        inside -= 2;
        gate.Leave(2);
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

}  // namespace
}  // namespace taskvisor::internal
