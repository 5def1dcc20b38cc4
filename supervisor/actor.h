#ifndef TASKVISOR_SUPERVISOR_ACTOR_H_
#define TASKVISOR_SUPERVISOR_ACTOR_H_

#include <algorithm>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "sched/permits.h"
#include "sched/pool.h"
#include "sched/timer_queue.h"
#include "supervisor/decision.h"
#include "supervisor/entry.h"
#include "supervisor/publisher.h"
#include "supervisor/runner.h"
#include "supervisor/set_aside.h"
#include "supervisor/watchdog.h"
#include "taskvisor/supervisor_config.h"

namespace taskvisor::internal {

class Registry;

// Actor
//
// The loop of a task, as transitions of its Entry. No thread belongs to a task: each
// step is done by the thread that caused it, a worker, the timer thread or a stopper.
//
//   begin     stop-check, permit (or park), stop-check, attempt + 1, TaskStarting
//   body      CallBody
//   settle    timeout disarmed, permit back, TaskStopped or TaskFailed
//   decide    Decide(): finish, repeat or retry; BackoffScheduled; delay or queue
//
// One object serves all entries of a supervisor. Its methods are called with the
// ownership that ActorState describes.
class Actor {
 public:
  struct Ticket {
    uint32_t slot = 0;
    uint64_t epoch = 0;
  };

  Actor(const SupervisorConfig& config, Pool& pool, TimerQueue& timers, Publisher& publisher,
        Registry& registry, Watchdog& watchdog);

  // A queued entry gets its turn.
  void Submit(Entry& entry) { pool_.Submit(entry, entry.priority()); }
  // The same for several, in their order.
  void Submit(std::span<const TaskId> ids);
  // From the pool.
  void Run(Entry& entry, Seat& seat) noexcept;
  // One that was set aside.
  void TakeUp(Entry& entry);
  // From the timer thread.
  void OnTimer(Entry& entry, Entry::TimerUse use, uint64_t epoch);

  // Asks the task that `seen` is a state of to stop. A body that runs gets a grace
  // timer, unless a shutdown asks: it has one grace for all. Finishes a task at rest.
  StopResult Stop(Entry& entry, Snapshot seen, CancelCause cause);
  // The same, whatever state the task is in by now. kRefused: it is gone, or finishes.
  StopResult StopById(TaskId id, CancelCause cause);

  [[nodiscard]] const Name* NameAt(uint32_t place) const;

  // Free permits, negative: parked tickets. Nothing without a limit.
  [[nodiscard]] std::optional<int64_t> PermitBalance() const;

 private:
  // To be published once, together with what follows it.
  struct PendingDraft {
    const EventDraft* Take() { return std::exchange(draft, nullptr); }
    const EventDraft* draft;
  };

  // A finished call of a body, as far as it is known.
  struct Attempt {
    uint32_t number;
    TimePoint start;
    TimePoint end;
    TimePoint deadline;       // the timeout's or the task's, whichever comes first
    TimePoint task_deadline;  // max(): none
    Snapshot last;            // when it settled
    Duration queue_wait;      // before `start`
    std::optional<Duration> cpu_time;

    // A stop that came first outweighs a deadline that nobody noticed.
    [[nodiscard]] bool TimedOut() const {
      if (last.timed_out()) return true;
      return last.stopped() ? CauseOf(last) == CancelCause::kDeadline : end >= deadline;
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
      return !last.timed_out() &&
             (deadline == task_deadline || CauseOf(last) == CancelCause::kDeadline);
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

  [[nodiscard]] bool AcquireOrPark(Entry& entry, Seat& seat);
  void Park(Ticket ticket);
  void ReleasePermit();
  void OfferPermit(std::optional<Ticket> ticket);
  void FinishUnstarted(Entry& entry, Seat& seat, bool permit);
  void RunBody(Entry& entry, Seat& seat);
  void TimeOut(Entry& entry, uint64_t epoch);

  void Conclude(Entry& entry, Seat& seat, const Attempt& attempt, TaskResult& result);
  void TellTimeoutHit(const Entry& entry, TimePoint now, Duration limit, CancelCause cause);
  // Under a pin: tells the running attempt that it is to stop.
  void Tell(Entry& entry, CancelCause cause, bool scoped);
  [[nodiscard]] AttemptEnd Judge(Entry& entry, const Attempt& attempt, TaskResult& result);
  static void TellEnd(EventDraft& ended, const Attempt& attempt, const TaskResult& result);
  // What the attempt's end is followed by; `told` is published with it, or before it.
  void Follow(Entry& entry, Seat& seat, const Attempt& attempt, AttemptEnd end, TaskResult& result,
              PendingDraft& told);
  // Of a task that has met its deadline, in this attempt or after it.
  [[nodiscard]] static TaskOutcome OverdueOutcome(const Entry& entry, const Attempt& attempt,
                                                  const TaskResult& result);
  [[nodiscard]] bool TryWait(Entry& entry, Seat& seat, TimePoint from, Duration delay);
  // A retryable failure is to be retried, as far as the task's predicate has a say.
  [[nodiscard]] bool MayRetry(const Entry& entry, TimePoint now, const TaskError& error);
  [[nodiscard]] Duration RetryDelay(Entry& entry);
  void AnnounceDelay(Entry& entry, const Attempt& attempt, const Decision& decision, Duration delay,
                     const TaskResult& result, PendingDraft& told);

  Pool& pool_;
  TimerQueue& timers_;
  Clock& clock_;
  Publisher& publisher_;
  Registry& registry_;
  Watchdog& watchdog_;
  const Duration grace_;
  const JitterSource jitter_;
  std::optional<Permits<Ticket>> permits_;
  SetAside set_aside_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ACTOR_H_
