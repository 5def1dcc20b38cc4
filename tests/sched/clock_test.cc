#include "taskvisor/clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace taskvisor {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock;
  const TimePoint start = clock.Now();
  EXPECT_EQ(start, TimePoint(hours(24)));
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(seconds(5));
  EXPECT_EQ(clock.Now(), start + seconds(5));
  clock.Advance(-hours(1));
  EXPECT_EQ(clock.Now(), start + seconds(5)) << "time went back";
  EXPECT_FALSE(clock.RunsByItself());
}

TEST(ManualClock, ItsWallClockStartsIn2000AndKeepsPace) {
  using std::chrono::sys_days, std::chrono::January;
  ManualClock clock;
  const WallTime start = clock.WallAt(clock.Now());
  EXPECT_EQ(start, WallTime(sys_days(std::chrono::year(2000) / January / 1)));
  clock.Advance(hours(3));
  EXPECT_EQ(clock.WallAt(clock.Now()), start + hours(3));
  EXPECT_EQ(clock.WallAt(clock.Now() - hours(1)), start + hours(2));
}

TEST(ManualClock, TellsItsWatchersOfEveryMoveUntilUnwatched) {
  ManualClock clock;
  int first = 0;
  int second = 0;
  TimePoint seen;
  clock.Watch(&first, [&] {
    ++first;
    seen = clock.Now();
  });
  clock.Watch(&second, [&] { ++second; });
  clock.Advance(seconds(1));
  EXPECT_EQ(seen, clock.Now()) << "told before time had moved";
  clock.Unwatch(&first);
  clock.Advance(Duration::zero());
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  clock.Unwatch(&first);
  clock.Unwatch(&second);
}

TEST(ManualClock, ThreadsThatMoveItAddUp) {
  ManualClock clock;
  const TimePoint start = clock.Now();
  std::atomic<int> moves{0};
  clock.Watch(&moves, [&] { moves.fetch_add(1); });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) clock.Advance(Duration(3));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clock.Now(), start + Duration(4 * 500 * 3));
  EXPECT_EQ(moves, 4 * 500);
  clock.Unwatch(&moves);
}

TEST(RealClock, IsOneMonotonicLineThatRunsByItself) {
  const auto clock = RealClock();
  EXPECT_EQ(clock, RealClock());
  EXPECT_TRUE(clock->RunsByItself());
  TimePoint last = clock->Now();
  for (int i = 0; i < 1000; ++i) {
    const TimePoint now = clock->Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(RealClock, ItsWallStampIsTheSystemClocks) {
  const auto clock = RealClock();
  const WallTime before = std::chrono::system_clock::now();
  const WallTime stamp = clock->WallAt(clock->Now());
  const WallTime after = std::chrono::system_clock::now();
  // As documented: up to a second behind a step of the wall clock.
  EXPECT_GE(stamp, before - seconds(1));
  EXPECT_LE(stamp, after + seconds(1));
  // One offset for readings of one second: stamps of two readings are as far apart.
  const TimePoint reading = clock->Now();
  EXPECT_EQ(clock->WallAt(reading + Duration(10)) - clock->WallAt(reading), Duration(10));
}

}  // namespace
}  // namespace taskvisor
