#include "supervisor/actor.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <utility>

#include "sched/timed_wait.h"
#include "supervisor/async_attempt.h"
#include "supervisor/cpu_meter.h"
#include "supervisor/jitter.h"
#include "supervisor/overdue.h"
#include "supervisor/registry.h"
#include "supervisor/text.h"
#include "supervisor/this_thread.h"

namespace taskvisor::internal {
namespace {

// std::random_device asks the processor what it can do, which takes a virtual machine 20 us.
uint64_t RandomSeed() {
  uint64_t seed = 0;
  if (getentropy(&seed, sizeof(seed)) != 0) {
    seed = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  }
  return seed;
}

JitterSource JitterOf(const SupervisorConfig& config) {
  if (config.jitter_source) return config.jitter_source;
  return SeededJitter(config.jitter_seed.has_value() ? *config.jitter_seed : RandomSeed());
}

TaskOutcome OutcomeOf(const Entry& entry, const Decision& decision, const TaskResult& result) {
  if (decision.outcome == OutcomeKind::kCompleted) return TaskOutcome(OutcomeKind::kCompleted);
  if (decision.outcome == OutcomeKind::kCancelled || result.ok()) {
    return TaskOutcome(OutcomeKind::kCancelled);
  }
  std::string reason = CutReason(result.error().reason);
  if (decision.exhausted) {
    const std::string n = std::to_string(*entry.rules->max_retries);
    reason = CutReason("max_retries_exceeded(" + n + "/" + n + "): " + reason);
  }
  return TaskOutcome(decision.outcome, reason)
      .set_exit_code(result.error().exit_code)
      .set_source(result.error().source);
}

TaskOutcome Panicked() {
  try {
    return TaskOutcome(OutcomeKind::kPanicked, "actor failed");
  } catch (const std::bad_alloc&) {  // then without the text
    return TaskOutcome(OutcomeKind::kPanicked);
  }
}

EventKind KindOf(AttemptEnd end) {
  const bool stopped = end == AttemptEnd::kSuccess || end == AttemptEnd::kCancelled;
  return stopped ? EventKind::kTaskStopped : EventKind::kTaskFailed;
}

}  // namespace

void Entry::Run(Seat& seat) noexcept { actor->Run(*this, seat); }

const Name* Entry::name() const { return named() ? actor->NameAt(slot) : nullptr; }

Actor::Actor(const SupervisorConfig& config, Pool& pool, TimerQueue& timers, Publisher& publisher,
             Registry& registry, Watchdog& watchdog)
    : pool_(pool),
      timers_(timers, *this, SlotsFor(config.max_tasks, pool.workers())),
      clock_(timers.clock()),
      publisher_(publisher),
      registry_(registry),
      watchdog_(watchdog),
      grace_(config.grace),
      jitter_(JitterOf(config)),
      set_aside_(timers, registry, *this, pool),
      room_(std::make_unique<AsyncRoom>(SlotsFor(config.max_tasks, pool.workers()))) {
  if (config.max_concurrent.has_value()) {
    permits_.emplace(static_cast<int64_t>(*config.max_concurrent));
  }
}

Actor::~Actor() = default;

std::optional<int64_t> Actor::PermitBalance() const {
  return permits_.has_value() ? std::optional(permits_->balance()) : std::nullopt;
}

const Name* Actor::NameAt(uint32_t slot) const { return &registry_.NameAt(slot); }

void Actor::Submit(std::span<const TaskId> ids) {
  if (ids.size() == 1) return Submit(registry_.At(ids.front().slot()));
  const auto entry = [&](size_t i) -> Entry& { return registry_.At(ids[i].slot()); };
  while (!ids.empty()) {  // as many as follow each other in one class
    const Priority priority = entry(0).priority();
    size_t count = 1;
    while (count < ids.size() && entry(count).priority() == priority) ++count;
    pool_.SubmitEach(
        count, [&](size_t i) -> Runnable& { return entry(i); }, priority);
    ids = ids.subspan(count);
  }
}

void Actor::Run(Entry& entry, Seat& seat) noexcept {
  registry_.CallForLinkOf(entry);  // the thread that added it has that in its cache
  const auto taken = entry.state.TryTake();
  if (!taken) return;
  if (Snapshot{taken.seen}.Is(Phase::kWoken)) return Resume(entry, seat, {taken.seen});
  if (Snapshot{taken.seen}.has_permit() || AcquireOrPark(entry, seat)) RunBody(entry, seat);
}

bool Actor::AcquireOrPark(Entry& entry, Seat& seat) {
  if (!permits_.has_value() || permits_->TryAcquire()) return true;
  const Ticket ticket{entry.slot, entry.state.Load().epoch()};
  if (!entry.state.TryPark()) {
    FinishUnstarted(entry, seat, /*permit=*/false);
  } else {
    Park(ticket);
  }
  return false;
}

void Actor::Park(Ticket ticket) {
  std::optional<Ticket> offer;
  Entry& entry = registry_.At(ticket.slot);
  if (!permits_->TryPark(ticket, offer, entry.priority())) return set_aside_.Put(entry);
  OfferPermit(offer);
}

void Actor::TakeUp(Entry& entry) {
  const Snapshot seen = entry.state.Load();
  if (seen.Is(Phase::kQueued) || seen.Is(Phase::kWoken)) return Submit(entry);
  if (!seen.Is(Phase::kWaiting) && !seen.Is(Phase::kStalled)) return;
  const Ticket ticket{entry.slot, seen.epoch()};
  permits_->TryAcquire() ? OfferPermit(ticket) : Park(ticket);
}

void Actor::ReleasePermit() {
  if (permits_.has_value()) OfferPermit(permits_->Release());
}

void Actor::OfferPermit(std::optional<Ticket> ticket) {
  for (; ticket.has_value(); ticket = permits_->Release()) {
    Entry& entry = registry_.At(ticket->slot);
    if (entry.state.TryGrant(ticket->epoch)) return Submit(entry);
  }
}

void Actor::FinishUnstarted(Entry& entry, Seat& seat, bool permit) {
  static_cast<void>(entry.state.TryFinish(/*stopped=*/true));
  if (permit) ReleasePermit();
  const CancelCause cause = CauseOf(entry.state.Load());
  registry_.Finish(entry, OutcomeOfStop(entry, cause), clock_.Now(), &seat);
}

void Actor::RunBody(Entry& entry, Seat& seat) {
  const Snapshot seen = entry.state.Load();
  if (seen.stopped()) return FinishUnstarted(entry, seat, /*permit=*/true);
  if (entry.rules->async) return BeginAsync(entry, seat, seen);

  Attempt attempt = NextAttempt(entry, StartOf(entry, seat, clock_, permits_.has_value()));
  if (attempt.start >= attempt.task_deadline) [[unlikely]]
    return FinishLate(entry, seat, seen);
  const TaskError* const last_error = entry.attempt.error();  // ours, with the next Begin
  const uint64_t epoch = seen.epoch() + 1;
  WatchSlot* const watched = watchdog_.Enter(seat.number(), entry, epoch, attempt.start);
  RunningAttempt running(entry.state, clock_,
                         {entry.Id(), entry.name(), attempt.number, attempt.deadline,
                          watched == nullptr ? nullptr : &watched->beat(), last_error, &entry},
                         seat);
  Announce(entry, attempt, running, epoch);
  TaskResult result;
  if (const auto begun = entry.state.TryBegin(); begun) {
    if (Snapshot{begun.seen}.due()) TimeOut(entry, epoch);
    if (watched != nullptr) watchdog_.LookBy(attempt.start, *entry.rules->heartbeat);
    if (entry.named() && entry.rules->restart.kind() == RestartPolicy::Kind::kNever) {
      registry_.CallForName(entry);  // most bodies of such tasks are short, and it is free soon
    }
    const CpuMeter cpu(entry.rules->cpu_time);
    result = CallBody(entry.body, running.context.context());
    attempt.cpu_time = cpu.Spent();
    if (running.context.children() != nullptr) [[unlikely]] {
      if (!JoinChildren(entry, seat, running, attempt, watched, last_error, result)) return;
    }
    attempt.EndAt(clock_.Now());
    attempt.last = entry.state.Settle();
  } else {  // stopped since the look above: the attempt ends before its body begins
    result = Cancelled();
    attempt.end = attempt.start;
    attempt.last = entry.state.SettleUnbegun();
  }
  entry.attempt.End();
  if (last_error != nullptr) DeleteError()(last_error);
  if (watched != nullptr) watched->Leave();
  ReleasePermit();
  Conclude(entry, seat, attempt, result);
}

// All that others may read under a pin: a pin needs kRunning, so TryBegin publishes it. And what
// is told before kRunning, in which others may publish the attempt's timeout or the task's end.
void Actor::Announce(Entry& entry, const Attempt& attempt, RunningAttempt& running,
                     uint64_t epoch) {
  entry.attempt.Begin(running);
  entry.started_at.store(attempt.start.time_since_epoch().count(), std::memory_order_relaxed);
  entry.thread.store(ThisThread(), std::memory_order_relaxed);
  entry.attempts().store(attempt.number, std::memory_order_release);
  if (entry.Tells(Entry::kChild)) [[unlikely]] {
    publisher_.Emit(EventKind::kTaskStarting, attempt.start, entry,
                    [&](EventDraft& e) { e.WithAttempt(attempt.number); });
  } else {
    publisher_.EmitRun(EventName(entry)
                           .Draft(EventKind::kTaskStarting, publisher_.WallAt(attempt.start))
                           .WithAttempt(attempt.number));
  }
  if (attempt.deadline < attempt.task_deadline) {  // that one has a timer of its own
    timers_.Arm(entry.slot, attempt.deadline, TaskTimers::Use::kTimeout, epoch);
  }
}

void Actor::OnTimer(uint32_t slot, TaskTimers::Use use, uint64_t epoch) {
  Entry& entry = registry_.At(slot);
  switch (use) {
    case TaskTimers::Use::kTimeout:
      return TimeOut(entry, epoch);
    case TaskTimers::Use::kDelay: {
      const auto woken = entry.state.TryWake(epoch);
      if (woken && Snapshot{woken.seen}.Is(Phase::kDelaying)) Submit(entry);
      return;
    }
    case TaskTimers::Use::kGrace:
      return watchdog_.Abandon(entry, epoch, clock_.Now());
  }
}

StopResult Actor::Stop(Entry& entry, Snapshot seen, CancelCause cause) {
  const auto stop = entry.state.RequestStop(seen, static_cast<uint8_t>(cause));
  if (stop.result == StopResult::kTaken) {
    if (stop.before.has_permit()) ReleasePermit();
    registry_.Finish(entry, OutcomeOfStop(entry, cause), clock_.Now(), nullptr);
  } else if (stop.result == StopResult::kPinned) {
    // The first to stop a running attempt is alone with its timer until Unpin.
    if (cause != CancelCause::kShutdown) {
      timers_.Arm(entry.slot, SaturatingAdd(clock_.Now(), grace_), TaskTimers::Use::kGrace,
                  stop.before.epoch());
    }
    // One TimeoutHit an attempt: the first limit that it has met.
    if (cause == CancelCause::kDeadline && !stop.before.timed_out()) {
      TellTimeoutHit(entry, clock_.Now(), *entry.rules->deadline, cause);
    }
    Tell(entry, cause, stop.before);
    entry.state.Unpin();
    if (stop.before.Dormant()) Submit(entry);
  }
  return stop.result;
}

StopResult Actor::StopById(TaskId id, CancelCause cause) {
  while (true) {
    const Registry::Found found = registry_.Lookup(id);
    if (found.entry == nullptr || found.seen.Is(Phase::kFinishing)) return StopResult::kRefused;
    const StopResult result = Stop(*found.entry, found.seen, cause);
    if (result != StopResult::kRefused) return result;  // else it moved on: look again
  }
}

void Actor::Conclude(Entry& entry, Seat& seat, const Attempt& attempt, TaskResult& result) {
  if (attempt.last.abandoned()) {  // its outcome is out: only the slot is left to give back
    static_cast<void>(entry.state.TryFinish(/*stopped=*/true));
    return registry_.Finish(entry, TaskOutcome(), attempt.end, &seat,
                            {nullptr, ResultAccess::TakeError(result)});
  }
  if (attempt.last.silent()) {
    publisher_.Emit(EventKind::kTaskRecovered, attempt.end, entry, [&](EventDraft& e) {
      e.WithAttempt(attempt.number)
          .WithDuration(attempt.end - attempt.start)
          .WithThread(entry.thread.load(std::memory_order_relaxed));
    });
  }
  EventDraft ended = EventName(entry).Draft(EventKind::kTaskFailed,  // until it is judged
                                            publisher_.WallAt(attempt.end));
  ended.WithAttempt(attempt.number).WithDuration(attempt.end - attempt.start);
  PendingDraft told{&ended};
  try {
    const AttemptEnd end = Judge(entry, attempt, result);
    TellEnd(ended.As(KindOf(end)), attempt, result);
    Follow(entry, seat, attempt, end, result, told);
  } catch (...) {  // the caller's jitter source, or no memory: not the body's fault
    if (told.Take() != nullptr) publisher_.EmitRunOf(entry, ended);
    publisher_.Emit(EventKind::kRuntimeFailure, attempt.end, [](EventDraft& e) {
      e.WithTask("actor").WithReason("the decision after an attempt threw");
    });
    while (!entry.state.TryFinish(entry.state.Load().stopped())) {
    }
    registry_.Finish(entry, Panicked(), attempt.end, &seat,
                     {nullptr, ResultAccess::TakeError(result)});
  }
}

AttemptEnd Actor::Judge(Entry& entry, const Attempt& attempt, TaskResult& result) {
  if (attempt.TimedOut()) {
    const Duration limit = attempt.Limit(*entry.rules);
    const bool by_deadline = attempt.ByTaskDeadline();
    if (!attempt.HitIsTold()) {  // the timer thread had no chance; the deadline decides
      TellTimeoutHit(entry, attempt.end, limit,
                     by_deadline ? CancelCause::kDeadline : CancelCause::kTimeout);
    }
    result = TaskResult(by_deadline ? DeadlineError(limit, result.ok() ? nullptr : &result.error())
                                    : TimeoutError(limit, result));
    if (attempt.Overdue()) return AttemptEnd::kOverdue;
  }
  if (result.ok()) return AttemptEnd::kSuccess;
  if (result.error().kind == TaskErrorKind::kCancelled) return AttemptEnd::kCancelled;
  const bool retryable = result.error().IsRetryable();
  return retryable && MayRetry(entry, attempt, result.error()) ? AttemptEnd::kRetryable
                                                               : AttemptEnd::kFatal;
}

void Actor::TellEnd(EventDraft& ended, const Attempt& attempt, const TaskResult& result) {
  if (result.ok()) {
    ended.WithCause(CancelCause::kNone);
  } else if (result.error().kind == TaskErrorKind::kCancelled) {
    ended.WithCause(attempt.last.stopped() ? CauseOf(attempt.last) : CancelCause::kCancelled);
  } else {
    ended.WithExitCode(result.error().exit_code).WithReason(result.error().reason);
    if (attempt.TimedOut()) ended.WithOverrun(attempt.Overrun());
  }
  ended.WithQueueWait(attempt.queue_wait);
  if (attempt.cpu_time.has_value()) ended.WithCpuTime(*attempt.cpu_time);
}

void Actor::Follow(Entry& entry, Seat& seat, const Attempt& attempt, AttemptEnd end,
                   TaskResult& result, PendingDraft& told) {
  entry.failures = end == AttemptEnd::kRetryable ? entry.failures + 1 : 0;
  std::optional<Duration> delay;  // decided, and announced, once
  while (true) {
    const Snapshot now = entry.state.Load();
    const bool stopped = now.stopped();
    // A deadline is nobody's request: what was decided before it stands.
    const bool asked = stopped && CauseOf(now) != CancelCause::kDeadline;
    Decision decision =
        Decide(*entry.rules, end, entry.failures, attempt.end - attempt.start, asked);
    if (decision.next != Decision::Next::kFinish && attempt.LeavesNoTime(now)) [[unlikely]] {
      decision = {.outcome = OutcomeKind::kFailed, .overdue = true};
    }
    if (decision.next != Decision::Next::kFinish && !delay.has_value()) {
      delay = decision.next == Decision::Next::kRetry ? RetryDelay(entry) : decision.delay;
      AnnounceDelay(entry, attempt, decision, *delay, result, told);
    }
    if (decision.next != Decision::Next::kFinish && stopped) {
      decision = {.outcome = OutcomeKind::kCancelled};
    }
    if (decision.next == Decision::Next::kFinish) {
      TaskOutcome outcome = decision.overdue ? OverdueOutcome(entry, attempt, result)
                                             : OutcomeOf(entry, decision, result);
      if (outcome.kind() != OutcomeKind::kCancelled && !decision.overdue) {
        outcome.set_cause(attempt.OwnCause());
      }
      if (entry.rules->cpu_time && entry.cell != nullptr) attempt.TellTimes(outcome);
      if (!entry.state.TryFinish(stopped)) continue;
      const bool quick = result.ok() && entry.IsPlain();  // before it is another's
      registry_.Finish(entry, std::move(outcome), attempt.end, &seat,
                       {told.Take(), ResultAccess::TakeError(result)});
      if (quick) seat.KeepNow(attempt.EndReading());
      return;
    }
    // For the next attempt. Before the move: whoever takes the entry out owns it.
    if (!result.ok()) entry.attempt.Keep(ResultAccess::TakeError(result));
    if (TryWait(entry, seat, attempt, *delay)) return;
    ResultAccess::PutBack(result, entry.attempt.Take());
  }
}

}  // namespace taskvisor::internal
