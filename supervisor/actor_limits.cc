// The part of an actor that sets limits to a task: timeouts, its deadline, its predicate.

#include "supervisor/actor.h"
#include "supervisor/no_waiting.h"
#include "supervisor/overdue.h"
#include "supervisor/own_rules.h"
#include "supervisor/registry.h"

namespace taskvisor::internal {

void Actor::TimeOut(Entry& entry, uint64_t epoch) {
  const auto timed_out = entry.state.TryTimeOut(epoch);
  const Snapshot before{timed_out.seen};
  if (!timed_out || !before.InAttempt()) return;
  TellTimeoutHit(entry, clock_.Now(), *entry.rules->timeout, CancelCause::kTimeout);
  Tell(entry, CancelCause::kTimeout, before);
  entry.state.Unpin();
  if (before.Dormant()) Submit(entry);
}

void Actor::FinishLate(Entry& entry, Seat& seat, Snapshot seen) {
  static_cast<void>(entry.state.RequestStop(seen, static_cast<uint8_t>(CancelCause::kDeadline)));
  FinishUnstarted(entry, seat, /*permit=*/true);
}

void Actor::TellTimeoutHit(const Entry& entry, TimePoint now, Duration limit, CancelCause cause) {
  publisher_.Emit(EventKind::kTimeoutHit, now, entry, [&](EventDraft& e) {
    e.WithAttempt(entry.attempts().load(std::memory_order_relaxed)).WithTimeout(limit);
    if (cause == CancelCause::kDeadline) e.WithCause(cause);
  });
}

void Actor::Tell(Entry& entry, CancelCause cause, Snapshot before) {
  const NoWaiting here(pool_.id());  // what hangs on the scopes is a user's, and we hold a pin
  entry.attempt.attempt().Tell(cause, before);
}

bool Actor::MayRetry(const Entry& entry, const Attempt& attempt, const TaskError& error) {
  OwnRules* const own = OwnRules::Of(entry.rules);
  if (own == nullptr || own->retry == nullptr) return true;
  // Asked only if the answer counts: without it there is no other attempt either.
  const bool spent = own->max_retries.has_value() && entry.failures >= *own->max_retries;
  const bool once = own->restart.kind() == RestartPolicy::Kind::kNever;
  if (spent || once || attempt.last.stopped()) return true;
  try {
    return own->retry(error);
  } catch (...) {
    publisher_.EmitThrown("retry_if", entry.Id(), attempt.end);
    return false;
  }
}

TaskOutcome Actor::OverdueOutcome(const Entry& entry, const Attempt& attempt,
                                  const TaskResult& result) {
  const bool says_so = attempt.Overdue() && attempt.ByTaskDeadline();
  const TaskError error =
      says_so ? result.error()
              : DeadlineError(*entry.rules->deadline, result.ok() ? nullptr : &result.error());
  return TaskOutcome(OutcomeKind::kFailed, error.reason)
      .set_source(error.source)
      .set_cause(CancelCause::kDeadline);  // its timer may be still on its way
}

}  // namespace taskvisor::internal
