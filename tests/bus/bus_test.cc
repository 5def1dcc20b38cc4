#include "bus/bus.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bus/recording_sink.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;
using testing::Gate;

class TestHooks final : public FanOutHooks<TestRecord> {
 public:
  void Observe(const TestRecord& record) noexcept override {
    {
      std::lock_guard lock(mutex_);
      observed_.push_back(record);
    }
    observer.store(std::this_thread::get_id());
    inside.Open();
    if (gate != nullptr) gate->Pass();
  }
  Report<TestRecord> MakeLag(uint64_t lost) noexcept override { return {{.lost = lost}}; }
  Report<TestRecord> MakeRefusal(const Subscription<TestRecord>&,
                                 Subscription<TestRecord>::Offered why,
                                 uint64_t count) noexcept override {
    return {
        {.refused = count, .refused_closed = why == Subscription<TestRecord>::Offered::kClosed}};
  }
  bool IsDiagnostic(const TestRecord& record) const noexcept override {
    return record.lost > 0 || record.refused > 0;
  }
  void OnIdle() noexcept override { idle.fetch_add(1); }

  [[nodiscard]] std::vector<TestRecord> Observed() {
    std::lock_guard lock(mutex_);
    return observed_;
  }

  Gate inside;
  Gate* gate = nullptr;  // holds the fan-out at every record
  std::atomic<int> idle{0};
  std::atomic<std::thread::id> observer{};  // who saw the last record

 private:
  std::mutex mutex_;
  std::vector<TestRecord> observed_;
};

struct BusTest : ::testing::Test {
  void TearDown() override { bus->Close(); }  // also of a test that failed half-way
  void Make(size_t bus_capacity, std::vector<size_t> queue_capacities) {
    for (const size_t capacity : queue_capacities) {
      received.push_back(std::make_shared<Received>());
      subscriptions.push_back(MakeSubscription(capacity, received.back()));
    }
    bus = std::make_unique<Bus<TestRecord>>(bus_capacity, subscriptions, hooks);
  }
  void Publish(int value) {
    bus->Publish([=](TestRecord& record) { record = {.value = value}; });
  }
  // Everything delivered, all threads at their end.
  void Finish() {
    bus->Close();
    bus->Join();
    for (const auto& s : subscriptions) ASSERT_TRUE(Eventually([&] { return s->Done(); }));
  }

  TestHooks hooks;
  std::vector<std::shared_ptr<Received>> received;
  Bus<TestRecord>::Subscriptions subscriptions;
  std::unique_ptr<Bus<TestRecord>> bus;
};

TEST_F(BusTest, EverySubscriptionGetsEveryRecordNumberedInOrder) {
  Make(64, {64, 64});
  bus->Start();
  for (int i = 1; i <= 20; ++i) Publish(i);
  Finish();
  for (const auto& r : received) {
    const auto records = r->All();
    ASSERT_EQ(records.size(), 20u);
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].sequence, i + 1);
      EXPECT_EQ(records[i].value, static_cast<int>(i) + 1);
    }
  }
  EXPECT_EQ(bus->lost(), 0u);
  EXPECT_EQ(bus->fanned_out(), 20u);
}

TEST_F(BusTest, TheHooksSeeARecordBeforeAnySubscription) {
  Make(4, {4});
  Gate gate;
  hooks.gate = &gate;
  bus->Start();
  Publish(1);
  ASSERT_TRUE(hooks.inside.Wait());
  EXPECT_TRUE(received[0]->All().empty());
  gate.Open();
  EXPECT_TRUE(received[0]->Await(1));
  Finish();
}

TEST_F(BusTest, LossInTheRingIsToldInItsPlaceWithTheNumberOfTheLastLost) {
  Make(1, {64});
  Gate gate;
  hooks.gate = &gate;
  bus->Start();
  Publish(1);
  ASSERT_TRUE(hooks.inside.Wait());  // the fan-out holds the only slot
  for (int i = 0; i < 7; ++i) Publish(0);
  gate.Open();
  EXPECT_TRUE(received[0]->Await(2));
  Publish(2);
  Finish();
  const auto records = received[0]->All();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].lost, 7u);
  EXPECT_EQ(records[1].sequence, 8u);
  EXPECT_EQ(records[2].sequence, 9u);
  EXPECT_EQ(bus->lost(), 7u);
}

TEST_F(BusTest, AnEpisodeOfRefusalsIsReportedOnceWithItsCount) {
  Make(64, {1, 64});
  Gate gate;
  received[0]->gate = &gate;
  bus->Start();
  Publish(1);
  ASSERT_TRUE(received[0]->inside.Wait());  // its callback holds its only place
  for (int i = 2; i <= 5; ++i) Publish(i);
  EXPECT_TRUE(received[1]->Await(5));
  gate.Open();
  // Its place is free some time after its callback has returned: publish until it takes one,
  // each time waiting for the other, who shall not fall behind.
  ASSERT_TRUE(Eventually([&] {
    const size_t before = received[1]->All().size();
    Publish(6);
    return received[1]->Await(before + 1) && received[0]->All().size() >= 2;
  }));
  Finish();
  uint64_t told = 0;
  uint64_t reports = 0;
  for (const TestRecord& record : received[1]->All()) {
    told += record.refused;
    reports += record.refused > 0;
    EXPECT_FALSE(record.refused_closed);
  }
  EXPECT_GE(told, 4u);
  EXPECT_GE(reports, 1u);
  // All that it refused is told, but for refused reports: those are only counted.
  const SubscriptionCounts counts = subscriptions[0]->Counts();
  EXPECT_LE(told, counts.dropped);
  EXPECT_GE(told + reports, counts.dropped);
  EXPECT_EQ(subscriptions[1]->Counts().dropped, 0u) << "it delayed somebody else";
}

TEST_F(BusTest, CloseDrainsWhatWasTakenAndRefusesTheRest) {
  Make(64, {64});
  Gate gate;
  hooks.gate = &gate;
  bus->Start();
  for (int i = 1; i <= 10; ++i) Publish(i);
  bus->Close();
  Publish(11);
  gate.Open();
  Finish();
  EXPECT_EQ(received[0]->Values().size(), 10u);
}

TEST_F(BusTest, ClosedBeforeItsStartItNeverRuns) {
  Make(4, {4});
  Publish(1);
  bus->Close();
  bus->Start();
  bus->Join();
  EXPECT_TRUE(subscriptions[0]->Done());
  EXPECT_TRUE(received[0]->All().empty());
}

TEST_F(BusTest, APublisherThatNeverFinishesHoldsUpTheCloseOnlyForABound) {
  Make(4, {4});
  Gate in_fill;
  Gate leave;
  bus->Start();
  std::thread stalled([&] {
    bus->Publish([&](TestRecord& record) {
      in_fill.Open();
      leave.Pass();
      record = {.value = 1};
    });
  });
  ASSERT_TRUE(in_fill.Wait());
  Publish(2);
  ASSERT_TRUE(received[0]->Await(1)) << "others are not held up";
  bus->Close();
  bus->Join();  // the test would hang
  ASSERT_TRUE(received[0]->Await(2));
  const auto records = received[0]->All();
  EXPECT_EQ(records[0].value, 2);
  EXPECT_EQ(records[0].sequence, 1u);
  EXPECT_EQ(records[1].lost, 1u) << "the hole counts as a loss";
  EXPECT_EQ(records[1].sequence, 2u);
  EXPECT_EQ(bus->lost(), 1u);
  leave.Open();
  stalled.join();
}

TEST_F(BusTest, AnIdleBusSleepsAndIsWokenByTheNextRecord) {
  Make(4, {4});
  bus->Start();
  ASSERT_TRUE(Eventually([&] { return hooks.idle > 0; }));
  for (int i = 1; i <= 50; ++i) {
    const int before = hooks.idle;  // it parks, or is about to
    Publish(i);
    ASSERT_TRUE(received[0]->Await(static_cast<size_t>(i)));
    ASSERT_TRUE(Eventually([&] { return hooks.idle > before; }));
  }
  Finish();
  EXPECT_EQ(bus->lost(), 0u);
}

TEST_F(BusTest, ACallbackThatBlocksDelaysNobodyElse) {
  Make(64, {4});
  Gate gate;
  received[0]->gate = &gate;
  bus->Start();
  Publish(1);
  ASSERT_TRUE(received[0]->inside.Wait());
  for (int i = 2; i <= 20; ++i) Publish(i);  // its queue fills up, the hooks see them all
  EXPECT_TRUE(Eventually([&] { return hooks.Observed().size() >= 20; }));
  EXPECT_TRUE(Eventually([&] { return subscriptions[0]->Counts().dropped >= 16; }));
  bus->Close();
  bus->Join();  // the test would hang
  EXPECT_FALSE(subscriptions[0]->Done());
  gate.Open();
  Finish();
}

TEST_F(BusTest, ASoleSubscriptionReadsTheRingOnItsOwnThread) {
  Make(64, {64});
  bus->Start();
  int published = 0;
  // The bus's thread begins. With records that come one by one it gives the baton away, and
  // it is the other one that a publisher wakes.
  ASSERT_TRUE(Eventually([&] {
    const int before = hooks.idle;
    Publish(++published);
    EXPECT_TRUE(received[0]->Await(static_cast<size_t>(published)));
    if (hooks.observer.load() == received[0]->thread.load()) return true;
    // One of them finds nothing to do; then let them settle it, and try again if they did not.
    EXPECT_TRUE(Eventually([&] { return hooks.idle > before; }));
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    return false;
  }));
  Finish();
}

TEST_F(BusTest, AnAbandonedSubscriptionLeavesTheRingToTheBus) {
  Make(64, {64});
  bus->Start();
  Publish(1);
  ASSERT_TRUE(received[0]->Await(1));
  subscriptions[0]->Abandon();
  ASSERT_TRUE(Eventually([&] { return subscriptions[0]->Done(); }));
  for (int i = 2; i <= 20; ++i) {
    Publish(i);
    ASSERT_TRUE(Eventually([&] { return hooks.Observed().size() >= static_cast<size_t>(i); }));
  }
  Finish();
}

struct BusUnderThreads : BusTest, ::testing::WithParamInterface<std::vector<size_t>> {};

// With queues of so many. A sole one of one place is the hardest: its own thread reads the
// ring, and a lag record takes the place of the record that it stands before.
INSTANTIATE_TEST_SUITE_P(Bus, BusUnderThreads,
                         ::testing::Values(std::vector<size_t>{1}, std::vector<size_t>{3},
                                           std::vector<size_t>{1, 3}));

TEST_P(BusUnderThreads, TheBooksOfRingFanOutAndSubscriptionsAgree) {
  Make(2, GetParam());
  bus->Start();
  constexpr int kEach = 20'000;
  std::vector<std::thread> publishers;
  for (int p = 0; p < 3; ++p) {
    publishers.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) Publish(i);
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  Finish();
  uint64_t last = 0;
  uint64_t lost = 0;
  uint64_t lags = 0;
  for (const TestRecord& record : hooks.Observed()) {
    ASSERT_EQ(record.sequence, last + (record.lost > 0 ? record.lost : 1));
    last = record.sequence;
    lost += record.lost;
    lags += record.lost > 0;
  }
  EXPECT_EQ(lost, bus->lost());
  EXPECT_GE(last, uint64_t{3 * kEach});
  for (size_t i = 0; i < subscriptions.size(); ++i) {
    const SubscriptionCounts counts = subscriptions[i]->Counts();
    EXPECT_EQ(counts.offered, last - lost + lags);
    EXPECT_EQ(counts.queued, 0u);
    EXPECT_EQ(counts.delivered + counts.dropped, counts.offered);
    const auto records = received[i]->All();
    EXPECT_EQ(counts.delivered, records.size());
    for (size_t k = 1; k < records.size(); ++k) {
      ASSERT_GT(records[k].sequence, records[k - 1].sequence);
    }
  }
}

}  // namespace
}  // namespace taskvisor::internal
