#include "bus/subscription.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "tests/bus/recording_sink.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;
using testing::Gate;
using Offered = Subscription<TestRecord>::Offered;

Offered Offer(Subscription<TestRecord>& subscription, int value) {
  // It keeps the address only, and a subscription may outlive its test.
  static auto* const records = new std::deque<TestRecord>();
  const TestRecord* const record = &records->emplace_back(TestRecord{1, value});
  const Offered offered = subscription.OfferAll({&record, 1}).Of(0);
  subscription.Flush();
  return offered;
}

void ExpectBalanced(const SubscriptionCounts& counts) {
  EXPECT_EQ(counts.offered, counts.delivered + counts.dropped + counts.queued);
}

TEST(Subscription, DeliversInOrderOnAThreadOfItsOwn) {
  const auto received = std::make_shared<Received>();
  const auto subscription = MakeSubscription(16, received);
  EXPECT_TRUE(subscription->Start());
  EXPECT_TRUE(subscription->Start()) << "a second start is the first";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Offer(*subscription, i), Offered::kTaken);
  subscription->Close();
  EXPECT_TRUE(Eventually([&] { return subscription->Done(); }));
  EXPECT_EQ(received->Values(), (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(subscription->Counts().delivered, 10u);
  ExpectBalanced(subscription->Counts());
}

TEST(Subscription, AFullQueueDropsTheNewestAndCountsIt) {
  const auto received = std::make_shared<Received>();
  Gate gate;
  received->gate = &gate;
  const auto subscription = MakeSubscription(2, received);
  ASSERT_TRUE(subscription->Start());
  EXPECT_EQ(Offer(*subscription, 0), Offered::kTaken);
  ASSERT_TRUE(received->inside.Wait());
  // The callback holds its record in the queue until it returns.
  EXPECT_EQ(Offer(*subscription, 1), Offered::kTaken);
  EXPECT_EQ(Offer(*subscription, 2), Offered::kFull);
  EXPECT_EQ(Offer(*subscription, 3), Offered::kFull);
  const SubscriptionCounts counts = subscription->Counts();
  EXPECT_EQ(counts.offered, 4u);
  EXPECT_EQ(counts.delivered, 1u);
  EXPECT_EQ(counts.queued, 1u);
  EXPECT_EQ(counts.dropped, 2u);
  gate.Open();
  subscription->Close();
  EXPECT_TRUE(Eventually([&] { return subscription->Done(); }));
  EXPECT_EQ(received->Values(), (std::vector{0, 1}));
  ExpectBalanced(subscription->Counts());
}

TEST(Subscription, WhatItsSinkDoesNotWantCostsItNothing) {
  const auto received = std::make_shared<Received>();
  const auto subscription =
      MakeSubscription(1, received, [](const TestRecord& r) { return r.value % 2 == 0; });
  EXPECT_EQ(Offer(*subscription, 1), Offered::kUnwanted);
  EXPECT_EQ(Offer(*subscription, 2), Offered::kTaken);
  EXPECT_EQ(Offer(*subscription, 3), Offered::kUnwanted) << "although the queue is full";
  EXPECT_EQ(subscription->Counts().offered, 1u);
}

TEST(Subscription, ClosedBeforeItsStartItIsDoneAndRefuses) {
  const auto received = std::make_shared<Received>();
  const auto subscription = MakeSubscription(4, received);
  subscription->Close();
  EXPECT_TRUE(subscription->Done());
  EXPECT_FALSE(subscription->Start());
  EXPECT_EQ(Offer(*subscription, 1), Offered::kClosed);
  EXPECT_EQ(subscription->Counts().dropped, 1u);
}

// What a sink keeps (a user's subscriber, which may keep a handle) is let go of in any case.
TEST(Subscription, ASinkIsToldOfTheCloseOnceAlsoIfThereNeverWasAThread) {
  struct ClosingSink final : Sink<TestRecord> {
    explicit ClosingSink(std::atomic<int>& counter) : closed(counter) {}
    void OnRecord(const TestRecord&) noexcept override {}
    void OnClosed() noexcept override { ++closed; }
    uint64_t WantedOf(std::span<const TestRecord* const> records) const noexcept override {
      return SelectOf(records, [](const TestRecord&) { return true; });
    }
    std::atomic<int>& closed;
  };
  for (const bool started : {false, true}) {
    std::atomic<int> closed{0};
    const auto subscription = std::make_shared<Subscription<TestRecord>>(
        "test", 4, std::make_unique<ClosingSink>(closed));
    if (started) {
      ASSERT_TRUE(subscription->Start());
    }
    subscription->Close();
    subscription->Close();
    subscription->Abandon();
    EXPECT_TRUE(Eventually([&] { return subscription->Done(); }));
    EXPECT_EQ(closed, 1) << started;
  }
}

TEST(Subscription, CloseDeliversWhatIsQueued) {
  const auto received = std::make_shared<Received>();
  Gate gate;
  received->gate = &gate;
  const auto subscription = MakeSubscription(8, received);
  ASSERT_TRUE(subscription->Start());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Offer(*subscription, i), Offered::kTaken);
  subscription->Close();
  EXPECT_FALSE(subscription->Done());
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return subscription->Done(); }));
  EXPECT_EQ(received->Values().size(), 5u);
}

TEST(Subscription, AbandonDropsTheQueueAndWaitsForNobody) {
  const auto received = std::make_shared<Received>();
  Gate gate;
  received->gate = &gate;
  auto subscription = MakeSubscription(8, received);
  const auto listener = std::make_shared<EventCount>();
  subscription->SetDoneListener(listener);
  ASSERT_TRUE(subscription->Start());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Offer(*subscription, i), Offered::kTaken);
  ASSERT_TRUE(received->inside.Wait());
  subscription->Abandon();  // returns although the callback is held
  EXPECT_FALSE(subscription->Done());
  EXPECT_EQ(Offer(*subscription, 9), Offered::kClosed);
  const SubscriptionCounts counts = subscription->Counts();
  EXPECT_EQ(counts.delivered, 1u);
  EXPECT_EQ(counts.queued, 0u);
  EXPECT_EQ(counts.dropped, 5u);
  gate.Open();
  Await(*listener, [&] { return subscription->Done(); });  // it tells its listener
  EXPECT_EQ(received->Values(), (std::vector{0}));
}

TEST(Subscription, ItsThreadKeepsItAliveAfterItsOwnersHaveGone) {
  const auto received = std::make_shared<Received>();
  static Gate gate;  // nothing that this test can wait for says that its thread has left it
  received->gate = &gate;
  std::weak_ptr<Subscription<TestRecord>> watch;
  {
    const auto subscription = MakeSubscription(2, received);
    watch = subscription;
    ASSERT_TRUE(subscription->Start());
    EXPECT_EQ(Offer(*subscription, 1), Offered::kTaken);
    ASSERT_TRUE(received->inside.Wait());
    subscription->Abandon();
  }
  EXPECT_FALSE(watch.expired());
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return watch.expired(); }));
}

}  // namespace
}  // namespace taskvisor::internal
