#ifndef TASKVISOR_SUPERVISOR_DECISION_H_
#define TASKVISOR_SUPERVISOR_DECISION_H_

#include <cstdint>
#include <optional>

#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// How an attempt ended, as the decision sees it.
enum class AttemptEnd : uint8_t { kSuccess, kRetryable, kFatal, kCancelled };

struct Decision {
  enum class Next : uint8_t {
    kFinish,  // with `outcome`
    kRepeat,  // after a success, `delay` after its end
    kRetry,   // after a failure; the delay is the backoff's
  };
  Next next = Next::kFinish;
  OutcomeKind outcome = OutcomeKind::kCompleted;
  Duration delay{};
  bool announced = true;   // kRepeat: a BackoffScheduled precedes the wait
  bool exhausted = false;  // kFinish: the retry budget is used up
};

// What follows an attempt. Pure: no clock, no randomness, no thread.
//
//   failures  of the current streak, this one included
//   elapsed   of the attempt, for the floor between repeats
//   stopped   the task has been asked to stop
//
// A retry that is due but stopped is still reported as kRetry, so that the caller can
// announce it (statement 49); the caller then ends the task as Cancelled.
inline Decision Decide(const TaskDefaults& rules, AttemptEnd end, uint32_t failures,
                       Duration elapsed, bool stopped) {
  using Next = Decision::Next;
  const RestartPolicy restart = rules.restart;
  switch (end) {
    case AttemptEnd::kCancelled:
      return {.outcome = OutcomeKind::kCancelled};
    case AttemptEnd::kFatal:
      return {.outcome = OutcomeKind::kFatal};
    case AttemptEnd::kSuccess: {
      if (stopped) return {.outcome = OutcomeKind::kCancelled};
      if (restart.kind() != RestartPolicy::Kind::kAlways) return {};
      const Duration interval = restart.interval();
      return {.next = Next::kRepeat,
              .delay = std::max({interval, restart.floor() - elapsed, Duration::zero()}),
              .announced = interval > Duration::zero()};
    }
    case AttemptEnd::kRetryable:
      break;
  }
  if (restart.kind() == RestartPolicy::Kind::kNever) return {.outcome = OutcomeKind::kFailed};
  if (rules.max_retries.has_value() && failures > *rules.max_retries) {
    return {.outcome = OutcomeKind::kFailed, .exhausted = true};
  }
  return {.next = Next::kRetry};
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_DECISION_H_
