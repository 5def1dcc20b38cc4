#include "sched/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using testing::AnnouncedSeed;
using testing::Random;

constexpr int64_t kTick = int64_t{1} << 16;
constexpr int64_t kMs = 1'000'000;

struct WheelTimer : Timer {
  WheelTimer() : Timer(&OnFire) {}
  static void OnFire(Timer& timer, uint64_t tag) {
    auto& self = static_cast<WheelTimer&>(timer);
    ++self.fired;
    self.fired_tag = tag;
  }

  // What TimerQueue does on behalf of an owner.
  void ArmFor(TimerWheel& wheel, int64_t at, uint64_t with_tag = 0) {
    deadline.store(at);
    tag.store(with_tag);
    word.store((word.load() | kArmed) + kSequence);
    wheel.Link(*this);
  }
  void Cancel() { word.store(word.load() & ~kArmed); }
  [[nodiscard]] bool armed() const { return (word.load() & kArmed) != 0; }

  int fired = 0;
  uint64_t fired_tag = 0;
};

TEST(TimerWheel, FiresAtTheNanosecondAndNotBefore) {
  TimerWheel wheel(0);
  for (const int64_t at : {int64_t{1}, kTick - 1, kTick, kTick + 1, 100 * kMs, 3'600'000 * kMs}) {
    WheelTimer timer;
    timer.ArmFor(wheel, at, 7);
    wheel.Advance(at - 1);
    EXPECT_EQ(timer.fired, 0) << at;
    wheel.Advance(at);
    EXPECT_EQ(timer.fired, 1) << at;
    EXPECT_EQ(timer.fired_tag, 7u);
    wheel.Advance(at);
    EXPECT_EQ(timer.fired, 1) << "fired twice";
  }
}

TEST(TimerWheel, FiresAtOnceWhatIsInThePast) {
  TimerWheel wheel(1000 * kMs);
  WheelTimer long_ago;
  WheelTimer before_all_time;
  long_ago.ArmFor(wheel, 1);
  before_all_time.ArmFor(wheel, -5);
  EXPECT_LE(*wheel.NextLook(), 1000 * kMs);
  wheel.Advance(1000 * kMs);
  EXPECT_EQ(long_ago.fired, 1);
  EXPECT_EQ(before_all_time.fired, 1);
}

TEST(TimerWheel, FarDeadlinesComeDownWheelByWheel) {
  TimerWheel wheel(0);
  std::deque<WheelTimer> timers;
  std::vector<int64_t> at;
  for (int shift = 0; shift < 62; shift += 3) at.push_back((int64_t{1} << shift) + 12345);
  for (const int64_t a : at) timers.emplace_back().ArmFor(wheel, a);
  for (size_t i = 0; i < at.size(); ++i) {
    wheel.Advance(at[i] - 1);
    EXPECT_EQ(timers[i].fired, 0) << i;
    wheel.Advance(at[i]);
    EXPECT_EQ(timers[i].fired, 1) << i;
  }
  EXPECT_FALSE(wheel.NextLook().has_value());
}

TEST(TimerWheel, ADeadlineAtTheEndOfTimeIsFiledAndHarmless) {
  TimerWheel wheel(86'400'000 * kMs);
  WheelTimer never;
  WheelTimer soon;
  never.ArmFor(wheel, INT64_MAX);
  soon.ArmFor(wheel, 86'400'001 * kMs);
  ASSERT_TRUE(wheel.NextLook().has_value());
  wheel.Advance(90'000'000 * kMs);
  EXPECT_EQ(soon.fired, 1);
  EXPECT_EQ(never.fired, 0);
}

TEST(TimerWheel, NothingFiledNothingToLookFor) {
  TimerWheel wheel(5);
  EXPECT_FALSE(wheel.NextLook().has_value());
  WheelTimer timer;
  timer.ArmFor(wheel, 10);
  EXPECT_TRUE(wheel.NextLook().has_value());
  wheel.Unlink(timer);
  EXPECT_FALSE(wheel.NextLook().has_value());
}

TEST(TimerWheel, ACancelledTimerIsDroppedOnTheWay) {
  TimerWheel wheel(0);
  WheelTimer timer;
  timer.ArmFor(wheel, 2 * kMs);
  timer.Cancel();
  wheel.Advance(3 * kMs);
  EXPECT_EQ(timer.fired, 0);
  EXPECT_FALSE(wheel.NextLook().has_value());
}

// The owner of `a` has taken it back and written its new deadline, but its arming has not
// reached the wheel yet: that must not hide `b`.
TEST(TimerWheel, NextLookIsNeverLaterThanAnArmedDeadlineWhileAnotherIsRewritten) {
  TimerWheel wheel(0);
  WheelTimer a;
  WheelTimer b;
  a.ArmFor(wheel, 1 * kMs);
  b.ArmFor(wheel, 2 * kMs);
  a.Cancel();
  a.deadline.store(10'000 * kMs);
  ASSERT_TRUE(wheel.NextLook().has_value());
  EXPECT_LE(*wheel.NextLook(), 2 * kMs);
}

// A slot of a higher wheel with a crowd in it, and something due all the time: between two
// looks at what is due, at most a few of the crowd move.
TEST(TimerWheel, ACrowdComesDownAFewAtATimeAndMakesNobodyLate) {
  constexpr int64_t kCrowdAt = int64_t{3} << (16 + 6 * 3);  // a slot of the fourth wheel
  constexpr int64_t kPeriod = 10 * kMs;
  TimerWheel wheel(0);
  std::deque<WheelTimer> crowd(5'000);
  for (size_t i = 0; i < crowd.size(); ++i) {
    crowd[i].ArmFor(wheel, kCrowdAt + static_cast<int64_t>(1 + i % 1000) * kMs);
  }
  WheelTimer steady;
  std::vector<int16_t> levels(crowd.size(), crowd[0].level);
  int64_t due = kPeriod;
  int64_t now = 0;
  steady.ArmFor(wheel, due);
  while (now < kCrowdAt) {
    now = std::max(now, *wheel.NextLook());
    ASSERT_LE(now, due) << "would look too late";
    wheel.Advance(now);
    int moved = 0;
    for (size_t i = 0; i < crowd.size() && now >= kCrowdAt / 3; ++i) {
      moved += std::exchange(levels[i], crowd[i].level) != crowd[i].level;
      ASSERT_EQ(crowd[i].fired, 0);
    }
    ASSERT_LE(moved, 64);
    if (now < due) continue;
    ASSERT_EQ(steady.fired, 1);
    steady.fired = 0;
    steady.ArmFor(wheel, due += kPeriod);
  }
  wheel.Advance(kCrowdAt + 1001 * kMs);
  for (const WheelTimer& timer : crowd) ASSERT_EQ(timer.fired, 1);
}

// Against a model that is right by being simple.
TEST(TimerWheel, AgreesWithANaiveModelOnSeededRandomOperations) {
  Random random(AnnouncedSeed());
  for (int round = 0; round < 200; ++round) {
    int64_t now = static_cast<int64_t>(random.Below(1'000'000 * uint64_t{kMs}));
    TimerWheel wheel(now);
    std::deque<WheelTimer> timers(40);
    std::vector<std::optional<int64_t>> due(timers.size());  // the model
    std::vector<int> fired(timers.size());
    const auto draw_delay = [&] {  // any order of magnitude, often next to a tick's edge
      const int64_t base = int64_t{1} << random.Below(45);
      return base + static_cast<int64_t>(random.Below(5)) - 2;
    };
    for (int step = 0; step < 200; ++step) {
      const size_t i = random.Below(timers.size());
      switch (random.Below(4)) {
        case 0:  // arm, or arm again: earlier, later or the same
        case 1:
          timers[i].Cancel();
          due[i] = now + draw_delay();
          timers[i].ArmFor(wheel, *due[i], static_cast<uint64_t>(step));
          break;
        case 2:
          timers[i].Cancel();
          due[i].reset();
          break;
        default: {
          const auto next = wheel.NextLook();
          const bool exactly = random.Percent(50) && next.has_value() && *next > now;
          now = exactly ? *next : now + draw_delay();
          wheel.Advance(now);
          for (size_t k = 0; k < timers.size(); ++k) {
            if (!due[k].has_value() || *due[k] > now) continue;
            due[k].reset();
            ++fired[k];
          }
        }
      }
      int64_t earliest = INT64_MAX;
      for (size_t k = 0; k < timers.size(); ++k) {
        ASSERT_EQ(timers[k].fired, fired[k]) << "round " << round << " step " << step;
        ASSERT_EQ(timers[k].armed(), due[k].has_value());
        earliest = std::min(earliest, due[k].value_or(INT64_MAX));
      }
      if (earliest == INT64_MAX) continue;
      ASSERT_TRUE(wheel.NextLook().has_value());
      ASSERT_LE(*wheel.NextLook(), std::max(earliest, now)) << "would look too late";
    }
  }
}

}  // namespace
}  // namespace taskvisor::internal
