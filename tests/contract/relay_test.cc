// B. The relay (31, 34).

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "supervisor/subscriber_set.h"
#include "tests/contract/inside.h"
#include "tests/contract/subscribers.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

TEST(ContractBus, S031_TheAliveTrackerIsUpdatedBeforeTheSubscribers) {
  std::optional<SupervisorHandle> handle;
  HeldBody* body = nullptr;
  bool alive_at_start = false;
  bool alive_at_end = true;
  auto looks = std::make_shared<Listener>(
      "looks",
      [&](const Event& event) {
        if (event.task() != "task") return;
        const bool alive = handle->IsAlive("task");
        if (event.kind() == EventKind::kTaskStarting) {
          alive_at_start = alive;
          body->LetGo();  // nothing can have changed it since
        } else {
          alive_at_end = alive;
        }
      },
      EventMask{EventKind::kTaskStarting, EventKind::kTaskStopped});
  SupervisorConfig config;
  config.subscribers = {looks};
  Inside inside(std::move(config));
  handle = inside.handle;
  HeldBody held;
  body = &held;
  ASSERT_TRUE(inside.handle.Add(TaskSpec::Once("task", held.Body())).ok());
  ASSERT_TRUE(inside.recorder->Await(Recorder::Is(EventKind::kTaskStopped)));
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  EXPECT_TRUE(alive_at_start);
  EXPECT_FALSE(alive_at_end);
}

TEST(ContractBus, S031_AllSubscribersGetTheSameFromOneRelay) {
  auto other = std::make_shared<Recorder>("other");
  SupervisorConfig config;
  config.subscribers = {other};
  Inside inside(std::move(config));
  ASSERT_TRUE(inside.HoldRelay());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(inside.handle.Add(TaskSpec::Once(DoNothing)).ok());
  // It stands where the tracker sees an event, before anybody else does.
  for (const SubscriberStats& stats : inside.handle.SubscriberStats()) {
    EXPECT_EQ(stats.offered, 0u) << "nothing passes the relay by";
  }
  inside.LetRelayGo();
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  const auto one = inside.recorder->Events();
  const auto two = other->Events();
  ASSERT_EQ(one.size(), two.size());
  for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].ToString(), two[i].ToString());
}

TEST(ContractBus, S034_TheRelayDrainsTheTailOfAClosedBusOverALagGap) {
  auto recorder = std::make_shared<Recorder>();
  SupervisorConfig config = WithBus(4);
  config.clock = std::make_shared<ManualClock>();
  config.subscribers = {recorder};
  const RelayStop relay;
  internal::Hooks hooks;
  hooks.on_observe = relay.Hook();
  internal::SubscriberSet set(config, hooks, {[](TaskId) { return false; }, [] { return 0; }});
  const auto publish = [&](uint64_t n) {
    internal::EventDraft draft(kMark);
    internal::PublishRun(set.bus(), n == 0 ? draft.WithSlot("stop") : AsMark(draft, n));
  };
  set.bus().Start();
  publish(0);
  ASSERT_TRUE(relay.Held());
  for (uint64_t n = 1; n <= 9; ++n) publish(n);  // 3 are kept, 6 are not
  set.bus().Close();                             // with the tail in it
  publish(10);                                   // too late
  relay.LetGo();
  EXPECT_TRUE(set.Close(*config.clock, kPatience));
  EXPECT_EQ(Marks(recorder->Events()), Range(1, 3));
  ASSERT_EQ(recorder->Count(IsLag()), 1u);
  EXPECT_EQ(recorder->Events().back().reason(), "lagged(6)");
}

TEST(ContractBus, S034_AShutdownReturnsAfterItsLastEventIsDelivered) {
  Gate subscribers_phase;
  internal::Hooks hooks;
  hooks.on_shutdown_phase = [&](std::string_view phase) {
    if (phase == "subscribers") subscribers_phase.Open();
  };
  Inside inside({}, std::move(hooks));
  ASSERT_TRUE(inside.HoldRelay());
  inside.Mark(1, 100);
  inside.handle.RequestShutdown();
  ASSERT_TRUE(subscribers_phase.Wait());
  EXPECT_TRUE(inside.recorder->Events().empty());
  inside.LetRelayGo();
  ASSERT_TRUE(inside.handle.Shutdown().ok());
  const auto events = inside.recorder->Events();
  EXPECT_EQ(Marks(events), Range(1, 100));
  EXPECT_EQ(events.back().kind(), EventKind::kAllStoppedWithinGrace);
}

}  // namespace
}  // namespace taskvisor::testing
