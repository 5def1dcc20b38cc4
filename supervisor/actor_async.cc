// Attempts of coroutine bodies: see async_attempt.h for who has the frame when.

#include <utility>

#include "supervisor/actor.h"
#include "supervisor/async_attempt.h"
#include "supervisor/cpu_meter.h"
#include "supervisor/registry.h"
#include "supervisor/this_thread.h"

namespace taskvisor::internal {

void Actor::EnsureRoom(uint32_t slot) { room_->Ensure(slot); }

void Actor::BeginAsync(Entry& entry, Seat& seat, Snapshot seen) {
  AsyncAttempt& async = room_->At(entry.slot);
  Attempt& attempt = async.attempt;
  attempt = NextAttempt(entry, StartOf(entry, seat, clock_, permits_.has_value()));
  if (attempt.start >= attempt.task_deadline) return FinishLate(entry, seat, seen);
  const uint64_t epoch = seen.epoch() + 1;
  async.last_error = entry.attempt.Take();
  async.watched = watchdog_.Enter(seat.number(), entry, epoch, attempt.start);
  async.Open(entry, clock_, timers_.queue(),
             {entry.Id(), entry.name(), attempt.number, attempt.deadline,
              async.watched == nullptr ? nullptr : &async.watched->beat(), async.last_error.get(),
              &entry, &async},
             seat);
  Announce(entry, attempt, async.running(), epoch);
  if (const auto begun = entry.state.TryBegin(); begun) {
    if (Snapshot{begun.seen}.due()) TimeOut(entry, epoch);
    LookBy(entry, async);
    // Makes the frame, which begins in Drive.
    TaskResult result = CallBody(entry.body, async.running().context.context());
    return Drive(entry, seat, async, std::move(result));
  }
  attempt.end = attempt.start;
  attempt.last = entry.state.SettleUnbegun();
  EndAsync(entry, seat, async, Cancelled());
}

void Actor::Resume(Entry& entry, Seat& seat, Snapshot taken) {
  AsyncAttempt& async = room_->At(entry.slot);
  async.permit = taken.has_permit();
  const bool needs_permit = permits_.has_value() && !async.permit && !async.joins();
  if (needs_permit && !AcquireOrStall(entry, async)) return;
  // Read by others under a pin that they took in kRunning: published by TryResume.
  async.running().seat = &seat;
  BackOnCore(entry, seat, async);
  // Who cancelled it before had no seat to tell.
  if (entry.state.TryResume().cancelled()) seat.CancelNested();
  LookBy(entry, async);
  if (needs_permit && !async.permit) {  // so it must not run, whatever has come meanwhile
    async.Destroy();
    return Drive(entry, seat, async, Cancelled());
  }
  Drive(entry, seat, async, Ok());
}

// False: it waits for a permit. A body that is only to be destroyed needs none.
bool Actor::AcquireOrStall(Entry& entry, AsyncAttempt& async) {
  while (true) {
    if (permits_->TryAcquire()) return async.permit = true;
    const Snapshot seen = entry.state.Load();
    if (async.OnlyToDie()) return true;
    if (!entry.state.TryStall(seen)) continue;  // cancelled meanwhile: judge again
    Park({entry.slot, seen.epoch()});
    return false;
  }
}

// What a worker shows of itself while the body is on it.
void Actor::BackOnCore(Entry& entry, const Seat& seat, AsyncAttempt& async) {
  entry.thread.store(ThisThread(), std::memory_order_relaxed);
  if (!entry.rules->heartbeat.has_value()) return;
  const uint64_t epoch = entry.state.Load().epoch();
  async.watched = watchdog_.Enter(seat.number(), entry, epoch, clock_.Now());
  async.running().context.SetBeat(&async.watched->beat());
}

// After the change of the state that lets the watchdog see it.
void Actor::LookBy(const Entry& entry, const AsyncAttempt& async) {
  if (async.watched != nullptr) watchdog_.LookBy(clock_.Now(), *entry.rules->heartbeat);
}

void Actor::OffCore(Entry& entry, AsyncAttempt& async) {
  entry.thread.store(0, std::memory_order_relaxed);
  if (async.watched == nullptr) return;
  async.running().context.SetBeat(nullptr);
  std::exchange(async.watched, nullptr)->Leave();
}

void Actor::Drive(Entry& entry, Seat& seat, AsyncAttempt& async, TaskResult result) {
  while (true) {
    const CpuMeter cpu(entry.rules->cpu_time);
    const std::optional<ActorState::Rest> rest = async.GoOn(result);
    if (const auto spent = cpu.Spent(); spent.has_value()) {
      async.attempt.cpu_time = async.attempt.cpu_time.value_or(Duration::zero()) + *spent;
    }
    if (!rest.has_value()) break;
    if (Suspend(entry, seat, async, *rest)) return;
  }
  async.attempt.EndAt(clock_.Now());
  async.attempt.last = entry.state.Settle();
  EndAsync(entry, seat, async, std::move(result));
}

// True: the attempt is others' now. False: something has happened; it goes on here.
bool Actor::Suspend(Entry& entry, Seat& seat, AsyncAttempt& async, ActorState::Rest rest) {
  const bool joins = rest == ActorState::Rest::kJoins;
  const bool had = permits_.has_value() && async.permit;
  const bool keeps = had && async.keep_permit && !joins;
  async.permit = keeps;
  OffCore(entry, async);
  while (true) {
    const auto suspended = entry.state.TrySuspend(rest, keeps);
    if (suspended) break;
    const Snapshot seen{suspended.seen};
    const bool roused = seen.due() || (seen.cancelled() && !joins);
    if (!roused) {  // so it is silent
      watchdog_.TellRecovered(entry, seen.epoch(), async.attempt.start, ThisThread());
      continue;
    }
    async.permit = had;
    BackOnCore(entry, seat, async);
    entry.state.TakeWake();
    LookBy(entry, async);
    return false;
  }
  if (had && !keeps) ReleasePermit();
  if (rest == ActorState::Rest::kYields) seat.RunAgain(entry, entry.priority());
  return true;
}

void Actor::EndAsync(Entry& entry, Seat& seat, AsyncAttempt& async, TaskResult result) {
  if (async.watched != nullptr) std::exchange(async.watched, nullptr)->Leave();
  if (std::exchange(async.permit, false)) ReleasePermit();
  entry.attempt.End();
  async.Close();
  const Attempt attempt = async.attempt;
  Conclude(entry, seat, attempt, result);
}

void Actor::Wake(Entry& entry, uint64_t epoch) {
  if (entry.state.Wake(epoch)) Submit(entry);
}

}  // namespace taskvisor::internal
