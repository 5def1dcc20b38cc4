// Model of bus/ring.h, lane.h and merge.h: see tests/support/model.h. Lanes of one and two
// records, with positions that start just below 2^32.

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "bus/ring.h"
#include "sched/event_count.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

// Whole only if both halves agree; written in two steps.
struct Record {
  int publisher = 0;
  int n = 0;
  int publisher_again = 0;
  int n_again = 0;
};

constexpr std::array<uint32_t, 1> kOne{};

struct Publishers {
  static constexpr int kEach = 4;
  static constexpr int kWithLanes = 2;  // those after them lose all they publish
  static constexpr uint64_t kMostWait = 3;

  void Run(Ring<Record>& ring, EventCount& events, int publisher) {
    for (int n = 1; n <= kEach; ++n) {
      const auto fill = [&](size_t, Record& record, SlotText<Record>&) {
        record.publisher = publisher;
        record.n = n;
        Model::Step();
        record.publisher_again = publisher;
        record.n_again = n;
      };
      const uint32_t thread =
          publisher < kWithLanes ? static_cast<uint32_t>(publisher) : ThreadNumbers::kNone;
      const auto published = ring.PublishRunAs(thread, kOne, fill);
      using Published = Ring<Record>::Published;
      const bool may_pass_on = passes_on && published == Published::kYesAndWake;
      if (Ring<Record>::OwesWakeUp(published) && !(may_pass_on && ring.TryPassOn(kMostWait))) {
        events.Notify();
      }
      if (published == Published::kLost || published == Published::kLostAndWake) ++lost;
      if (published == Published::kYes || published == Published::kYesAndWake) ++taken;
      if (published == Published::kClosed) ++closed;
    }
    if (passes_on && ring.OweWakeUp()) events.Notify();  // it has nothing else to do
  }

  bool passes_on = false;
  int taken = 0;
  int lost = 0;
  int closed = 0;
};

// What Bus does with a ring, with books.
struct Reader {
  void Run(Ring<Record>& ring, EventCount& events) {
    while (!ring.Exhausted()) {
      if (DrainSome(ring)) continue;
      const EventCount::Key key = events.PrepareWait();
      if (!ring.TrySleep()) continue;
      events.Wait(key);
      ring.StayAwake();
    }
    ring.SealLosses();
    static_cast<void>(DrainSome(ring));
  }
  bool DrainSome(Ring<Record>& ring) {
    bool any = false;
    for (auto taken = ring.Take(); taken.record != nullptr; taken = ring.Take()) {
      any = true;
      lost += taken.lost;
      EXPECT_EQ(taken.number, number + taken.lost + 1);
      number = taken.number;
      const Record record = *taken.record;
      Model::Step();  // a publisher that overtook the reader would write here
      EXPECT_EQ(record.n_again, taken.record->n);
      EXPECT_EQ(record.publisher_again, taken.record->publisher);
      EXPECT_GT(record.n, last[static_cast<size_t>(record.publisher)]) << "order or duplicate";
      last[static_cast<size_t>(record.publisher)] = record.n;
      ring.Done();
      ++read;
    }
    if (const uint64_t trailing = ring.TakeTrailingLosses(); trailing > 0) {
      any = true;
      lost += trailing;
      number += trailing;
      EXPECT_EQ(number, ring.number());
    }
    if (any) progress.Notify();
    return any;
  }

  uint64_t number = 0;
  uint64_t lost = 0;
  int read = 0;
  std::array<int, 3> last{};
  EventCount progress;
};

void RunRing(Model& model, size_t capacity, bool close_early, Ring<Record>::Options options,
             bool passes_on = false, int count = Publishers::kWithLanes) {
  Ring<Record> ring(capacity, options);
  EventCount events;
  Publishers publishers;
  publishers.passes_on = passes_on;
  Reader reader;
  constexpr const char* kNames[] = {"publisher 0", "publisher 1", "publisher without a lane"};
  for (int p = 0; p < count; ++p) {
    model.Spawn(kNames[p], [&, p] { publishers.Run(ring, events, p); });
  }
  model.Spawn("closer", [&, close_early] {
    // Late: once all is read, or the reader sleeps on a wake-up that it should have had.
    const auto all = static_cast<uint64_t>(count * Publishers::kEach);
    if (!close_early) Await(reader.progress, [&] { return reader.number == all; });
    ring.Close();
    events.Notify();
  });
  model.Spawn("reader", [&] { reader.Run(ring, events); });
  model.Run();

  // Every publish is read, counted as lost or refused, once: gaps are losses.
  EXPECT_EQ(reader.read, publishers.taken);
  EXPECT_EQ(reader.lost, static_cast<uint64_t>(publishers.lost));
  EXPECT_EQ(reader.number, static_cast<uint64_t>(publishers.taken + publishers.lost));
  EXPECT_EQ(publishers.taken + publishers.lost + publishers.closed, count * Publishers::kEach);
  EXPECT_TRUE(close_early || publishers.closed == 0);
}

constexpr uint32_t kStart = 0xfffffffd;  // the positions wrap on the way

constexpr Ring<Record>::Options kTiny{.start = kStart, .min_slots = 1};

TEST(RingModel, OfOneRecordALaneLosesNothingUncounted) {
  Explore(30'000, [](Model& model) { RunRing(model, 1, /*close_early=*/false, kTiny); });
}

TEST(RingModel, OfTwoRecordsALaneLosesNothingUncounted) {
  Explore(30'000, [](Model& model) { RunRing(model, 2, /*close_early=*/false, kTiny); });
}

TEST(RingModel, OfThreeInFourSlotsLosesNothingUncounted) {
  Explore(20'000, [](Model& model) { RunRing(model, 3, /*close_early=*/false, kTiny); });
}

TEST(RingModel, ClosedAtAnyMomentWhatWasTakenIsRead) {
  Explore(40'000, [](Model& model) {
    RunRing(model, 1 + model.random().Below(2), /*close_early=*/true, kTiny);
  });
}

// Each leaves its wake-ups to the next, and takes what is left when it is done.
TEST(RingModel, AWakeUpThatIsPassedOnIsPaidInTheEnd) {
  Explore(40'000, [](Model& model) {
    const bool close_early = model.random().Below(4) == 0;
    const int count = Publishers::kWithLanes + static_cast<int>(model.random().Below(2));
    RunRing(model, 1 + model.random().Below(3), close_early, kTiny, /*passes_on=*/true, count);
  });
}

// Roused once, when the record is there, wherever its publisher stands with what it owes.
TEST(RingModel, OnceRousedItsReaderComes) {
  Explore(20'000, [](Model& model) {
    Ring<Record> ring(2, kTiny);
    EventCount events;
    Atomic<bool> published{false};
    model.Spawn("publisher", [&] {
      const auto fill = [&](size_t, Record&, SlotText<Record>&) {};
      const auto done = ring.PublishRunAs(0, kOne, fill);
      published.store(true, std::memory_order_release);
      if (Ring<Record>::OwesWakeUp(done) && !ring.TryPassOn(1)) events.Notify();
    });
    model.Spawn("rouser", [&] {
      while (!published.load(std::memory_order_acquire)) {
      }
      if (ring.OweWakeUp()) events.Notify();
    });
    model.Spawn("reader", [&] {
      while (ring.Take().record == nullptr) {
        const EventCount::Key key = events.PrepareWait();
        if (ring.TrySleep()) events.Wait(key);
      }
    });
    model.Run();
  });
}

// A publisher that stops for good between ticket and stamp: what the others publish is read
// while it stands there, and after the close it is given up, once.
TEST(RingModel, AFrozenPublisherHoldsUpNobody) {
  Explore(30'000, [](Model& model) {
    Ring<Record> ring(2, kTiny);
    Atomic<bool> thaw{false};
    uint64_t lost = 0;
    model.Spawn("frozen", [&] {
      const auto fill = [&](size_t, Record&, SlotText<Record>&) {
        while (!thaw.load()) {
        }
      };
      static_cast<void>(ring.PublishRunAs(0, kOne, fill));
    });
    model.Spawn("publisher", [&] {
      for (int n = 1; n <= 2; ++n) {
        const auto fill = [&](size_t, Record& record, SlotText<Record>&) { record.n = n; };
        static_cast<void>(ring.PublishRunAs(1, kOne, fill));
      }
    });
    model.Spawn("reader", [&] {
      for (int read = 0; read < 2;) {
        const auto taken = ring.Take();
        if (taken.record == nullptr) continue;
        EXPECT_EQ(taken.record->n, ++read);
        ring.Done();
      }
      ring.Close();
      lost = ring.SkipHoles();
      EXPECT_TRUE(ring.Exhausted());
      thaw.store(true);
    });
    model.Run();
    EXPECT_LE(lost, 1u);  // 0: it had not drawn its ticket when the ring was closed
    EXPECT_EQ(ring.number(), 2 + lost);
  });
}

// The litmus test of R3: an event that another thread published before it handed us
// something has the smaller number.
//
//   P1: publish a; flag = 1      P2: wait for flag; publish b
//   number(a) < number(b)        allowed
//   number(a) > number(b)        forbidden: a bound with b's ticket comes with a look at a's stamp
TEST(RingModel, NumbersFollowAHandOff) {
  Explore(10'000, [](Model& model) {
    Ring<Record> ring(4, {.start = 0xffffffff, .min_slots = 1});
    Atomic<bool> flag{false};
    const auto publish = [&](int publisher) {
      const auto fill = [&](size_t, Record& record, SlotText<Record>&) {
        record.publisher = publisher;
      };
      static_cast<void>(ring.PublishRunAs(static_cast<uint32_t>(publisher), kOne, fill));
    };
    model.Spawn("P1", [&] {
      publish(1);
      flag.store(true);
    });
    model.Spawn("P2", [&] {
      while (!flag.load()) {
      }
      publish(2);
    });
    model.Spawn("noise", [&] { publish(3); });
    std::array<uint64_t, 4> number{};
    // Passes that begin at any moment: with a bound before, between and behind the tickets.
    model.Spawn("reader", [&] {
      while (ring.number() < 3) {
        for (auto taken = ring.Take(); taken.record != nullptr; taken = ring.Take()) {
          number[static_cast<size_t>(taken.record->publisher)] = taken.number;
          ring.Done();
        }
      }
    });
    model.Run();
    EXPECT_LT(number[1], number[2]);
    EXPECT_NE(number[3], 0u);
  });
}

}  // namespace
}  // namespace taskvisor::internal
