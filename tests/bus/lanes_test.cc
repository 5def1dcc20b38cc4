// Several threads and their lanes: bus/ring.h, lane.h, merge.h.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "bus/ring.h"
#include "sched/event_count.h"
#include "tests/bus/int_ring.h"
#include "tests/support/gate.h"
#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using testing::AnnouncedSeed;
using testing::Random;

using Published = IntRing::Published;

Published PutAs(IntRing& ring, uint32_t thread, int value) {
  return ring.PublishRunAs(thread, std::array<uint32_t, 1>{},
                           [=](size_t, int& slot, SlotText<int>&) { slot = value; });
}

// The reader's side is played while a publisher stands in its fill.
TEST(Lanes, APublisherBetweenTicketAndStampHoldsUpNobodyAndIsGivenUpAfterTheClose) {
  IntRing ring(2);
  EXPECT_FALSE(ring.AtHole());
  ring.Publish([&](int& slot) {
    EXPECT_EQ(ring.Take().record, nullptr);
    EXPECT_TRUE(ring.AtHole());
    EXPECT_FALSE(ring.TrySleep()) << "its publisher would not wake the reader";
    for (const int value : {2, 3}) EXPECT_EQ(PutAs(ring, 7, value), Published::kYes);
    EXPECT_EQ(PutAs(ring, 7, 4), Published::kLost) << "its own lane is full";
    EXPECT_FALSE(ring.AtHole());
    for (const uint64_t number : {1u, 2u}) {
      const auto taken = ring.Take();
      ASSERT_NE(taken.record, nullptr) << "held up by somebody else's hole";
      EXPECT_EQ(taken.number, number);
      ring.Done();
    }
    EXPECT_EQ(ring.TakeTrailingLosses(), 1u);
    EXPECT_TRUE(ring.AtHole());
    ring.Close();
    EXPECT_FALSE(ring.Exhausted());
    EXPECT_EQ(ring.SkipHoles(), 1u);
    EXPECT_FALSE(ring.AtHole());
    EXPECT_TRUE(ring.Exhausted());
    slot = 1;  // late, where nobody looks
  });
  EXPECT_TRUE(ring.Exhausted());
  EXPECT_EQ(ring.number(), 4u);
}

TEST(Lanes, LanesAreMergedInTheOrderOfTheTickets) {
  const uint64_t seed = AnnouncedSeed();
  Random random(seed);
  IntRing ring(64, {.start = 0xfffffff0});
  int next = 0;
  for (int round = 0; round < 300; ++round) {
    const int first = next;
    for (uint64_t n = random.Below(40); n > 0; --n) {
      ASSERT_EQ(PutAs(ring, static_cast<uint32_t>(random.Below(5)), next++), Published::kYes);
    }
    for (int i = first; i < next; ++i) {
      const auto taken = ring.Take();
      ASSERT_NE(taken.record, nullptr);
      ASSERT_EQ(*taken.record, i);
      ASSERT_EQ(taken.number, static_cast<uint64_t>(i) + 1);
      ring.Done();
    }
    ASSERT_EQ(ring.Take().record, nullptr);
  }
}

TEST(Lanes, OneLaneFullLosesNothingOfAnother) {
  IntRing ring(2);
  for (int i = 0; i < 5; ++i) PutAs(ring, 0, i);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(PutAs(ring, 1, i), Published::kYes);
  for (int i = 0; i < 4; ++i) {
    ASSERT_NE(ring.Take().record, nullptr);
    ring.Done();
  }
  EXPECT_EQ(ring.TakeTrailingLosses(), 3u);
  EXPECT_TRUE(ring.TrySleep());
}

TEST(Lanes, AThreadWithoutALaneLosesItsRecordsAndTheyAreCounted) {
  IntRing ring(4);
  EXPECT_TRUE(ring.TrySleep());
  EXPECT_EQ(PutAs(ring, ThreadNumbers::kNone, 1), Published::kLostAndWake);
  EXPECT_EQ(PutAs(ring, ThreadNumbers::kNone, 2), Published::kLost);
  EXPECT_FALSE(ring.TrySleep());
  EXPECT_FALSE(ring.AtHole());
  EXPECT_EQ(ring.Take().record, nullptr);
  EXPECT_EQ(ring.TakeTrailingLosses(), 2u);
  EXPECT_EQ(ring.number(), 2u);
  EXPECT_TRUE(ring.TrySleep());
}

// Whatever the options say.
TEST(Lanes, MoreThreadsThanThereAreLanesAtMostLoseTheirRecords) {
  IntRing::Options options;
  options.max_threads = 2 * IntRing::kMaxThreads;
  IntRing ring(1, options);
  constexpr uint32_t kMore = 3;
  std::atomic<uint32_t> published{0};
  std::atomic<uint32_t> lost{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < IntRing::kMaxThreads + kMore; ++i) {
    threads.emplace_back([&] {
      lost += Put(ring, 1) != Published::kYes;
      ++published;
      over.wait(false);  // and keeps its number
    });
  }
  EXPECT_TRUE(testing::Eventually([&] { return published == threads.size(); }));
  over = true;
  over.notify_all();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lost, kMore);
}

// One lane is enough for threads that come one after another, also for unread records.
TEST(Lanes, AThreadThatEndsLeavesItsLaneToTheNext) {
  IntRing ring(16);
  for (int i = 0; i < 16; ++i)
    std::thread([&] { EXPECT_EQ(Put(ring, i), Published::kYes); }).join();
  std::thread([&] { EXPECT_EQ(Put(ring, 16), Published::kLost); }).join();
  for (int i = 0; i < 16; ++i) {
    const auto taken = ring.Take();
    ASSERT_NE(taken.record, nullptr);
    EXPECT_EQ(*taken.record, i);
    ring.Done();
  }
  EXPECT_EQ(ring.TakeTrailingLosses(), 1u);
}

// Judges itself: `check` belongs to the other two.
struct Record {
  uint64_t publisher = 0;
  uint64_t n = 0;
  uint64_t check = 0;

  static uint64_t CheckOf(uint64_t publisher, uint64_t n) {
    return Random(publisher * 1'000'003 + n).Next();
  }
  void Fill(uint64_t p, uint64_t i) { *this = {p, i, CheckOf(p, i)}; }
  [[nodiscard]] bool whole() const { return check == CheckOf(publisher, n); }
};

struct Totals {
  std::atomic<uint64_t> taken{0};
  std::atomic<uint64_t> lost{0};
};

void PublishMany(Ring<Record>& ring, EventCount& events, uint64_t publisher, uint64_t count,
                 Totals& totals) {
  for (uint64_t n = 1; n <= count; ++n) {
    using R = Ring<Record>;
    const auto published = ring.Publish([&](Record& record) { record.Fill(publisher, n); });
    if (R::OwesWakeUp(published)) events.Notify();
    const bool taken = published == R::Published::kYes || published == R::Published::kYesAndWake;
    (taken ? totals.taken : totals.lost).fetch_add(1);
  }
}

// On threads, across the wrap, with a reader that sleeps: whole records, each publisher's in
// order, gaps == losses, all accounted for.
TEST(Lanes, GapsAreLossesUnderThreadsThatOverrunIt) {
  const uint64_t seed = AnnouncedSeed();
  for (const size_t capacity : {1u, 2u, 3u, 64u, 1024u}) {
    constexpr uint64_t kEach = 30'000;
    constexpr size_t kPublishers = 3;
    Ring<Record> ring(capacity, {.start = 0xffffffff - 5000});
    EventCount events;
    Totals totals;
    std::vector<std::thread> publishers;
    for (uint64_t p = 0; p < kPublishers; ++p) {
      publishers.emplace_back([&, p] { PublishMany(ring, events, p, kEach, totals); });
    }
    uint64_t read = 0;
    uint64_t lost = 0;
    uint64_t number = 0;
    std::array<uint64_t, kPublishers> last{};
    std::thread reader([&] {
      Random random(seed);
      while (!ring.Exhausted()) {
        const auto taken = ring.Take();
        if (taken.record != nullptr) {
          lost += taken.lost;
          ASSERT_EQ(taken.number, number + taken.lost + 1);
          number = taken.number;
          ASSERT_TRUE(taken.record->whole());
          ASSERT_GT(taken.record->n, last[taken.record->publisher]);
          last[taken.record->publisher] = taken.record->n;
          ring.Done();
          ++read;
          if (random.Percent(1)) std::this_thread::yield();
          continue;
        }
        if (const uint64_t trailing = ring.TakeTrailingLosses(); trailing > 0) {
          lost += trailing;
          number += trailing;
          continue;
        }
        const EventCount::Key key = events.PrepareWait();
        if (ring.TrySleep()) events.Wait(key);
      }
    });
    for (std::thread& publisher : publishers) publisher.join();
    ring.Close();
    events.Notify();
    reader.join();
    EXPECT_EQ(read, totals.taken);
    EXPECT_EQ(lost, totals.lost);
    EXPECT_EQ(number, kPublishers * kEach);
  }
}

}  // namespace
}  // namespace taskvisor::internal
