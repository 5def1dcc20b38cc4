// Model of sched/work_count.h, as a pool uses it: see tests/support/model.h. The ready queue is a
// list of numbers, from 1: what is announced is in it, what is taken leaves it.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>

#include "sched/work_count.h"
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
    for (uint64_t i = 0; i < count; ++i) queue.push_back(++pushed);
    bool starts = work.Announce(count);
    for (; starts; starts = --count > 0 && work.PromiseMore()) StartItem();
  }
  // An item waits until a thread of the crew comes for it.
  void StartItem() {
    if (stops_in_start) return;  // for good: its promise is never kept
    if (work.TryCallOff()) return;
    ++started;
    static_cast<void>(work.Started());
  }
  // A thread of the crew, on its seat.
  void Worker(size_t seat) {
    while (adders > 0 || done < total || started > 0) {
      if (started > 0) {
        --started;
        Drain(seat);
      }
      Model::Step();
    }
  }
  void Drain(size_t seat) {
    while (true) {
      if (again_left > 0 && model.random().Below(2) == 0 && work.Waiting(seat)) Run(Exchange());
      const WorkCount::Claimed claimed = work.Claim(seat);
      if (claimed.starts) StartItem();
      if (claimed.got) {
        Run(Take());
      } else if (work.TryLeave()) {
        return;
      }
    }
  }
  uint64_t Take() {
    EXPECT_FALSE(queue.empty()) << "claimed an element that is not in the queue";
    if (queue.empty()) return 0;
    const uint64_t element = queue.front();
    queue.pop_front();
    return element;
  }
  // What runs again, in the place of one that waits: one for one, no count changes.
  uint64_t Exchange() {
    --again_left;
    ++total;
    queue.push_back(++pushed);
    return Take();
  }
  // One body does not end before all others have run: it must strand none.
  void Run(uint64_t element) {
    EXPECT_TRUE(ran.insert(element).second) << "run twice";
    const bool long_one = !begun_long && model.random().Below(4) == 0;
    begun_long = begun_long || long_one;
    while (long_one && done + 1 < total) Model::Step();
    ++done;
  }

  Model& model;
  WorkCount work{kWorkers};
  std::deque<uint64_t> queue;
  std::set<uint64_t> ran;
  uint64_t pushed = 0;
  uint64_t total = 0;
  int again_left = 0;
  uint64_t done = 0;
  size_t started = 0;
  bool stops_in_start = false;
  int adders = 2;
  bool begun_long = false;
};

// If a credit stayed behind the long body with nobody awake, nothing could go on.
TEST(WorkCountModel, EachElementRunsOnceAndNoneIsStrandedBehindALongBody) {
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
    model.Spawn("worker 0", [&] { scene.Worker(0); });
    model.Spawn("worker 1", [&] { scene.Worker(1); });
    model.Run();
    EXPECT_EQ(scene.done, scene.total);
    EXPECT_TRUE(scene.queue.empty());
    EXPECT_FALSE(scene.work.MayClaim());
    EXPECT_TRUE(scene.work.TryClose());
    EXPECT_FALSE(scene.work.Announce(1)) << "closed";
  });
}

// One that stops between its push and the start that it promised leaves the pool no item
// short: whoever comes next starts one.
TEST(WorkCountModel, AStarterThatStopsForGoodLeavesThePoolNoItemShort) {
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
    model.Spawn("worker 0", [&] { scene.Worker(0); });
    model.Spawn("worker 1", [&] { scene.Worker(1); });
    model.Run();
    EXPECT_EQ(scene.done, scene.total);
    EXPECT_FALSE(scene.work.TryClose()) << "its promises are still out";
  });
}

// Wherever an item is stopped, all but one element can be taken by the others: those that it
// has claimed for later too.
TEST(WorkCountModel, AnItemThatIsStoppedKeepsOneElementAtMost) {
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
      scene.Worker(0);
      over = true;
    });
    model.Spawn("worker", [&] { scene.Worker(1); });
    model.Spawn("thaws it", [&] {
      while (scene.done < scene.total - 1) Model::Step();
      for (; !over; Model::Step()) Model::WakeAll(&scene);
    });
    model.Run();
    EXPECT_EQ(scene.done, scene.total);
    EXPECT_TRUE(scene.queue.empty());
    EXPECT_TRUE(scene.work.TryClose());
  });
}

}  // namespace
}  // namespace taskvisor::internal
