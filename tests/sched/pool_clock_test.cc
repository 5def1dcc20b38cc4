// The reading of the clock that one Runnable leaves to the next on its seat.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <vector>

#include "sched/crew.h"
#include "sched/delays.h"
#include "sched/event_count.h"
#include "sched/pool.h"
#include "tests/sched/job.h"
#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

using testing::Gate;

TEST(PoolClock, WhoFollowsAtOnceIsToldTheReadingOfTheClockThatTheOneBeforeItHasKept) {
  const auto at = [](int run) { return TimePoint(std::chrono::seconds(run)); };
  bool told = false;
  for (int round = 0; round < 100 && !told; ++round) {  // its item's time may be up just then
    Pool pool(1);
    pool.Start();
    std::vector<std::optional<TimePoint>> seen;
    std::optional<TimePoint> seen_by_other;
    Job other([&](Seat& seat) { seen_by_other = seat.StillNow(); });
    Job repeater({});
    repeater.body = [&](Seat& seat) {
      seen.push_back(seat.StillNow());
      const auto run = static_cast<int>(seen.size());
      if (run == 4) return;
      if (run == 3) pool.Submit(other);  // which comes between, and keeps nothing
      seat.RunAgain(repeater);
      if (run != 2) seat.KeepNow({at(run), t_delays});
    };
    pool.Submit(repeater);
    pool.Join();
    EXPECT_FALSE(seen[0] || seen[2] || seen[3]);
    told = seen[1] == at(1) && seen_by_other == at(3);
    EXPECT_TRUE(told || !seen[1] || !seen_by_other);
  }
  EXPECT_TRUE(told);
}

TEST(PoolClock, AReadingOfTheClockIsNotKeptOverWhatMayTakeLong) {
  bool followed = false;
  for (int round = 0; round < 100 && !followed; ++round) {
    Pool pool(1);
    pool.Start();
    std::vector<std::optional<TimePoint>> seen;
    Job repeater({});
    repeater.body = [&](Seat& seat) {
      seen.push_back(seat.StillNow());
      const Seat::Reading reading{TimePoint(std::chrono::seconds(1)), t_delays};
      switch (seen.size()) {
        case 2:
          YieldCore();
          break;
        case 3: {
          EventCount events;
          static_cast<void>(events.PrepareWait());
          events.Notify();
          break;
        }
        case 4: {
          Crew crew;
          crew.Call();
          break;
        }
        default:
          if (seen.size() == 6) return;
      }
      seat.RunAgain(repeater);
      seat.KeepNow(reading);
    };
    pool.Submit(repeater);
    pool.Join();
    followed = seen[1].has_value() && seen[5].has_value();
    EXPECT_FALSE(seen[2] || seen[3] || seen[4]);
  }
  EXPECT_TRUE(followed);
}

TEST(PoolClock, AReadingOfTheClockIsNotKeptOverATimeWithNothingToRun) {
  struct Idle final : Idler {
    void OnIdle(Seat&) noexcept override { is.Open(); }
    void OnLeave() noexcept override {}
    Gate is;
  } idle;
  Pool pool(1);
  pool.SetIdler(idle);
  pool.Start();
  Job first([](Seat& seat) { seat.KeepNow({TimePoint(std::chrono::seconds(1)), t_delays}); });
  pool.Submit(first);
  ASSERT_TRUE(idle.is.Wait());
  std::atomic<bool> kept{true};
  Job second([&](Seat& seat) { kept = seat.StillNow().has_value(); });
  pool.Submit(second);
  pool.Join();
  EXPECT_FALSE(kept);
}

}  // namespace
}  // namespace taskvisor::internal
