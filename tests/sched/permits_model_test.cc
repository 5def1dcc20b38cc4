// Model of sched/permits.h: see tests/support/model.h. The queue of tickets is
// concurrentqueue, whose own atomics are not swapped: here it is a step that cannot be
// divided.

#include <gtest/gtest.h>

#include <array>
#include <optional>

#include "sched/permits.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

constexpr int kTasks = 4;

enum Where : int { kOutside, kWaiting, kGranted, kInside, kGone, kDone };

// Tasks that want one permit each; what a worker or a stopper does for them is done by the
// thread that learns of it, as in supervisor/actor.cc.
struct Scene {
  Scene(int64_t permits_in_all, bool all_classes)
      : permits(permits_in_all), limit(permits_in_all), classes(all_classes) {}

  void Start(int task) {
    if (permits.TryAcquire()) return RunHolding(task);
    where[task].store(kWaiting);
    Offer(permits.Park(task, classes ? static_cast<Priority>(task % 3) : Priority::kNormal));
  }
  void Cancel(int task) {
    int seen = kWaiting;
    if (where[task].compare_exchange_strong(seen, kGone)) return;
    seen = kGranted;  // queued with a permit in hand: it has to be given back
    if (where[task].compare_exchange_strong(seen, kGone)) Offer(permits.Release());
  }
  void Offer(std::optional<int> ticket) {
    for (; ticket.has_value(); ticket = permits.Release()) {
      int seen = kWaiting;
      if (!where[*ticket].compare_exchange_strong(seen, kGranted)) continue;
      seen = kGranted;
      if (where[*ticket].compare_exchange_strong(seen, kInside)) RunHolding(*ticket);
      return;
    }
  }
  void RunHolding(int task) {
    EXPECT_LE(++inside, limit);
    Model::Step();
    --inside;
    where[task].store(kDone);
    Offer(permits.Release());
  }

  Permits<int> permits;
  const int64_t limit;
  const bool classes;  // tasks are of all three
  std::array<Atomic<int>, kTasks> where{};
  int64_t inside = 0;
};

void RunScene(Model& model, int64_t limit, bool cancels, bool classes = false) {
  static constexpr std::array kNames{"task 0", "task 1", "task 2", "task 3"};
  Scene scene(limit, classes);
  for (int task = 0; task < kTasks; ++task) {
    model.Spawn(kNames[static_cast<size_t>(task)], [&scene, task] { scene.Start(task); });
  }
  if (cancels) {
    model.Spawn("stopper 1", [&] { scene.Cancel(0), scene.Cancel(1); });
    model.Spawn("stopper 2", [&] { scene.Cancel(1), scene.Cancel(2); });
  }
  model.Run();
  for (int task = 0; task < kTasks; ++task) {
    const int end = scene.where[static_cast<size_t>(task)].load();
    EXPECT_TRUE(end == kDone || (cancels && end == kGone)) << "task " << task << " is left " << end;
  }
  // No permit got lost or came from nowhere; refused tickets have paid for themselves.
  EXPECT_EQ(scene.permits.balance(), limit);
}

TEST(PermitsModel, WithOnePermitEveryoneGetsItInTurn) {
  Explore(50'000, [](Model& model) { RunScene(model, 1, /*cancels=*/false); });
}

TEST(PermitsModel, StaleTicketsCostNoPermit) {
  Explore(50'000, [](Model& model) { RunScene(model, 1, /*cancels=*/true); });
}

TEST(PermitsModel, TheSameWithTwoPermits) {
  Explore(30'000, [](Model& model) { RunScene(model, 2, /*cancels=*/true); });
}

// Whoever owns a ticket finds one, in whatever lane (sched/ready_lanes.h).
TEST(PermitsModel, TicketsOfThreeClassesAreAllServed) {
  Explore(30'000, [](Model& model) { RunScene(model, 1, /*cancels=*/false, /*classes=*/true); });
  Explore(30'000, [](Model& model) { RunScene(model, 2, /*cancels=*/true, /*classes=*/true); });
}

}  // namespace
}  // namespace taskvisor::internal
