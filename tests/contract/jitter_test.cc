// Statements 58 to 62: how a delay is spread, and replayed.
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/policies.h"
#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

TEST(ContractJitter, S058_NoneIsTheBaseEqualItsUpperHalfFullAllOfIt) {
  const BackoffPolicy none =
      Made({.first = 100ms, .max = 400ms, .factor = 2.0, .jitter = Jitter::kNone});
  for (const uint32_t index : {0u, 1u, 2u, 7u}) {
    const Duration base = none.Base(index);
    for (const double sample : kSamples) {
      EXPECT_EQ(none.Delay(index, sample), base);
      const Duration equal = none.WithJitter(Jitter::kEqual).Delay(index, sample);
      EXPECT_GE(equal, base / 2);
      EXPECT_LE(equal, base);
      const Duration full = none.WithJitter(Jitter::kFull).Delay(index, sample);
      EXPECT_GE(full, 1ms);  // 0, but for the floor of statement 53
      EXPECT_LE(full, base);
    }
  }
  EXPECT_EQ(none.WithJitter(Jitter::kEqual).Delay(0, 0.0), 50ms);
  EXPECT_EQ(none.WithJitter(Jitter::kEqual).Delay(0, 0.5), 75ms);
  EXPECT_EQ(none.WithJitter(Jitter::kFull).Delay(0, 0.5), 50ms);
  EXPECT_GE(none.WithJitter(Jitter::kFull).Delay(0, kAlmostOne), 100ms - 1ns);
}

TEST(ContractJitter, S059_TheBandReachesFromFirstToThreeTimesTheGrownBase) {
  const BackoffPolicy band =
      Made({.first = 10ms, .max = 100ms, .factor = 2.0, .jitter = Jitter::kRandomizedBand});
  EXPECT_EQ(band.Delay(0, 0.0), 10ms);
  EXPECT_EQ(band.Delay(0, 0.5), 20ms);  // of [10, 30]
  EXPECT_EQ(band.Delay(1, 0.5), 35ms);  // of [10, 60]
  EXPECT_EQ(band.Delay(2, 0.5), 55ms);  // of [10, 100], not 120
  EXPECT_EQ(band.Delay(9, 0.0), 10ms);
  EXPECT_EQ(band.Delay(1, 0.5), 35ms) << "a draw must not remember the last one";
}

TEST(ContractJitter, S060_JitterKeepsNanoseconds) {
  const BackoffPolicy odd =
      Made({.first = 3'000'001ns, .max = 1h, .factor = 1.0, .jitter = Jitter::kNone});
  EXPECT_EQ(odd.Delay(0, 0.5), 3'000'001ns);
  EXPECT_EQ(odd.WithJitter(Jitter::kEqual).Delay(0, 0.5), 2'250'000ns);
  EXPECT_EQ(odd.WithJitter(Jitter::kFull).Delay(0, 0.5), 1'500'000ns);
  EXPECT_EQ(odd.WithJitter(Jitter::kRandomizedBand).Delay(0, 0.5), 6'000'002ns);
}

TEST(ContractJitter, S060_ABaseBelowAMillisecondIsNeverCutToZero) {
  for (const Jitter jitter : kJitters) {
    const BackoffPolicy tiny = Made({.first = 1ns, .max = 999us, .factor = 2.0, .jitter = jitter});
    EXPECT_EQ(tiny.Base(3), 8ns);
    for (const double sample : kSamples) EXPECT_GT(tiny.Delay(3, sample), 0ns);
  }
}

TEST(ContractJitter, S061_AZeroDelayStaysZeroUnderEveryJitter) {
  for (const Jitter jitter : kJitters) {
    for (const double sample : kSamples) {
      const BackoffPolicy zero = Made({.first = 0ns, .jitter = jitter});
      EXPECT_EQ(zero.Delay(0, sample), 0ns);
      EXPECT_EQ(zero.Delay(40, sample), 0ns);
    }
  }
}

TEST(ContractJitter, S061_TheLargestDurationDoesNotOverflow) {
  for (const Jitter jitter : kJitters) {
    for (const Duration first : {Duration(1h), Duration::max() / 2, Duration::max()}) {
      const BackoffPolicy huge =
          Made({.first = first, .max = Duration::max(), .factor = 2.0, .jitter = jitter});
      for (const uint32_t index : {0u, 1u, 62u, 100u}) {
        for (const double sample : kSamples) {
          EXPECT_GE(huge.Delay(index, sample), 0ns);
          EXPECT_LE(huge.Delay(index, sample), Duration::max());
        }
        EXPECT_GE(huge.WithJitter(Jitter::kEqual).Delay(index, 0.0), first / 2);
      }
    }
  }
}

TEST(ContractJitter, S061_ATaskWithTheLargestDelayWaitsAndCanBeCancelled) {
  Served s;
  const auto task = s.Watch(
      TaskSpec::Restartable(Scripted("ff")).WithBackoff(BackoffPolicy::Constant(Duration::max())));
  EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task).delay(), Duration::max());
  s.Advance(24h * 365 * 100);
  EXPECT_TRUE(Eventually([&] { return s.PhaseOf(task) == TaskPhase::kDelaying; }));
  EXPECT_TRUE(*s.handle.Cancel(task.id));
  EXPECT_EQ(s.Outcome(task).attempts(), 1u);
}

TEST(ContractJitter, S062_ADelayNeverExceedsMax) {
  for (const Jitter jitter : kJitters) {
    for (const Duration max : {Duration(1ns), Duration(700ns), Duration(5ms), Duration(30s)}) {
      const BackoffPolicy policy =
          Made({.first = max / 2, .max = max, .factor = 7.0, .jitter = jitter, .floor = 1h});
      for (uint32_t index = 0; index < 40; ++index) {
        for (const double sample : kSamples) EXPECT_LE(policy.Delay(index, sample), max);
      }
    }
  }
}

// The delays of two tasks, a named and an anonymous one, in a supervisor of its own.
std::vector<Duration> Schedule(SupervisorConfig config) {
  Served s(std::move(config));
  std::vector<Duration> delays;
  for (const char* name : {"flaky", ""}) {
    const auto task = s.Watch(TaskSpec::Restartable(name, Scripted("ffffffffs")));
    for (size_t n = 1; n <= 8; ++n) {
      delays.push_back(*s.Await(EventKind::kBackoffScheduled, task, n).delay());
      s.Advance(delays.back());
    }
    EXPECT_TRUE(s.Outcome(task).IsSuccess());
  }
  return delays;
}

TEST(ContractJitter, S062_ASeedReplaysASchedule) {
  const std::vector<Duration> first = Schedule({.workers = 1, .jitter_seed = 42});
  EXPECT_EQ(first, Schedule({.workers = 4, .jitter_seed = 42}));
  EXPECT_NE(first, Schedule({.jitter_seed = 43}));
  const auto middle = first.begin() + 8;
  EXPECT_NE(std::vector(first.begin(), middle), std::vector(middle, first.end()))
      << "tasks that failed together must not retry together";
}

TEST(ContractJitter, S062_WithoutASeedSchedulesDiffer) { EXPECT_NE(Schedule({}), Schedule({})); }

TEST(ContractJitter, S062_ASampleOutOfRangeLeavesTheDelayInItsRange) {
  const BackoffPolicy policy = Made({.first = 100ms, .jitter = Jitter::kEqual});
  for (const double sample :
       {-1.0, 1.0, 2.0, 1e308, -1e308, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_GE(policy.Delay(0, sample), 50ms) << sample;
    EXPECT_LE(policy.Delay(0, sample), 100ms) << sample;
  }
}

TEST(ContractJitter, S062_TheRandomSourceIsInjectable) {
  std::vector<std::pair<std::string, uint64_t>> asked;
  Served s({.workers = 1, .jitter_source = [&](std::string_view task, uint64_t draw) {
              asked.emplace_back(task, draw);
              return 0.25;
            }});
  const auto task = s.Watch(TaskSpec::Restartable("flaky", Scripted("ffs")));
  EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task, 1).delay(), 125ms);
  s.Advance(125ms);
  EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task, 2).delay(), 250ms);
  s.Advance(250ms);
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
  using Asked = std::vector<std::pair<std::string, uint64_t>>;
  EXPECT_EQ(asked, Asked({{"flaky", 0}, {"flaky", 1}}));
}

}  // namespace
}  // namespace taskvisor::testing
