#include "bus/ring.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/bus/int_ring.h"

namespace taskvisor::internal {
namespace {

using Published = IntRing::Published;

TEST(Ring, NumbersStartAtOneAndFollowTheOrderOfPublishing) {
  IntRing ring(4);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(Put(ring, i * 10), Published::kYes);
  for (uint64_t i = 1; i <= 3; ++i) {
    const auto taken = ring.Take();
    ASSERT_NE(taken.record, nullptr);
    EXPECT_EQ(*taken.record, static_cast<int>(i) * 10);
    EXPECT_EQ(taken.number, i);
    EXPECT_EQ(taken.lost, 0u);
    ring.Done();
  }
  EXPECT_EQ(ring.Take().record, nullptr);
}

TEST(Ring, CapacityIsExactAlsoIfItIsNoPowerOfTwo) {
  // From 257 on, the first lap takes up memory in several steps.
  for (const size_t capacity : {1u, 2u, 3u, 5u, 64u, 100u, 256u, 257u, 1000u, 2048u}) {
    IntRing ring(capacity);
    EXPECT_EQ(ring.capacity(), capacity);
    for (size_t i = 0; i < capacity; ++i) EXPECT_EQ(Put(ring, 0), Published::kYes);
    EXPECT_EQ(Put(ring, 0), Published::kLost);
  }
}

TEST(Ring, CapacityZeroCountsAsOne) {
  IntRing ring(0);
  EXPECT_EQ(ring.capacity(), 1u);
  EXPECT_EQ(Put(ring, 1), Published::kYes);
  EXPECT_EQ(Put(ring, 2), Published::kLost);
}

TEST(Ring, TheSlotIsFreeOnlyAfterDone) {
  IntRing ring(1);
  Put(ring, 1);
  ASSERT_NE(ring.Take().record, nullptr);
  EXPECT_EQ(Put(ring, 2), Published::kLost) << "the reader still uses the only slot";
  ring.Done();
  EXPECT_EQ(Put(ring, 3), Published::kYes);
}

TEST(Ring, RoomIsKnownByStridesWhileMoreIsTakenAndAllOfItAfterwards) {
  constexpr int kCapacity = 1024;
  constexpr int kStride = kCapacity / 64;
  IntRing ring(kCapacity);
  const auto take = [&ring](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_NE(ring.Take().record, nullptr);
      ring.Done();
    }
  };
  const auto fits = [&ring] {
    int count = 0;
    while (Put(ring, 0) == Published::kYes) ++count;
    return count;
  };
  EXPECT_EQ(fits(), kCapacity);
  take(kStride - 1);
  EXPECT_EQ(fits(), 0) << "the line of the reader's head would be fetched for each record";
  take(1);
  EXPECT_EQ(fits(), kStride);
  take(kCapacity - kStride);  // the pass is over: what was published since belongs to the next one
  EXPECT_EQ(fits(), kCapacity - kStride);
  take(kStride + 1);
  EXPECT_EQ(fits(), kStride);
  take(kCapacity - kStride - 1);
  EXPECT_EQ(fits(), kCapacity - kStride);
}

TEST(Ring, LossesAreGapsToldByTheNextRecord) {
  IntRing ring(2);
  Put(ring, 1);
  Put(ring, 2);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Put(ring, 0), Published::kLost);
  static_cast<void>(ring.Take());
  ring.Done();
  Put(ring, 8);
  EXPECT_EQ(ring.Take().number, 2u);
  ring.Done();
  const auto taken = ring.Take();
  EXPECT_EQ(*taken.record, 8);
  EXPECT_EQ(taken.lost, 5u);
  EXPECT_EQ(taken.number, 8u);
  ring.Done();
  EXPECT_EQ(ring.TakeTrailingLosses(), 0u) << "told twice";
}

TEST(Ring, TrailingLossesAreToldOnceAndUseUpNumbers) {
  IntRing ring(1);
  Put(ring, 1);
  for (int i = 0; i < 3; ++i) Put(ring, 0);
  EXPECT_EQ(ring.TakeTrailingLosses(), 0u) << "not trailing: a record comes first";
  static_cast<void>(ring.Take());
  ring.Done();
  EXPECT_EQ(ring.TakeTrailingLosses(), 3u);
  EXPECT_EQ(ring.number(), 4u);
  EXPECT_EQ(ring.TakeTrailingLosses(), 0u);
  Put(ring, 2);
  EXPECT_EQ(ring.Take().number, 5u);
}

// The word, which all publishers share, is for records.
TEST(Ring, ALossDrawsNoTicket) {
  IntRing ring(1);
  Put(ring, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Put(ring, 0), Published::kLost);
  EXPECT_EQ(ring.last(), 1u);
  static_cast<void>(ring.Take());
  ring.Done();
  EXPECT_EQ(ring.TakeTrailingLosses(), 3u);
  EXPECT_TRUE(ring.TrySleep());
  EXPECT_EQ(Put(ring, 2), Published::kYesAndWake);
  EXPECT_EQ(ring.Take().number, 5u);
}

TEST(Ring, WhatIsLostAfterTheCountsAreSealedIsVoid) {
  IntRing ring(1);
  Put(ring, 1);
  EXPECT_EQ(Put(ring, 2), Published::kLost);
  ring.Close();
  EXPECT_EQ(Put(ring, 3), Published::kClosed);
  static_cast<void>(ring.Take());
  ring.Done();
  EXPECT_EQ(ring.TakeTrailingLosses(), 1u);
  EXPECT_TRUE(ring.Exhausted());
  ring.SealLosses();
  EXPECT_EQ(Put(ring, 4), Published::kClosed);
  EXPECT_EQ(ring.TakeTrailingLosses(), 0u);

  LossCount count;  // as for a publisher who has not seen the close
  EXPECT_TRUE(count.Add(2));
  count.Seal();
  EXPECT_FALSE(count.Add(1));
  EXPECT_EQ(count.count(), 2u);
}

// A publisher that is given up after the close may still write, behind losses: nobody takes what
// it has written, and the losses are told all the same.
TEST(Ring, LossesBeforeWhatWasGivenUpAreTold) {
  IntRing ring(1);
  Put(ring, 1);
  EXPECT_EQ(Put(ring, 2), Published::kLost);
  static_cast<void>(ring.Take());
  ring.Done();
  static_cast<void>(ring.Publish([&](int& record) {
    record = 3;
    ring.Close();
    EXPECT_EQ(ring.SkipHoles(), 1u);
  }));
  EXPECT_FALSE(ring.Exhausted());
  EXPECT_EQ(ring.TakeTrailingLosses(), 1u);
  EXPECT_TRUE(ring.Exhausted());
  EXPECT_EQ(ring.number(), 3u);
}

TEST(Ring, PositionsWrapAroundTwoToTheThirtyTwo) {
  for (const size_t capacity : {1u, 2u, 3u, 8u}) {
    IntRing ring(capacity, {.start = 0xfffffff0, .min_slots = 1});
    uint64_t number = 0;
    for (int i = 0; i < 100; ++i) {
      ASSERT_EQ(Put(ring, i), Published::kYes) << i;
      if (i % 7 == 0) {
        while (Put(ring, 1000) == Published::kYes) {
        }
      }
      for (auto taken = ring.Take(); taken.record != nullptr; taken = ring.Take()) {
        number += taken.lost + 1;
        ASSERT_EQ(taken.number, number);
        ring.Done();
      }
      number += ring.TakeTrailingLosses();
    }
    EXPECT_EQ(number, ring.number());
  }
}

TEST(Ring, ARunIsTakenWholeOrLostWholeWithNumbersInOrder) {
  IntRing ring(4, {.min_slots = 1});
  const auto run = [&](int first) {
    return ring.PublishRun(std::array<uint32_t, 3>{}, [&](size_t i, int& slot, SlotText<int>&) {
      slot = first + static_cast<int>(i);
    });
  };
  EXPECT_EQ(run(1), Published::kYes);
  EXPECT_EQ(run(4), Published::kLost);
  EXPECT_EQ(Put(ring, 7), Published::kYes);
  for (const int expected : {1, 2, 3, 7}) {
    const auto taken = ring.Take();
    ASSERT_NE(taken.record, nullptr);
    EXPECT_EQ(*taken.record, expected);
    EXPECT_EQ(taken.number, static_cast<uint64_t>(expected));
    EXPECT_EQ(taken.lost, expected == 7 ? 3u : 0u);
    ring.Done();
  }
}

TEST(Ring, ATicketDrawnAfterTheCloseIsVoid) {
  IntRing ring(1024);
  EXPECT_EQ(Put(ring, 1), Published::kYes);
  ring.Close();
  EXPECT_EQ(Put(ring, 2), Published::kClosed);
  EXPECT_FALSE(ring.Exhausted());
  EXPECT_EQ(*ring.Take().record, 1);
  ring.Done();
  EXPECT_EQ(ring.Take().record, nullptr);
  EXPECT_TRUE(ring.Exhausted());
  EXPECT_EQ(ring.TakeTrailingLosses(), 0u);
}

TEST(Ring, EverySlotIsUsedLapAfterLap) {
  IntRing ring(1024);
  for (int lap = 0; lap < 3; ++lap) {
    for (int i = 0; i < 1024; ++i) ASSERT_EQ(Put(ring, i), Published::kYes) << i;
    ASSERT_EQ(Put(ring, 0), Published::kLost);
    for (int i = 0; i < 1024; ++i) {
      ASSERT_EQ(*ring.Take().record, i);
      ring.Done();
    }
    EXPECT_EQ(ring.TakeTrailingLosses(), 1u);
  }
}

TEST(Ring, OnlyWhoPublishesToASleeperOwesAWakeUp) {
  IntRing ring(4);
  EXPECT_TRUE(ring.TrySleep());
  EXPECT_EQ(Put(ring, 1), Published::kYesAndWake);
  EXPECT_EQ(Put(ring, 2), Published::kYes) << "one wake-up is enough";
  EXPECT_FALSE(ring.TrySleep()) << "there is something to read";
  for (int i = 0; i < 2; ++i) {
    static_cast<void>(ring.Take());
    ring.Done();
  }
  EXPECT_TRUE(ring.TrySleep());
  EXPECT_TRUE(ring.TrySleep()) << "woken for nothing, it may sleep again";
}

TEST(Ring, WhoSaysThatItStaysAwakeIsNotWoken) {
  IntRing ring(16);
  EXPECT_TRUE(ring.TrySleep());
  ring.StayAwake();
  EXPECT_EQ(Put(ring, 1), Published::kYes);
  ring.StayAwake();
  EXPECT_FALSE(ring.TrySleep());
  static_cast<void>(ring.Take());
  ring.Done();
  EXPECT_TRUE(ring.TrySleep());
  EXPECT_EQ(Put(ring, 2), Published::kYesAndWake);
}

TEST(Ring, AWakeUpThatIsPassedOnIsTheNextPublishers) {
  IntRing ring(16);
  Put(ring, 0);
  static_cast<void>(ring.Take());
  ring.Done();
  EXPECT_TRUE(ring.TrySleep());
  EXPECT_FALSE(ring.OweWakeUp()) << "it sleeps well";
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(Put(ring, i), Published::kYesAndWake);
    EXPECT_TRUE(ring.TryPassOn(3));
  }
  EXPECT_EQ(Put(ring, 4), Published::kYesAndWake);
  EXPECT_FALSE(ring.TryPassOn(3)) << "more than three wait";
  EXPECT_EQ(Put(ring, 5), Published::kYes) << "the fourth owes it";
  EXPECT_TRUE(ring.OweWakeUp()) << "somebody owes it, but may yet pass it on";
}

TEST(Ring, AWakeUpThatWasPassedOnIsTaken) {
  IntRing ring(16);
  EXPECT_TRUE(ring.TrySleep());
  EXPECT_EQ(Put(ring, 1), Published::kYesAndWake);
  EXPECT_TRUE(ring.TryPassOn(3));
  EXPECT_TRUE(ring.OweWakeUp());
  EXPECT_EQ(Put(ring, 2), Published::kYes);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(ring.OweWakeUp()) << "until it tells that all is read";
    static_cast<void>(ring.Take());
    ring.Done();
  }
  ring.Tell();
  EXPECT_FALSE(ring.OweWakeUp());
  ring.Close();
  EXPECT_FALSE(ring.TryPassOn(3)) << "there may be no next publisher";
}

TEST(Ring, NobodySleepsOverALossOrTheEnd) {
  IntRing ring(1);
  Put(ring, 1);
  Put(ring, 2);
  static_cast<void>(ring.Take());
  ring.Done();
  EXPECT_FALSE(ring.TrySleep()) << "a loss has not been told";
  EXPECT_EQ(ring.TakeTrailingLosses(), 1u);
  EXPECT_TRUE(ring.TrySleep());
  ring.Close();
  EXPECT_FALSE(ring.TrySleep());
}

TEST(Ring, AfterCloseNothingIsTakenAndTheRestIsRead) {
  IntRing ring(2);
  Put(ring, 1);
  EXPECT_FALSE(ring.Exhausted());
  ring.Close();
  ring.Close();
  EXPECT_TRUE(ring.closed());
  EXPECT_EQ(Put(ring, 2), Published::kClosed);
  EXPECT_FALSE(ring.Exhausted());
  EXPECT_EQ(ring.Take().number, 1u);
  ring.Done();
  EXPECT_TRUE(ring.Exhausted());
  EXPECT_EQ(ring.TakeNumber(), 2u) << "a refused publish took a number";
}

TEST(Ring, ClosedOverLossesItIsExhaustedOnlyWhenTheyAreTold) {
  IntRing ring(1);
  Put(ring, 1);
  Put(ring, 2);
  ring.Close();
  static_cast<void>(ring.Take());
  ring.Done();
  EXPECT_FALSE(ring.Exhausted());
  EXPECT_EQ(ring.TakeTrailingLosses(), 1u);
  EXPECT_TRUE(ring.Exhausted());
}

}  // namespace
}  // namespace taskvisor::internal
