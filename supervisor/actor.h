#ifndef TASKVISOR_SUPERVISOR_ACTOR_H_
#define TASKVISOR_SUPERVISOR_ACTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "sched/permits.h"
#include "sched/pool.h"
#include "sched/timer_queue.h"
#include "supervisor/attempt.h"
#include "supervisor/decision.h"
#include "supervisor/entry.h"
#include "supervisor/publisher.h"
#include "supervisor/runner.h"
#include "supervisor/set_aside.h"
#include "supervisor/task_timers.h"
#include "supervisor/watchdog.h"
#include "taskvisor/supervisor_config.h"

namespace taskvisor::internal {

class Admission;
class AsyncAttempt;
class AsyncRoom;
class Registry;

// Actor
//
// The loop of a task, as transitions of its Entry. No thread belongs to a task: each
// step is done by the thread that caused it, a worker, the timer thread or a stopper.
//
//   begin     stop-check, permit (or park), stop-check, attempt + 1, TaskStarting
//   body      CallBody; a coroutine: Drive, as often as it is resumed
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
  ~Actor();

  // A queued entry gets its turn.
  void Submit(Entry& entry) { pool_.Submit(entry, entry.priority()); }
  // The same for several, in their order.
  void Submit(std::span<const TaskId> ids);
  // From the pool.
  void Run(Entry& entry, Seat& seat) noexcept;
  // One that was set aside.
  void TakeUp(Entry& entry);
  // From the timer thread.
  void OnTimer(uint32_t slot, TaskTimers::Use use, uint64_t epoch);

  // The task in this slot has a coroutine body; see AsyncRoom::Ensure.
  void EnsureRoom(uint32_t slot);
  // What the body of the attempt of `epoch` waits for may be there. Any thread.
  void Wake(Entry& entry, uint64_t epoch);

  // Asks the task that `seen` is a state of to stop. A body that runs gets a grace
  // timer, unless a shutdown asks: it has one grace for all. Finishes a task at rest.
  StopResult Stop(Entry& entry, Snapshot seen, CancelCause cause);
  // The same, whatever state the task is in by now. kRefused: it is gone, or finishes.
  StopResult StopById(TaskId id, CancelCause cause);

  // A child of the attempt that runs in `parent`; see TaskContext::Spawn. Throws if there is no
  // memory for it. Once SetAdmission was called.
  absl::StatusOr<TaskId> Spawn(Entry& parent, AttemptContext& attempt, TaskSpec& spec,
                               ChildOptions options);
  void SetAdmission(Admission& admission) { admission_ = &admission; }
  // A child of the attempt of `epoch` has failed: cancels it, if nothing has before; `won` then
  // runs first. User code of others may run.
  void CutShort(Entry& entry, uint64_t epoch, absl::FunctionRef<void()> won);

  [[nodiscard]] Publisher& publisher() { return publisher_; }
  [[nodiscard]] const Name* NameAt(uint32_t slot) const;

  // Free permits, negative: parked tickets. Nothing without a limit.
  [[nodiscard]] std::optional<int64_t> PermitBalance() const;

 private:
  // To be published once, together with what follows it.
  struct PendingDraft {
    const EventDraft* Take() { return std::exchange(draft, nullptr); }
    const EventDraft* draft;
  };

  [[nodiscard]] bool AcquireOrPark(Entry& entry, Seat& seat);
  void Park(Ticket ticket);
  void ReleasePermit();
  void OfferPermit(std::optional<Ticket> ticket);
  void FinishUnstarted(Entry& entry, Seat& seat, bool permit);
  // Its deadline has passed, and its timer has not come.
  void FinishLate(Entry& entry, Seat& seat, Snapshot seen);
  void RunBody(Entry& entry, Seat& seat);
  void Announce(Entry& entry, const Attempt& attempt, RunningAttempt& running, uint64_t epoch);
  void TimeOut(Entry& entry, uint64_t epoch);

  // Coroutine bodies: actor_async.cc.
  void BeginAsync(Entry& entry, Seat& seat, Snapshot seen);
  void Resume(Entry& entry, Seat& seat, Snapshot taken);
  [[nodiscard]] bool AcquireOrStall(Entry& entry, AsyncAttempt& async);
  void BackOnCore(Entry& entry, const Seat& seat, AsyncAttempt& async);
  void OffCore(Entry& entry, AsyncAttempt& async);
  void LookBy(const Entry& entry, const AsyncAttempt& async);
  void Drive(Entry& entry, Seat& seat, AsyncAttempt& async, TaskResult result);
  [[nodiscard]] bool Suspend(Entry& entry, Seat& seat, AsyncAttempt& async, ActorState::Rest rest);
  void EndAsync(Entry& entry, Seat& seat, AsyncAttempt& async, TaskResult result);

  // A plain body with children is over, and said `result`: true, none is left. False: the attempt
  // is others' now, or has been concluded. `last_error` is passed on then.
  [[nodiscard]] bool JoinChildren(Entry& entry, Seat& seat, RunningAttempt& running,
                                  const Attempt& attempt, WatchSlot* watched,
                                  const TaskError* last_error, TaskResult& result);

  void Conclude(Entry& entry, Seat& seat, const Attempt& attempt, TaskResult& result);
  void TellTimeoutHit(const Entry& entry, TimePoint now, Duration limit, CancelCause cause);
  // Under a pin taken in `before`: tells the attempt that it is to stop.
  void Tell(Entry& entry, CancelCause cause, Snapshot before);
  [[nodiscard]] AttemptEnd Judge(Entry& entry, const Attempt& attempt, TaskResult& result);
  static void TellEnd(EventDraft& ended, const Attempt& attempt, const TaskResult& result);
  // What the attempt's end is followed by; `told` is published with it, or before it.
  void Follow(Entry& entry, Seat& seat, const Attempt& attempt, AttemptEnd end, TaskResult& result,
              PendingDraft& told);
  // Of a task that has met its deadline, in this attempt or after it.
  [[nodiscard]] static TaskOutcome OverdueOutcome(const Entry& entry, const Attempt& attempt,
                                                  const TaskResult& result);
  [[nodiscard]] bool TryWait(Entry& entry, Seat& seat, const Attempt& attempt, Duration delay);
  // A retryable failure is to be retried, as far as the task's predicate has a say.
  [[nodiscard]] bool MayRetry(const Entry& entry, const Attempt& attempt, const TaskError& error);
  [[nodiscard]] Duration RetryDelay(Entry& entry);
  void AnnounceDelay(Entry& entry, const Attempt& attempt, const Decision& decision, Duration delay,
                     const TaskResult& result, PendingDraft& told);

  Pool& pool_;
  TaskTimers timers_;
  Clock& clock_;
  Publisher& publisher_;
  Registry& registry_;
  Watchdog& watchdog_;
  const Duration grace_;
  const JitterSource jitter_;
  std::optional<Permits<Ticket>> permits_;
  SetAside set_aside_;
  const std::unique_ptr<AsyncRoom> room_;
  Admission* admission_ = nullptr;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ACTOR_H_
