// B. Publishing: never waits, never allocates (29).

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/contract/inside.h"
#include "tests/support/allocations.h"

namespace taskvisor::testing {
namespace {

TEST(ContractBus, S029_PublishNeverBlocksWhenTheBusIsFull) {
  Inside inside(WithBus(8));
  ASSERT_TRUE(inside.HoldRelay());
  inside.Mark(1, 10'000);  // would hang here
  inside.LetRelayGo();
  ASSERT_TRUE(inside.recorder->Await(Recorder::Is(EventKind::kSubscriberOverflow)));
  EXPECT_EQ(inside.handle.Stats().events_lost, 10'000u - 7);
}

TEST(ContractBus, S029_PublishDropsTheEventWhenNobodyListens) {
  // No subscriber at all: nothing piles up. No thread yet, or not any more: dropped.
  internal::Hooks hooks;
  SupervisorConfig config;
  config.clock = std::make_shared<ManualClock>();
  config.bus_capacity = 4;
  auto supervisor = internal::RuntimeAccess::Create(config, hooks);
  ASSERT_TRUE(supervisor.ok());
  internal::Runtime& runtime = internal::RuntimeAccess::Of(*supervisor);
  const auto publish = [&](uint64_t count) {
    for (uint64_t n = 0; n < count; ++n) {
      runtime.publisher().Emit(kMark, config.clock->Now(),
                               [=](internal::EventDraft& e) { AsMark(e, n); });
    }
  };
  publish(100);
  const SupervisorHandle handle = supervisor->Serve();
  EXPECT_TRUE(Eventually([&] {
    return handle.Stats().events_lost == 96 && handle.Stats().events_published == 5;
  })) << "4 and the report of the lag";
  const uint64_t before = handle.Stats().events_published;
  for (uint64_t n = 1; n <= 100; ++n) {
    publish(1);
    EXPECT_TRUE(Eventually([&] { return handle.Stats().events_published == before + n; }));
  }
  EXPECT_EQ(handle.Stats().events_lost, 96u);
  ASSERT_TRUE(handle.Shutdown().ok());
  const uint64_t after = handle.Stats().events_published;
  publish(100);
  EXPECT_EQ(handle.Stats().events_published, after);
}

// What `count` events with all the text they can hold cost in allocations.
uint64_t AllocationsOf(Inside& inside, int count) {
  const std::string name(kMaxNameLength, 'n');
  const std::string reason(kMaxReasonLength, 'r');
  const uint64_t before = AllocationsOfThisThread();
  for (int i = 0; i < count; ++i) {
    inside.runtime().publisher().Emit(
        EventKind::kTaskFailed, inside.clock->Now(),
        [&](internal::EventDraft& e) { e.WithTask(name).WithReason(reason); });
  }
  return AllocationsOfThisThread() - before;
}

TEST(ContractBus, S029_PublishAllocatesNothing) {
  const uint64_t before = AllocationsOfThisThread();
  Inside moving;
  EXPECT_GT(AllocationsOfThisThread(), before) << "the counter does count";
  EXPECT_EQ(AllocationsOf(moving, 1'000), 0u);  // a reader that keeps up, or sleeps, or not
  Inside full;
  ASSERT_TRUE(full.HoldRelay());
  EXPECT_EQ(AllocationsOf(full, 2'000), 0u);
}

}  // namespace
}  // namespace taskvisor::testing
