#ifndef TASKVISOR_BACKOFF_POLICY_H_
#define TASKVISOR_BACKOFF_POLICY_H_

#include <chrono>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "taskvisor/clock.h"

namespace taskvisor {

// How a delay is spread, so that tasks that failed together do not retry together.
enum class Jitter : uint8_t {
  kNone,            // base
  kEqual,           // uniform in [base/2, base]
  kFull,            // uniform in [0, base]
  kRandomizedBand,  // uniform in [first, min(3 * base, max)]
};

// BackoffPolicy
//
// How long a task waits between a retryable failure and its next attempt. Not
// consulted after a success; that is RestartPolicy's interval.
//
//   base(n)  = min(first * factor^n, max)         n: failures of this streak, from 0
//   Delay(n) = min(max(jitter(base(n)), floor, guard), max)
//              guard: 1 ms if first > 0, else 0
//
// Index 0 is the wait between attempts 1 and 2. The guard keeps a task that fails at
// once from spinning; `first == 0` asks for no wait and no guard. Nanosecond precision;
// arithmetic saturates: no index, however large, overflows.
//
// Immutable once made; any thread may read it.
//
// Example:
//   auto backoff = taskvisor::BackoffPolicy::Make({.first = 100ms, .max = 10s});
//   backoff->Delay(/*retry_index=*/0, /*sample=*/0.5);  // 75 ms
class BackoffPolicy {
 public:
  struct Options {
    Duration first = std::chrono::milliseconds(200);  // >= 0
    Duration max = std::chrono::seconds(30);          // >= first
    double factor = 2.0;                              // finite, >= 1
    Jitter jitter = Jitter::kEqual;
    Duration floor = Duration::zero();  // >= 0; one above `max` is lowered to it
  };

  // The default Options: the first wait is in [100 ms, 200 ms].
  BackoffPolicy() = default;

  // Errors, kInvalidArgument, with the label that ErrorLabel reads:
  //   "backoff_invalid_factor"     `factor` not finite or below 1
  //   "backoff_first_exceeds_max"  `first` above `max`
  //   "backoff_negative"           `first` or `floor` negative
  [[nodiscard]] static absl::StatusOr<BackoffPolicy> Make(const Options& options);

  // The same wait each time, no jitter; capped at max(delay, 30 s). A negative delay
  // counts as 0.
  [[nodiscard]] static BackoffPolicy Constant(Duration delay);
  // Doubles each time, no jitter; capped at max(first, 30 s).
  [[nodiscard]] static BackoffPolicy Exponential(Duration first);

  // The same with another cap (lowers `first` and `floor` to it), floor (lowered to
  // `max`) or jitter.
  [[nodiscard]] BackoffPolicy WithMax(Duration max) const;
  [[nodiscard]] BackoffPolicy WithFloor(Duration floor) const;
  [[nodiscard]] BackoffPolicy WithJitter(Jitter jitter) const;

  // base(retry_index), before jitter and floors.
  [[nodiscard]] Duration Base(uint32_t retry_index) const;

  // The wait before retry `retry_index`. Pure: the caller brings the randomness,
  // `sample` uniform in [0, 1), so a schedule can be replayed. Never above `max`.
  [[nodiscard]] Duration Delay(uint32_t retry_index, double sample) const;

  [[nodiscard]] const Options& options() const { return options_; }

 private:
  explicit BackoffPolicy(const Options& options) : options_(options) {}

  Options options_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_BACKOFF_POLICY_H_
