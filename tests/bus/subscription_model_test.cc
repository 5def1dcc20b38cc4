// Model of bus/spsc_queue.h, bus/subscription.h and the whole of bus/bus.h: see
// tests/support/model.h. Compiled without access control: the loops of their threads run as
// the model's threads.

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <utility>

#include "bus/bus.h"
#include "bus/subscription.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

struct Record {
  uint64_t sequence = 0;
  uint64_t payload = 0;
  uint64_t lost = 0;  // not 0: a lag record
  bool refusal = false;
};

class BookSink final : public Sink<Record> {
 public:
  uint64_t WantedOf(std::span<const Record* const> records) const noexcept override {
    return SelectOf(records, [](const Record&) { return true; });
  }
  void OnRecord(const Record& record) noexcept override {
    EXPECT_GT(record.sequence, last_) << "order or duplicate";
    missing += record.sequence - last_ - 1;
    last_ = record.sequence;
    ++seen;
    Model::Step();
    if (progress != nullptr) progress->Notify();
    if (gate != nullptr) Await(*gate, [this] { return open->load(); });
  }
  EventCount* gate = nullptr;  // each call waits here until *open
  Atomic<bool>* open = nullptr;
  EventCount* progress = nullptr;
  uint64_t seen = 0;
  uint64_t missing = 0;
  [[nodiscard]] uint64_t last() const { return last_; }

 private:
  uint64_t last_ = 0;
};

struct Subscribed {
  explicit Subscribed(size_t capacity) {
    auto owned = std::make_unique<BookSink>();
    sink = owned.get();
    subscription = std::make_shared<Subscription<Record>>("s", capacity, std::move(owned));
    EXPECT_TRUE(subscription->Move(Subscription<Record>::kIdle, Subscription<Record>::kOpen));
  }
  // Offers a record that stays.
  Subscription<Record>::Offered Offer(uint64_t n) {
    const Record* const record = &records.emplace_back(Record{.sequence = n});
    return subscription->OfferAll({&record, 1}).Of(0);
  }
  std::deque<Record> records;
  std::shared_ptr<Subscription<Record>> subscription;
  BookSink* sink = nullptr;
};

TEST(SpscQueueModel, EveryPushedValueIsPoppedOnceAndInOrder) {
  Explore(50'000, [](Model& model) {
    SpscQueue<int> queue(1 + model.random().Below(2));
    int pushed = 0;
    int popped = 0;
    Atomic<bool> over{false};
    model.Spawn("producer", [&] {
      for (int tries = 0; tries < 8; ++tries) {
        if (queue.TryPush(pushed + 1)) ++pushed;
        if (model.random().Percent(50)) queue.Publish();
      }
      queue.Publish();
      over.store(true);
    });
    model.Spawn("consumer", [&] {
      while (true) {
        const bool last_look = over.load();
        while (const int* front = queue.Front()) {
          EXPECT_EQ(*front, popped + 1);
          Model::Step();
          EXPECT_EQ(*front, ++popped) << "overwritten while in use";
          queue.Pop();
        }
        if (last_look) return;
      }
    });
    model.Run();
    EXPECT_EQ(popped, pushed);
    EXPECT_GE(pushed, 1);
  });
}

// Closed at any moment: what was taken is delivered, the counts add up, the thread ends.
TEST(SubscriptionModel, CloseDeliversWhatWasTaken) {
  Explore(20'000, [](Model& model) {
    Subscribed s(1 + model.random().Below(2));
    const auto done = std::make_shared<EventCount>();
    s.subscription->SetDoneListener(done);
    uint64_t taken = 0;
    model.Spawn("fan-out", [&] {
      for (uint64_t n = 1; n <= 4; ++n) {
        taken += s.Offer(n) == Subscription<Record>::Offered::kTaken;
        s.subscription->Flush();
        const SubscriptionCounts c = s.subscription->Counts();
        EXPECT_EQ(c.offered, c.delivered + c.dropped + c.queued);
      }
      s.subscription->Close();
    });
    model.Spawn("subscriber", [&] { s.subscription->Loop(); });
    model.Spawn("shutdown", [&] { Await(*done, [&] { return s.subscription->Done(); }); });
    model.Run();
    const SubscriptionCounts counts = s.subscription->Counts();
    EXPECT_EQ(counts.offered, 4u);
    EXPECT_EQ(counts.queued, 0u);
    EXPECT_EQ(counts.delivered, taken);
    EXPECT_EQ(s.sink->seen, taken);
    EXPECT_EQ(counts.dropped, 4 - taken);
  });
}

TEST(SubscriptionModel, AbandonedAtAnyMomentTheThreadEndsAndTheCountsAddUp) {
  Explore(20'000, [](Model& model) {
    Subscribed s(2);
    model.Spawn("fan-out", [&] {
      for (uint64_t n = 1; n <= 4; ++n) {
        static_cast<void>(s.Offer(n));
        s.subscription->Flush();
      }
    });
    model.Spawn("subscriber", [&] { s.subscription->Loop(); });
    model.Spawn("shutdown", [&] { s.subscription->Abandon(); });
    model.Run();
    EXPECT_TRUE(s.subscription->Done());
    const SubscriptionCounts counts = s.subscription->Counts();
    EXPECT_EQ(counts.offered, 4u);
    EXPECT_EQ(counts.queued, 0u);
    EXPECT_EQ(counts.delivered, s.sink->seen);
    EXPECT_EQ(counts.dropped, 4 - s.sink->seen);
  });
}

class BookHooks final : public FanOutHooks<Record> {
 public:
  void Observe(const Record& record) noexcept override {
    EXPECT_FALSE(inside) << "two threads read";
    inside = true;
    Model::Step();
    const uint64_t step = record.lost > 0 ? record.lost : 1;
    EXPECT_EQ(record.sequence, last + step);
    last = record.sequence;
    ++(record.lost > 0 ? lag_records : records);
    lost += record.lost;
    reports += record.refusal;
    inside = false;
    if (notify_each) progress.Notify();
  }
  Report<Record> MakeLag(uint64_t count) noexcept override { return {{.lost = count}}; }
  Report<Record> MakeRefusal(const Subscription<Record>&, Subscription<Record>::Offered,
                             uint64_t) noexcept override {
    ++reports_made;
    return {{.refusal = true}};
  }
  bool IsDiagnostic(const Record& record) const noexcept override {
    return record.refusal || record.lost > 0;
  }
  void OnIdle() noexcept override { progress.Notify(); }

  EventCount progress;
  bool notify_each = false;
  bool inside = false;

  uint64_t last = 0;
  uint64_t records = 0;
  uint64_t lag_records = 0;
  uint64_t lost = 0;
  uint64_t reports = 0;
  uint64_t reports_made = 0;
};

// As Bus::Publish, but by their number: these threads are not the system's.
void SpawnPublishers(Model& model, Bus<Record>& bus, uint32_t count, uint64_t each) {
  for (uint32_t publisher = 1; publisher <= count; ++publisher) {
    model.Spawn(publisher == 1 ? "publisher 1" : "publisher 2", [&bus, publisher, each] {
      for (uint64_t n = 1; n <= each; ++n) {
        const auto fill = [&](size_t, Record& record, SlotText<Record>&) {
          record = {.payload = n};
        };
        const auto published = bus.ring_.PublishRunAs(publisher, std::array<uint32_t, 1>{}, fill);
        if (Ring<Record>::OwesWakeUp(published)) bus.baton_->NotifyWaiter();
      }
    });
  }
}

// Publishers, the fan-out and one subscriber, closed once all is published: whatever is
// lost on the way, the books of all of them agree.
TEST(BusModel, TheBooksOfRingFanOutAndSubscriberAgree) {
  Explore(10'000, [](Model& model) {
    BookHooks hooks;
    Subscribed s(1);
    Bus<Record> bus(1 + model.random().Below(2), {s.subscription}, hooks);
    SpawnPublishers(model, bus, 2, /*each=*/3);
    // Closes once all is through, so that nobody is woken by the close who slept too long.
    model.Spawn("closer", [&] {
      Await(hooks.progress, [&] {
        return hooks.last == 6 + hooks.reports_made && s.subscription->Counts().queued == 0;
      });
      bus.ring_.Close();
      bus.baton_->bus_events().Notify();
    });
    s.sink->progress = &hooks.progress;
    model.Spawn("fan-out", [&] { bus.Loop(); });
    model.Spawn("subscriber", [&] { s.subscription->Loop(); });
    model.Run();

    const SubscriptionCounts counts = s.subscription->Counts();
    EXPECT_EQ(hooks.last, hooks.records + hooks.lost);
    EXPECT_EQ(hooks.lost, bus.lost());
    EXPECT_EQ(hooks.records + hooks.lost, 6 + hooks.reports_made);
    EXPECT_EQ(counts.offered, hooks.records + hooks.lag_records);
    EXPECT_EQ(counts.delivered, s.sink->seen);
    EXPECT_EQ(counts.queued, 0u);
    EXPECT_EQ(counts.offered, counts.delivered + counts.dropped);
    EXPECT_EQ(s.sink->missing + (hooks.last - s.sink->last()),
              hooks.lost - hooks.lag_records + counts.dropped);
  });
}

// The sole subscription's callback returns only when all records have been seen by the hooks:
// whoever read the ring before, somebody reads on meanwhile.
TEST(BusModel, ACallbackThatBlocksHoldsUpNobody) {
  Explore(20'000, [](Model& model) {
    BookHooks hooks;
    hooks.notify_each = true;
    Subscribed s(1 + model.random().Below(4));
    EventCount gate;
    Atomic<bool> open{false};
    s.sink->gate = &gate;
    s.sink->open = &open;
    Bus<Record> bus(1 + model.random().Below(4), {s.subscription}, hooks);
    SpawnPublishers(model, bus, 2, /*each=*/2);
    model.Spawn("closer", [&] {
      Await(hooks.progress, [&] { return hooks.last >= 4; });
      bus.ring_.Close();
      bus.baton_->bus_events().Notify();
      open.store(true);
      gate.Notify();
    });
    model.Spawn("bus", [&] { bus.Loop(); });
    model.Spawn("subscriber", [&] { s.subscription->Loop(); });
    model.Run();
    EXPECT_EQ(hooks.records + hooks.lost, 4 + hooks.reports_made);
    EXPECT_EQ(s.subscription->Counts().delivered, s.sink->seen);
  });
}

// Closed at any moment, in the middle of a callback or of a read.
TEST(BusModel, ClosedAtAnyMomentWhatWasClaimedIsRead) {
  Explore(20'000, [](Model& model) {
    BookHooks hooks;
    Subscribed s(2);
    Bus<Record> bus(2, {s.subscription}, hooks);
    SpawnPublishers(model, bus, 2, /*each=*/5);
    model.Spawn("closer", [&] {
      bus.ring_.Close();
      bus.baton_->bus_events().Notify();
    });
    model.Spawn("bus", [&] { bus.Loop(); });
    model.Spawn("subscriber", [&] { s.subscription->Loop(); });
    model.Run();
    const SubscriptionCounts counts = s.subscription->Counts();
    EXPECT_EQ(counts.delivered, s.sink->seen);
    EXPECT_EQ(counts.offered, counts.delivered + counts.dropped);
    EXPECT_EQ(counts.offered, hooks.records + hooks.lag_records);
  });
}

}  // namespace
}  // namespace taskvisor::internal
