#ifndef TASKVISOR_TESTS_CONTRACT_POLICIES_H_
#define TASKVISOR_TESTS_CONTRACT_POLICIES_H_

#include <gtest/gtest.h>

#include <limits>

#include "taskvisor/backoff_policy.h"

namespace taskvisor::testing {

inline constexpr Jitter kJitters[] = {Jitter::kNone, Jitter::kEqual, Jitter::kFull,
                                      Jitter::kRandomizedBand};
// What a random source may answer: [0, 1).
inline constexpr double kAlmostOne = 1.0 - std::numeric_limits<double>::epsilon() / 2;
inline constexpr double kSamples[] = {0.0, 1e-9, 0.25, 0.5, 0.75, kAlmostOne};

inline BackoffPolicy NoWait() { return BackoffPolicy::Constant(Duration::zero()); }

// A policy whose options are in order.
inline BackoffPolicy Made(const BackoffPolicy::Options& options) {
  const auto made = BackoffPolicy::Make(options);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *made : BackoffPolicy();
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_POLICIES_H_
