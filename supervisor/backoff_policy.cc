#include "taskvisor/backoff_policy.h"

#include <algorithm>
#include <cmath>

#include "supervisor/status.h"

namespace taskvisor {
namespace {

constexpr Duration kPresetCap = std::chrono::seconds(30);
constexpr Duration kGuard = std::chrono::milliseconds(1);

// `ns` as a Duration, `cap` where it does not fit below it (NaN and infinity too).
Duration Capped(double ns, Duration cap) {
  return ns < static_cast<double>(cap.count()) ? Duration(static_cast<int64_t>(ns)) : cap;
}

// A point of [low, high]; `sample` in [0, 1).
Duration Between(Duration low, Duration high, double sample) {
  if (high <= low) return low;
  const double width = static_cast<double>((high - low).count());
  return low + Capped(std::clamp(sample, 0.0, 1.0) * width, high - low);
}

absl::Status Invalid(std::string_view label, std::string_view message) {
  return internal::Error(absl::StatusCode::kInvalidArgument, label, message);
}

}  // namespace

absl::StatusOr<BackoffPolicy> BackoffPolicy::Make(const Options& options) {
  if (!std::isfinite(options.factor) || options.factor < 1.0) {
    return Invalid("backoff_invalid_factor", "factor: must be finite and at least 1");
  }
  if (options.first < Duration::zero() || options.floor < Duration::zero()) {
    return Invalid("backoff_negative", "first, floor: must not be negative");
  }
  if (options.first > options.max) {
    return Invalid("backoff_first_exceeds_max", "first: must not be above max");
  }
  return BackoffPolicy(options).WithFloor(options.floor);
}

BackoffPolicy BackoffPolicy::Constant(Duration delay) {
  delay = std::max(delay, Duration::zero());
  return BackoffPolicy(
      {.first = delay, .max = std::max(delay, kPresetCap), .factor = 1.0, .jitter = Jitter::kNone});
}

BackoffPolicy BackoffPolicy::Exponential(Duration first) {
  first = std::max(first, Duration::zero());
  return BackoffPolicy(
      {.first = first, .max = std::max(first, kPresetCap), .factor = 2.0, .jitter = Jitter::kNone});
}

BackoffPolicy BackoffPolicy::WithMax(Duration max) const {
  Options options = options_;
  options.max = std::max(max, Duration::zero());
  options.first = std::min(options.first, options.max);
  options.floor = std::min(options.floor, options.max);
  return BackoffPolicy(options);
}

BackoffPolicy BackoffPolicy::WithFloor(Duration floor) const {
  Options options = options_;
  options.floor = std::clamp(floor, Duration::zero(), options.max);
  return BackoffPolicy(options);
}

BackoffPolicy BackoffPolicy::WithJitter(Jitter jitter) const {
  Options options = options_;
  options.jitter = jitter;
  return BackoffPolicy(options);
}

Duration BackoffPolicy::Base(uint32_t retry_index) const {
  if (options_.first == Duration::zero()) return Duration::zero();
  if (options_.factor == 1.0) return std::min(options_.first, options_.max);
  const double grown = static_cast<double>(options_.first.count()) *
                       std::pow(options_.factor, static_cast<double>(retry_index));
  return retry_index == 0 ? std::min(options_.first, options_.max) : Capped(grown, options_.max);
}

Duration BackoffPolicy::Delay(uint32_t retry_index, double sample) const {
  const Duration base = Base(retry_index);
  Duration delay = base;
  switch (options_.jitter) {
    case Jitter::kNone:
      break;
    case Jitter::kEqual:
      delay = Between(base / 2, base, sample);
      break;
    case Jitter::kFull:
      delay = Between(Duration::zero(), base, sample);
      break;
    case Jitter::kRandomizedBand:
      // 3 * base, where that does not overflow.
      delay = Between(options_.first, base > options_.max / 3 ? options_.max : base * 3, sample);
      break;
  }
  delay = std::max(delay, options_.floor);
  if (base > Duration::zero()) delay = std::max(delay, kGuard);
  return std::min(delay, options_.max);
}

}  // namespace taskvisor
