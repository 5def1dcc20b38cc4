// L. Subscribers: their queues (128, 130-131).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/subscribers.h"

namespace taskvisor::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SupervisorConfig With(std::vector<std::shared_ptr<Subscriber>> subscribers) {
  SupervisorConfig config;
  config.subscribers = std::move(subscribers);
  config.bus_capacity = 4096;
  return config;
}

// What one gets who overrides nothing.
struct PlainSubscriber : Subscriber {
  void OnEvent(const Event&) override {
    inside.Open();
    released.Pass();
  }
  Gate inside;
  Gate released;
};

TEST(ContractSubscribers, S128_TheDefaultQueueHolds1024AndTheDefaultNameIsTheType) {
  auto plain = std::make_shared<PlainSubscriber>();
  EXPECT_EQ(plain->QueueCapacity(), 1024u);
  Inside inside(With({plain}));
  inside.Mark(1);
  ASSERT_TRUE(plain->inside.Wait());
  inside.Mark(2, 1024);
  ASSERT_TRUE(inside.recorder->Await(IsMark(1024)));
  const SubscriberStats full = inside.handle.SubscriberStats()[1];
  EXPECT_THAT(full.name, HasSubstr("PlainSubscriber"));
  EXPECT_EQ(full.offered, 1024u);
  EXPECT_EQ(full.dropped, 0u);
  inside.Mark(1025);
  ASSERT_TRUE(inside.recorder->Await(IsMark(1025)));
  EXPECT_TRUE(Eventually([&] { return inside.handle.SubscriberStats()[1].dropped > 0; }));
  plain->released.Open();
}

TEST(ContractSubscribers, S128_EachHasItsOwnBoundedQueueOfAtLeastOne) {
  auto none = std::make_shared<HeldSubscriber>("none", 0, EventMask{kMark});
  auto three = std::make_shared<HeldSubscriber>("three", 3, EventMask{kMark});
  Inside inside(With({none, three}));
  const LetGoAtEnd let_go({none, three});
  inside.Mark(1, 10);
  inside.Flush();
  const auto kept = [&](const char* name) {
    const SubscriberStats stats = inside.StatsOf(name);
    EXPECT_EQ(stats.offered, 10u);
    return stats.delivered + stats.queued;
  };
  EXPECT_EQ(kept("none"), 1u);
  EXPECT_EQ(kept("three"), 3u);
}

// Counts how often it is asked what it is.
struct AskedSubscriber : Subscriber {
  void OnEvent(const Event&) override {}
  std::string_view Name() const override { return ++names, "asked"; }
  size_t QueueCapacity() const override { return ++capacities, 16; }
  mutable std::atomic<int> names{0};
  mutable std::atomic<int> capacities{0};
};

TEST(ContractSubscribers, S128_NameAndCapacityAreReadOnceAtRegistration) {
  auto asked = std::make_shared<AskedSubscriber>();
  Inside inside(With({asked}));
  EXPECT_EQ(asked->names, 1);
  EXPECT_EQ(asked->capacities, 1);
  inside.Mark(1, 100);
  inside.Flush();
  EXPECT_EQ(inside.StatsOf("asked").name, "asked");
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  EXPECT_EQ(asked->names, 1);
  EXPECT_EQ(asked->capacities, 1);
}

TEST(ContractSubscribers, S130_AFullQueueDropsTheNewEventForThatOneOnly) {
  auto slow = std::make_shared<HeldSubscriber>("slow", 2, EventMask{kMark});
  Inside inside(With({slow}));
  const LetGoAtEnd let_go({slow});
  inside.Mark(1);
  ASSERT_TRUE(slow->Inside());
  inside.Mark(2, 7);  // 2 finds room beside 1, 3 to 7 do not
  const auto is_report = Recorder::Is(EventKind::kSubscriberOverflow, "slow");
  ASSERT_TRUE(inside.recorder->Await(IsMark(7))) << "others got it";
  inside.Flush();
  EXPECT_EQ(inside.StatsOf("slow").dropped, 5u) << "to be seen at any time";
  EXPECT_EQ(inside.recorder->Count(is_report), 0u) << "the episode goes on";

  slow->LetGo();
  ASSERT_TRUE(Eventually([&] { return slow->Events().size() == 2; }));
  inside.Mark(8);  // taken: the episode is over
  const auto report = inside.recorder->Await(is_report);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->reason(), "full");
  EXPECT_EQ(report->count(), 5u);
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  EXPECT_THAT(Marks(slow->Events()), ElementsAre(1, 2, 8)) << "the oldest were kept";
  EXPECT_EQ(Marks(inside.recorder->Events()), Range(1, 8));
  EXPECT_EQ(inside.recorder->Count(is_report), 1u) << "one for the episode";
}

// The sum of the losses reported for a subscriber so far.
uint64_t ReportedFor(Recorder& recorder, std::string name) {
  uint64_t count = 0;
  for (const Event& report :
       recorder.Events(Recorder::Is(EventKind::kSubscriberOverflow, std::move(name)))) {
    count += report.count().value_or(0);
  }
  return count;
}

TEST(ContractSubscribers, S130_AnEpisodeThatNeverEndsIsReportedAtTheClose) {
  auto slow = std::make_shared<HeldSubscriber>("slow", 1, EventMask{kMark});
  Inside inside(With({slow}));
  const LetGoAtEnd let_go({slow});
  inside.Mark(1, 11);
  ASSERT_TRUE(slow->Inside());
  inside.Flush();
  EXPECT_EQ(ReportedFor(*inside.recorder, "slow"), 0u);
  inside.handle.RequestShutdown();
  EXPECT_TRUE(Eventually([&] { return ReportedFor(*inside.recorder, "slow") == 10; }));
  slow->LetGo();
  ASSERT_TRUE(inside.handle.Shutdown().ok());
  EXPECT_EQ(ReportedFor(*inside.recorder, "slow"), 10u);
}

TEST(ContractSubscribers, S131_ADeadWorkerIsReportedAsClosed) {
  auto dead = std::make_shared<Listener>(
      "dead", [](const Event&) {}, EventMask{kMark});
  Inside inside(With({dead}));
  const auto& subscriptions = inside.runtime().subscribers().bus().subscriptions();
  ASSERT_EQ(subscriptions[1]->name(), "dead");
  subscriptions[1]->Abandon();
  ASSERT_TRUE(Eventually([&] { return subscriptions[1]->Done(); }));
  inside.Mark(1, 5);
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  for (const Event& report :
       inside.recorder->Events(Recorder::Is(EventKind::kSubscriberOverflow, "dead"))) {
    EXPECT_EQ(report.reason(), "closed");
  }
  EXPECT_EQ(ReportedFor(*inside.recorder, "dead"), 5u);
  EXPECT_EQ(inside.StatsOf("dead").delivered, 0u);
  EXPECT_EQ(inside.StatsOf("dead").dropped, 5u);
}

}  // namespace
}  // namespace taskvisor::testing
