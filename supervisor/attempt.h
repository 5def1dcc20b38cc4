#ifndef TASKVISOR_SUPERVISOR_ATTEMPT_H_
#define TASKVISOR_SUPERVISOR_ATTEMPT_H_

#include <algorithm>
#include <cstdint>
#include <new>
#include <optional>

#include "sched/delays.h"
#include "sched/pool.h"
#include "sched/timed_wait.h"
#include "supervisor/attempt_context.h"
#include "supervisor/entry.h"
#include "supervisor/own_rules.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_outcome.h"

namespace taskvisor::internal {

// A call of a body, as far as it is known.
struct Attempt {
  uint32_t number = 0;
  TimePoint start;
  TimePoint end;
  uint32_t delays_at_end = 0;  // t_delays
  TimePoint deadline;          // the timeout's or the task's, whichever comes first
  TimePoint task_deadline;     // max(): none
  Snapshot last;               // when it settled
  Duration queue_wait{};       // before `start`
  std::optional<Duration> cpu_time;

  void EndAt(TimePoint now) {
    end = now;
    delays_at_end = t_delays;
  }
  [[nodiscard]] Seat::Reading EndReading() const { return {end, delays_at_end}; }

  // A stop, or a child's failure, that came first outweighs a deadline that nobody noticed.
  [[nodiscard]] bool TimedOut() const {
    if (last.timed_out()) return true;
    if (last.stopped()) return CauseOf(last) == CancelCause::kDeadline;
    return end >= (last.cut() ? task_deadline : deadline);
  }
  // What has asked this attempt to stop, if the task goes on or fails of it.
  [[nodiscard]] CancelCause OwnCause() const {
    if (TimedOut()) return CancelCause::kTimeout;
    return last.cut() ? CancelCause::kChildFailed : CancelCause::kNone;
  }
  // By the task's own deadline, or later than that: there is no other attempt.
  [[nodiscard]] bool Overdue() const { return LeavesNoTime(last); }
  // There is no next attempt: the task's deadline has passed. `now`: its state since.
  [[nodiscard]] bool LeavesNoTime(Snapshot now) const {
    return now.stopped() ? CauseOf(now) == CancelCause::kDeadline : end >= task_deadline;
  }
  // If it timed out: by the task's deadline, not by its own. The first limit that was met,
  // and told, counts.
  [[nodiscard]] bool ByTaskDeadline() const {
    if (last.timed_out()) return false;
    return deadline == task_deadline || last.cut() || CauseOf(last) == CancelCause::kDeadline;
  }
  [[nodiscard]] Duration Limit(const RuleSet& rules) const {
    return ByTaskDeadline() ? *rules.deadline : *rules.timeout;
  }
  // How long the body ran on. Its clock was read before the timer came: not negative.
  [[nodiscard]] Duration Overrun() const {
    return std::max(end - (ByTaskDeadline() ? task_deadline : deadline), Duration::zero());
  }
  // TimeoutHit is out: the timer published it, or who stopped the body at the deadline.
  [[nodiscard]] bool HitIsTold() const {
    const bool begun = last.Is(Phase::kRunning);
    return last.timed_out() || (begun && CauseOf(last) == CancelCause::kDeadline);
  }
  // Without memory for them there are none.
  void TellTimes(TaskOutcome& outcome) const try {
    outcome.set_queue_wait(queue_wait).set_run_time(end - start).set_cpu_time(cpu_time);
    if (TimedOut()) outcome.set_overrun(Overrun());
  } catch (const std::bad_alloc&) {
  }
};

// When an attempt starts that is about to. One that follows another at once on its seat, which has
// succeeded, starts when that one ended: the clock was read then, and only lines of ours have run
// since. Not if it needed a permit, which may be another's of later than that.
[[nodiscard]] inline TimePoint StartOf(const Entry& entry, const Seat& seat, const Clock& clock,
                                       bool permit) {
  const std::optional<TimePoint> kept = permit ? std::nullopt : seat.StillNow();
  return kept.has_value() && entry.ReadyAt() <= *kept ? *kept : clock.Now();
}

// The next attempt of a task whose turn it is `now`. If its start is not before task_deadline,
// there is none: that deadline's timer is about to come.
[[nodiscard]] inline Attempt NextAttempt(const Entry& entry, TimePoint now) {
  Attempt attempt;
  attempt.number = entry.attempts().load(std::memory_order_relaxed) + 1;
  attempt.start = now;
  attempt.queue_wait = std::max(now - entry.ReadyAt(), Duration::zero());
  attempt.task_deadline = OwnRules::DeadlineOf(entry.rules);
  const Duration timeout = entry.rules->timeout.value_or(Duration::zero());
  attempt.deadline = timeout == Duration::zero()
                         ? attempt.task_deadline
                         : std::min(SaturatingAdd(now, timeout), attempt.task_deadline);
  return attempt;
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ATTEMPT_H_
