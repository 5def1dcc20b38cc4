// Statements 52 to 57: how long a retry waits, before jitter.
#include <chrono>
#include <cmath>
#include <limits>
#include <string>

#include "taskvisor/errors.h"
#include "tests/contract/policies.h"
#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

using Options = BackoffPolicy::Options;

std::string Refusal(const Options& options) {
  const auto made = BackoffPolicy::Make(options);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  return ErrorLabel(made.status());
}

TEST(ContractBackoff, S052_TheBaseGrowsByTheFactorUpToMax) {
  const BackoffPolicy policy =
      Made({.first = 10ms, .max = 100ms, .factor = 3.0, .jitter = Jitter::kNone});
  EXPECT_EQ(policy.Base(0), 10ms);
  EXPECT_EQ(policy.Base(1), 30ms);
  EXPECT_EQ(policy.Base(2), 90ms);
  EXPECT_EQ(policy.Base(3), 100ms);
  EXPECT_EQ(policy.Delay(2, 0.7), 90ms);
}

TEST(ContractBackoff, S052_OverflowAndInfinityGiveMax) {
  for (const double factor : {2.0, 1e300, std::numeric_limits<double>::max()}) {
    for (const Duration max : {Duration(1h), Duration::max()}) {
      const BackoffPolicy policy =
          Made({.first = 1ms, .max = max, .factor = factor, .jitter = Jitter::kNone});
      EXPECT_EQ(policy.Base(0), 1ms);
      EXPECT_EQ(policy.Base(5000), max) << factor;
      EXPECT_EQ(policy.Base(std::numeric_limits<uint32_t>::max()), max) << factor;
    }
  }
  const BackoffPolicy constant = Made({.first = 7ms, .factor = 1.0, .jitter = Jitter::kNone});
  EXPECT_EQ(constant.Base(std::numeric_limits<uint32_t>::max()), 7ms);
}

// The streak is what counts: see also S044.
TEST(ContractBackoff, S052_TheIndexCountsTheFailuresOfTheStreakFromZero) {
  Served s;
  const auto task =
      s.Watch(TaskSpec::Restartable(Scripted("fffs"))
                  .WithBackoff(Made({.first = 10ms, .factor = 3.0, .jitter = Jitter::kNone})));
  size_t n = 0;
  for (const Duration delay : {10ms, 30ms, 90ms}) {
    EXPECT_EQ(s.Await(EventKind::kBackoffScheduled, task, ++n).delay(), delay);
    s.Advance(delay);
  }
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
}

TEST(ContractBackoff, S053_ADelayIsAtLeastTheFloor) {
  const Options options = {.first = 10ms, .factor = 10.0, .jitter = Jitter::kNone, .floor = 50ms};
  EXPECT_EQ(Made(options).Delay(0, 0.5), 50ms);
  EXPECT_EQ(Made(options).Delay(1, 0.5), 100ms);
}

TEST(ContractBackoff, S053_ABaseAboveZeroWaitsAtLeastAMillisecondOrMax) {
  for (const Jitter jitter : kJitters) {
    EXPECT_EQ(Made({.first = 1ns, .factor = 1.0, .jitter = jitter}).Delay(0, 0.0), 1ms);
    EXPECT_EQ(Made({.first = 1ns, .max = 300us, .factor = 1.0, .jitter = jitter}).Delay(0, 0.0),
              300us);
  }
}

TEST(ContractBackoff, S053_AFirstOfZeroSwitchesOffOnlyTheMillisecond) {
  EXPECT_EQ(Made({.first = 0ns}).Delay(0, 0.5), 0ns);
  EXPECT_EQ(Made({.first = 0ns}).Delay(1000, 0.5), 0ns);
  EXPECT_EQ(Made({.first = 0ns, .floor = 20us}).Delay(0, 0.5), 20us);
}

TEST(ContractBackoff, S054_TheDefaultIsExponentialWithEqualJitter) {
  const Options defaults = BackoffPolicy().options();
  EXPECT_EQ(defaults.first, 200ms);
  EXPECT_EQ(defaults.factor, 2.0);
  EXPECT_EQ(defaults.max, 30s);
  EXPECT_EQ(defaults.jitter, Jitter::kEqual);
  EXPECT_EQ(defaults.floor, 0ns);
  EXPECT_EQ(TaskDefaults().backoff.Delay(1, 0.5), 300ms);  // of [200 ms, 400 ms]
}

TEST(ContractBackoff, S055_MakeRefusesAFactorThatIsNotFiniteOrBelowOne) {
  for (const double factor : {std::nan(""), -std::nan(""), std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(), 0.999999, 0.0, -2.0}) {
    EXPECT_EQ(Refusal({.factor = factor}), "backoff_invalid_factor") << factor;
  }
  EXPECT_EQ(Made({.factor = 1.0}).options().factor, 1.0);
}

TEST(ContractBackoff, S055_MakeRefusesAFirstAboveMax) {
  EXPECT_EQ(Refusal({.first = 31s}), "backoff_first_exceeds_max");
  EXPECT_EQ(Refusal({.first = 2ns, .max = 1ns}), "backoff_first_exceeds_max");
  EXPECT_EQ(Refusal({.first = -1ns}), "backoff_negative");
  EXPECT_EQ(Made({.first = 30s}).Base(0), 30s);
}

TEST(ContractBackoff, S056_ConstantWaitsTheSameAndExponentialDoubles) {
  const BackoffPolicy constant = BackoffPolicy::Constant(5s);
  const BackoffPolicy doubling = BackoffPolicy::Exponential(5s);
  for (const double sample : kSamples) {  // no jitter
    EXPECT_EQ(constant.Delay(0, sample), 5s);
    EXPECT_EQ(constant.Delay(9, sample), 5s);
    EXPECT_EQ(doubling.Delay(0, sample), 5s);
    EXPECT_EQ(doubling.Delay(2, sample), 20s);
    EXPECT_EQ(doubling.Delay(9, sample), 30s);
  }
}

TEST(ContractBackoff, S056_ThePresetsAreCappedAtThirtySecondsOrTheirDelay) {
  EXPECT_EQ(BackoffPolicy::Constant(1ms).options().max, 30s);
  EXPECT_EQ(BackoffPolicy::Constant(1h).options().max, 1h);
  EXPECT_EQ(BackoffPolicy::Constant(1h).Delay(3, 0.5), 1h);
  EXPECT_EQ(BackoffPolicy::Exponential(1ms).options().max, 30s);
  EXPECT_EQ(BackoffPolicy::Exponential(1h).Delay(3, 0.5), 1h);
}

TEST(ContractBackoff, S057_WithMaxLowersFirstAndFloorToIt) {
  const BackoffPolicy lowered = Made({.first = 10s, .floor = 5s}).WithMax(2s);
  EXPECT_EQ(lowered.options().first, 2s);
  EXPECT_EQ(lowered.options().floor, 2s);
  EXPECT_EQ(lowered.options().max, 2s);
  EXPECT_EQ(BackoffPolicy::Constant(1s).WithMax(1h).options().first, 1s);
}

TEST(ContractBackoff, S057_AFloorIsLoweredToMax) {
  EXPECT_EQ(BackoffPolicy::Constant(1s).WithFloor(2h).options().floor, 30s);
  EXPECT_EQ(Made({.max = 10s, .floor = 2h}).options().floor, 10s);
  EXPECT_EQ(BackoffPolicy::Constant(1s).WithFloor(2s).Delay(0, 0.5), 2s);
}

}  // namespace
}  // namespace taskvisor::testing
