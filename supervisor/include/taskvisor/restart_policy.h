#ifndef TASKVISOR_RESTART_POLICY_H_
#define TASKVISOR_RESTART_POLICY_H_

#include <chrono>
#include <cstdint>

#include "taskvisor/clock.h"

namespace taskvisor {

// RestartPolicy
//
// When a task gets another attempt.
//
//   Never       one attempt, whatever it returns
//   OnFailure   after a retryable failure (the default)
//   Always      after a success too, `interval` later; failures wait for the backoff
//
// A fatal error or a cancellation ends the task under every policy.
//
// Always never spins: attempts that succeed start at least 1 ms apart
// (delay = max(interval, 1 ms - elapsed)). AlwaysImmediately gives that up, for pump
// tasks that block on their own source of work.
class RestartPolicy {
 public:
  enum class Kind : uint8_t { kNever, kOnFailure, kAlways };

  static constexpr Duration kRepeatFloor = std::chrono::milliseconds(1);

  [[nodiscard]] static constexpr RestartPolicy Never() { return {Form::kNever, {}}; }
  [[nodiscard]] static constexpr RestartPolicy OnFailure() { return {Form::kOnFailure, {}}; }
  // `interval` >= 0, from the end of one attempt to the start of the next; 0 = none.
  [[nodiscard]] static constexpr RestartPolicy Always(Duration interval = Duration::zero()) {
    return {Form::kAlways, interval};
  }
  [[nodiscard]] static constexpr RestartPolicy AlwaysImmediately() {
    return {Form::kAlwaysImmediately, {}};
  }

  [[nodiscard]] constexpr Kind kind() const {
    return form_ == Form::kNever       ? Kind::kNever
           : form_ == Form::kOnFailure ? Kind::kOnFailure
                                       : Kind::kAlways;
  }
  [[nodiscard]] constexpr Duration interval() const { return interval_; }
  [[nodiscard]] constexpr Duration floor() const {
    return form_ == Form::kAlways ? kRepeatFloor : Duration::zero();
  }

  friend constexpr bool operator==(const RestartPolicy&, const RestartPolicy&) = default;

 private:
  friend class TaskSpec;  // keeps the two apart: beside each other they waste seven bytes

  enum class Form : uint8_t { kNever, kOnFailure, kAlways, kAlwaysImmediately };

  constexpr RestartPolicy(Form form, Duration interval) : form_(form), interval_(interval) {}

  Form form_;
  Duration interval_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_RESTART_POLICY_H_
