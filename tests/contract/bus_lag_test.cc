// B. The bus: what is lost, and what is told of it (30, 32).

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "bus/ring.h"
#include "supervisor/alive.h"
#include "supervisor/runtime.h"
#include "tests/contract/inside.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using internal::AliveTracker;

TEST(ContractBus, S030_TheBusKeeps1024ByDefault) {
  Inside inside;
  EXPECT_EQ(inside.supervisor().config().bus_capacity, 1024u);
  ASSERT_TRUE(inside.HoldRelay());  // one of the 1024
  inside.Mark(1, 1023 + 5);
  inside.LetRelayGo();
  const auto lag = inside.recorder->Await(IsLag());
  ASSERT_TRUE(lag.has_value());
  EXPECT_EQ(lag->count(), 5u);
  inside.Flush();
  EXPECT_EQ(Marks(inside.recorder->Events()), Range(1, 1023));
}

TEST(ContractBus, S030_ASlowReceiverObservesLagInItsPlaceThenResumes) {
  Inside inside(WithBus(4));
  ASSERT_TRUE(inside.HoldRelay());  // number 1
  inside.Mark(2, 10);               // 2 to 4 find room, 5 to 10 do not
  inside.LetRelayGo();
  const auto lag = inside.recorder->Await(IsLag());
  ASSERT_TRUE(lag.has_value());
  EXPECT_EQ(lag->reason(), "lagged(6)");
  EXPECT_EQ(lag->count(), 6u);
  EXPECT_EQ(lag->sequence, 10u) << "the last of the lost numbers";
  inside.Mark(11);
  ASSERT_TRUE(inside.recorder->Await(IsMark(11)));

  std::vector<uint64_t> numbers;
  for (const Event& event : inside.recorder->Events()) {
    numbers.push_back(event.sequence);
    if (event.slot() == "mark") {
      EXPECT_EQ(event.count(), event.sequence);
    }
  }
  EXPECT_EQ(numbers, (std::vector<uint64_t>{1, 2, 3, 4, 10, 11}));
  EXPECT_EQ(inside.handle.Stats().events_lost, 6u);
}

TEST(ContractBus, S030_CapacityIsAtLeastOne) {
  EXPECT_EQ(internal::Ring<uint64_t>(0).capacity(), 1u);
  Inside inside(WithBus(1));
  for (uint64_t n = 1; n <= 50; ++n) {
    inside.Mark(n);
    ASSERT_TRUE(inside.recorder->Await(IsMark(n))) << n;
    // Its place is free again once it has been passed on to all.
    ASSERT_TRUE(Eventually([&] { return inside.handle.Stats().events_published == n; }));
  }
  EXPECT_EQ(inside.handle.Stats().events_lost, 0u);
}

TEST(ContractBus, S032_LagGoesStraightToTheSubscribers) {
  Inside inside(WithBus(2));
  ASSERT_TRUE(inside.HoldRelay());
  inside.Mark(1, 8);
  inside.LetRelayGo();
  const auto lag = inside.recorder->Await(IsLag());
  ASSERT_TRUE(lag.has_value());
  EXPECT_EQ(lag->task(), "subscriber_listener");
  EXPECT_EQ(lag->reason(), "lagged(7)");
  inside.Mark(9);
  const auto next = inside.recorder->Await(IsMark(9));
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->sequence, lag->sequence + 1) << "the report took no number of its own";
  EXPECT_EQ(inside.recorder->Count(IsLag()), 1u);
}

TEST(ContractBus, S032_AfterLagTheAliveTrackerAgreesWithTheRegistry) {
  Inside inside(WithBus(4));
  HeldBody ends, stays;
  const auto body = [&, held = ends.Body()](TaskContext& context) mutable {
    held(context);
    inside.Mark(1, 4);  // its worker's lane is full: the end of the task is lost
  };
  const auto ended = inside.handle.AddAndWatch(TaskSpec::Once("ends", body));
  ASSERT_TRUE(ended.ok());
  ASSERT_TRUE(inside.recorder->Await(Recorder::Is(EventKind::kTaskStarting, "ends")));
  ASSERT_TRUE(inside.handle.Add(TaskSpec::Once("stays", stays.Body())).ok());
  ASSERT_TRUE(inside.recorder->Await(Recorder::Is(EventKind::kTaskStarting, "stays")));
  EXPECT_TRUE(inside.handle.IsAlive("ends"));
  ASSERT_TRUE(inside.HoldRelay());
  ends.LetGo();
  EXPECT_EQ(KindOf(ended->waiter), OutcomeKind::kCompleted);
  // TaskRemoved is published after the outcome, and before the task leaves the list.
  ASSERT_TRUE(Eventually([&] { return inside.handle.List().size() == 1; }));
  inside.LetRelayGo();
  ASSERT_TRUE(inside.recorder->Await(IsLag()));
  EXPECT_EQ(inside.recorder->Count(Recorder::Is(EventKind::kTaskRemoved, "ends")), 0u);
  EXPECT_TRUE(Eventually([&] { return !inside.handle.IsAlive("ends"); }));
  EXPECT_TRUE(inside.handle.IsAlive("stays"));
}

// Of tasks whose end was lost it does not keep more than some, however many there were.
TEST(ContractBus, S032_AfterLagTheAliveTrackerForgetsWhatIsGone) {
  Served served(WithBus(1));
  const auto& alive = internal::RuntimeAccess::Of(served.handle).subscribers().alive();
  size_t most = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<TaskSpec> specs;
    for (int i = 0; i < 2'000; ++i) specs.push_back(TaskSpec::Once([] {}));
    ASSERT_TRUE(served.handle.AddBatch(std::move(specs)).ok());
    ASSERT_TRUE(Eventually([&] { return served.handle.Stats().tasks == 0; }));
    most = std::max(most, alive.size());
  }
  RecordProperty("most", static_cast<int>(most));
  EXPECT_GT(served.handle.Stats().events_lost, 0u);
  EXPECT_TRUE(Eventually([&] { return alive.size() <= 2'048; })) << alive.size();
}

}  // namespace
}  // namespace taskvisor::testing
