// Model of sched/item_count.h, as a pool uses it: see tests/support/model.h. The ready queue is two
// lists of numbers, from 1: of what is submitted, and of what runs again. Who looks whether there
// is anything looks at one after the other.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <utility>

#include "sched/item_count.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

constexpr size_t kWorkers = 2;

// As Pool: items that drain, seats, and bodies that may never end.
struct Scene {
  explicit Scene(Model& m) : model(m) {}

  void Submit(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) submitted.push_back(++pushed);
    Announce(count);
  }
  void Announce(uint64_t count) {
    items.Announce(
        count, [this] { return Any(); }, [this] { StartItem(); });
  }
  bool Any() {
    Model::Step();
    if (!again.empty()) return true;
    Model::Step();
    return !submitted.empty();
  }
  // An item waits until a thread of the crew comes for it.
  void StartItem() {
    if (stops_in_start) return;  // for good: its promise is never kept
    if (items.TryCallOff()) return;
    ++started;
    static_cast<void>(items.Started());
  }
  // A thread of the crew.
  void Worker() {
    while (adders > 0 || done < total || started > 0) {
      if (started > 0) {
        --started;
        Drain();
      }
      Model::Step();
    }
  }
  void Drain() {
    do {
      while (const uint64_t element = TryTake()) Run(element);
    } while (!items.TryLeave([&] { return Any(); }));
  }
  // 0: there is none. What runs again goes behind what is submitted.
  uint64_t TryTake() {
    if (!submitted.empty() && again_left > 0 && model.random().Below(2) == 0) RunAgain();
    for (std::deque<uint64_t>* const queue : {&submitted, &again}) {
      if (queue->empty()) continue;
      const uint64_t element = queue->front();
      queue->pop_front();
      return element;
    }
    return 0;
  }
  void RunAgain() {
    --again_left;
    ++total;
    ran_again = true;
    again.push_back(++pushed);
    Announce(1);
  }
  // One body does not end before all others have run: it must strand none.
  void Run(uint64_t element) {
    EXPECT_TRUE(ran.insert(element).second) << "run twice";
    const bool after_again = std::exchange(ran_again, false);
    const bool long_one =
        !begun_long && (again_is_long ? after_again : model.random().Below(4) == 0);
    begun_long = begun_long || long_one;
    while (long_one && done + 1 < total) Model::Step();
    ++done;
  }

  Model& model;
  ItemCount items{kWorkers};
  std::deque<uint64_t> submitted;
  std::deque<uint64_t> again;
  std::set<uint64_t> ran;
  uint64_t pushed = 0;
  uint64_t total = 0;
  int again_left = 0;
  uint64_t done = 0;
  size_t started = 0;
  bool stops_in_start = false;
  int adders = 2;
  bool begun_long = false;
  bool again_is_long = false;  // the long body takes the place of one that runs again
  bool ran_again = false;
};

// If an element stayed behind the long body with nobody awake, nothing could go on.
TEST(ItemCountModel, EachElementRunsOnceAndNoneIsStrandedBehindALongBody) {
  Explore(20'000, [](Model& model) {
    Scene scene(model);
    scene.total = 14;
    scene.again_left = 2;
    model.Spawn("adder", [&] {
      scene.Submit(9);
      scene.Submit(1);
      scene.Submit(1);
      --scene.adders;
    });
    model.Spawn("second adder", [&] {
      scene.Submit(1);
      scene.Submit(2);
      --scene.adders;
    });
    model.Spawn("worker 0", [&] { scene.Worker(); });
    model.Spawn("worker 1", [&] { scene.Worker(); });
    model.Run();
    EXPECT_EQ(scene.done, scene.total);
    EXPECT_TRUE(scene.submitted.empty() && scene.again.empty());
    EXPECT_TRUE(scene.items.TryClose());
    EXPECT_FALSE(scene.items.Announce()) << "closed";
  });
}

// An item on its way out has seen that nothing runs again, then another one pushes what does and
// takes what was submitted, then the first one sees that nothing is submitted.
TEST(ItemCountModel, WhatRunsAgainIsNotStrandedByAnItemOnItsWayOut) {
  Explore(20'000, [](Model& model) {
    Scene scene(model);
    scene.total = 4;
    scene.again_left = 1;
    scene.again_is_long = true;
    scene.adders = 1;
    model.Spawn("adder", [&] {
      for (int i = 0; i < 4; ++i) scene.Submit(1);
      --scene.adders;
    });
    model.Spawn("worker 0", [&] { scene.Worker(); });
    model.Spawn("worker 1", [&] { scene.Worker(); });
    model.Run();
    EXPECT_EQ(scene.done, scene.total);
  });
}

// One that stops between its push and the start that it promised leaves the pool no item
// short: whoever comes next starts one.
TEST(ItemCountModel, AStarterThatStopsForGoodLeavesThePoolNoItemShort) {
  Explore(10'000, [](Model& model) {
    Scene scene(model);
    scene.total = 6;
    scene.adders = 1;
    scene.stops_in_start = true;
    scene.Submit(2);
    scene.stops_in_start = false;
    model.Spawn("adder", [&] {
      for (int i = 0; i < 4; ++i) scene.Submit(1);
      --scene.adders;
    });
    model.Spawn("worker 0", [&] { scene.Worker(); });
    model.Spawn("worker 1", [&] { scene.Worker(); });
    model.Run();
    EXPECT_EQ(scene.done, scene.total);
    EXPECT_FALSE(scene.items.TryClose()) << "its promises are still out";
  });
}

// Wherever an item is stopped, the others take all but the one element that it may have.
TEST(ItemCountModel, AnItemThatIsStoppedKeepsOneElementAtMost) {
  Explore(20'000, [](Model& model) {
    Scene scene(model);
    scene.total = 40;
    scene.adders = 0;
    scene.begun_long = true;  // no long body
    scene.Submit(scene.total);
    const uint64_t step = 1 + model.random().Below(120);
    bool over = false;
    model.Spawn("stopped", [&] {
      Model::StopAtStep(step, &scene);
      scene.Worker();
      over = true;
    });
    model.Spawn("worker", [&] { scene.Worker(); });
    model.Spawn("the one that lets it go on", [&] {
      while (scene.done < scene.total - 1) Model::Step();
      while (!over) {
        Model::WakeAll(&scene);
        Model::Step();
      }
    });
    model.Run();
    EXPECT_EQ(scene.done, scene.total);
    EXPECT_TRUE(scene.submitted.empty() && scene.again.empty());
    EXPECT_TRUE(scene.items.TryClose());
  });
}

}  // namespace
}  // namespace taskvisor::internal
