// The part of an actor between two attempts: how long, announced how, and the wait.

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include "supervisor/actor.h"
#include "supervisor/registry.h"

namespace taskvisor::internal {

bool Actor::TryWait(Entry& entry, Seat& seat, const Attempt& attempt, Duration delay) {
  const Priority priority = entry.rules->priority;  // queued, it may be another's
  const TimePoint ready = SaturatingAdd(attempt.end, delay);
  entry.SetReadyAt(ready);
  if (delay <= Duration::zero()) {
    const bool quick = entry.failures == 0;  // nobody was asked about a retry
    if (!entry.state.TryRequeue()) return false;
    seat.RunAgain(entry, priority);
    if (quick) seat.KeepNow(attempt.EndReading());
    return true;
  }
  timers_.Arm(entry.slot, ready, TaskTimers::Use::kDelay, entry.state.Load().epoch());
  const auto delayed = entry.state.TryDelay();
  if (delayed && Snapshot{delayed.seen}.due()) seat.RunAgain(entry, priority);
  return delayed.done;
}

Duration Actor::RetryDelay(Entry& entry) {
  Name::Buffer name;
  char text[32];
  std::string_view task;
  if (entry.named()) {
    const size_t size = entry.name()->CopyTo(name);
    task = {name.data(), size};
  } else {
    const auto prefix = std::copy_n("task-", 5, text);
    task = {text, std::to_chars(prefix, std::end(text), entry.ordinal).ptr};
  }
  const double sample = jitter_(task, entry.draws().fetch_add(1, std::memory_order_relaxed));
  return entry.rules->backoff.Delay(entry.failures - 1, sample);
}

void Actor::AnnounceDelay(Entry& entry, const Attempt& attempt, const Decision& decision,
                          Duration delay, const TaskResult& result, PendingDraft& told) {
  const EventDraft* const ended = told.Take();
  if (!decision.announced) return publisher_.EmitRunOf(entry, *ended);
  const EventName name(entry);
  EventDraft backoff = name.Draft(EventKind::kBackoffScheduled, publisher_.WallAt(attempt.end))
                           .WithAttempt(attempt.number)
                           .WithDelay(delay);
  if (decision.next == Decision::Next::kRetry) {
    backoff.WithBackoffSource(BackoffSource::kFailure).WithReason(result.error().reason);
  } else {
    backoff.WithBackoffSource(BackoffSource::kSuccess);
  }
  publisher_.EmitRunOf(entry, *ended, backoff);
}

}  // namespace taskvisor::internal
