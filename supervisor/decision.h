#ifndef TASKVISOR_SUPERVISOR_DECISION_H_
#define TASKVISOR_SUPERVISOR_DECISION_H_

#include <cstdint>
#include <optional>

#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// How an attempt ended, as the decision sees it.
// kOverdue: in whatever way, after the task's deadline.
enum class AttemptEnd : uint8_t { kSuccess, kRetryable, kFatal, kCancelled, kOverdue };

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
  bool overdue = false;    // kFinish: the task's deadline has passed
};

// What follows an attempt. Pure: no clock, no randomness, no thread.
//
//   failures  of the current streak, this one included
//   elapsed   of the attempt, for the floor between repeats
//   stopped   somebody has asked the task to stop
//
// A retry that is due but stopped is still reported as kRetry, so that the caller can
// announce it (statement 49); the caller then ends the task as Cancelled. A deadline that
// passes is no such request: what the attempt decided before it stands, and only a task that
// would go on is ended by it.
inline Decision Decide(const TaskDefaults& rules, AttemptEnd end, uint32_t failures,
                       Duration elapsed, bool stopped) {
  using Next = Decision::Next;
  const RestartPolicy restart = rules.restart;
  switch (end) {
    case AttemptEnd::kCancelled:
      return {.outcome = OutcomeKind::kCancelled};
    case AttemptEnd::kFatal:
      return {.outcome = OutcomeKind::kFatal};
    case AttemptEnd::kOverdue:
      return {.outcome = OutcomeKind::kFailed, .overdue = true};
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
