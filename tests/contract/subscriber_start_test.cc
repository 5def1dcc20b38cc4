// L. Subscribers: how they start (136).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "supervisor/subscriber_set.h"
#include "tests/contract/inside.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using ::testing::ElementsAre;

// A set of subscribers without a supervisor.
struct Subscribed {
  Subscribed() {
    config.clock = std::make_shared<ManualClock>();
    config.subscribers = {recorder};
  }
  void Publish(internal::SubscriberSet& set, uint64_t n) {
    internal::EventDraft draft(kMark);
    internal::PublishRun(set.bus(), AsMark(draft, n));
  }
  SupervisorConfig config;
  internal::Hooks hooks;
  const std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
};

TEST(ContractSubscribers, S136_StartIsIdempotent) {
  Subscribed subscribed;
  internal::SubscriberSet set(subscribed.config, subscribed.hooks,
                              {[](TaskId) { return false; }, [] { return 0; }});
  set.bus().Start();
  set.bus().Start();
  for (uint64_t n = 1; n <= 3; ++n) subscribed.Publish(set, n);
  set.bus().Start();
  EXPECT_TRUE(set.Close(*subscribed.config.clock, kPatience));
  EXPECT_THAT(Marks(subscribed.recorder->Events()), ElementsAre(1, 2, 3));
}

TEST(ContractSubscribers, S136_CloseBeforeStartPreventsStartAndDelivery) {
  Subscribed subscribed;
  internal::SubscriberSet set(subscribed.config, subscribed.hooks,
                              {[](TaskId) { return false; }, [] { return 0; }});
  subscribed.Publish(set, 1);
  EXPECT_TRUE(set.Close(*subscribed.config.clock, Duration::zero()));
  set.bus().Start();
  subscribed.Publish(set, 2);
  EXPECT_TRUE(set.Close(*subscribed.config.clock, kPatience));
  EXPECT_TRUE(subscribed.recorder->Events().empty());
}

ptrdiff_t ThreadsOfThisProcess() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

TEST(ContractSubscribers, S136_ConstructionStartsNothing) {
  auto recorder = std::make_shared<Recorder>();
  {
    SupervisorConfig config;
    config.subscribers = {recorder};
    const ptrdiff_t before = ThreadsOfThisProcess();  // those of other tests may still go
    const auto never_served = Supervisor::Create(std::move(config));
    ASSERT_TRUE(never_served.ok());
    EXPECT_LE(ThreadsOfThisProcess(), before);
  }
  EXPECT_EQ(recorder.use_count(), 1) << "nobody is left who could call it";
  EXPECT_TRUE(recorder->Events().empty());
}

TEST(ContractSubscribers, S136_ServingTwiceDeliversOnce) {
  Harness harness;
  harness.Serve();
  const SupervisorHandle handle = harness.Serve();
  Flush(handle, *harness.recorder);
  ASSERT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kTaskRemoveRequested)), 1u);
}

}  // namespace
}  // namespace taskvisor::testing
