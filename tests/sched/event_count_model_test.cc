// Model of sched/event_count.h: see tests/support/model.h for what that can show.

#include <gtest/gtest.h>

#include "sched/event_count.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

// A lost wake-up shows as "no thread can go on".
TEST(EventCountModel, NoWakeUpIsLostBetweenTwoWaitersAndTwoNotifiers) {
  Explore(100'000, [](Model& model) {
    EventCount events;
    Atomic<int> steps{0};
    for (const char* name : {"waiter 1", "waiter 2"}) {
      model.Spawn(name, [&] {
        Await(events, [&] { return steps.load() >= 1; });
        Await(events, [&] { return steps.load() == 2; });
      });
    }
    for (const char* name : {"notifier 1", "notifier 2"}) {
      model.Spawn(name, [&] {
        steps.fetch_add(1);
        events.Notify();
      });
    }
    model.Run();
  });
}

TEST(EventCountModel, PingAndPongAlwaysWakeEachOther) {
  Explore(30'000, [](Model& model) {
    EventCount events[2];
    Atomic<int> turn{0};
    for (int side : {0, 1}) {
      model.Spawn(side == 0 ? "ping" : "pong", [&, side] {
        for (int round = 0; round < 4; ++round) {
          Await(events[side], [&] { return turn.load() % 2 == side; });
          turn.fetch_add(1);
          events[1 - side].Notify();
        }
      });
    }
    model.Run();
    EXPECT_EQ(turn.load(), 8);
  });
}

// A key that is out of date does not sleep, however many notifications came since.
TEST(EventCountModel, AWaitWithAnOldKeyReturns) {
  Explore(30'000, [](Model& model) {
    EventCount events;
    Atomic<bool> prepared{false};
    model.Spawn("waiter", [&] {
      const EventCount::Key key = events.PrepareWait();
      prepared.store(true);
      events.Wait(key);
    });
    for (const char* name : {"notifier 1", "notifier 2"}) {
      model.Spawn(name, [&] {
        while (!prepared.load()) {
        }
        events.Notify();
      });
    }
    model.Run();
  });
}

}  // namespace
}  // namespace taskvisor::internal
