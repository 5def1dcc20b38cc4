#ifndef TASKVISOR_SCHED_TIMED_WAIT_H_
#define TASKVISOR_SCHED_TIMED_WAIT_H_

#include "sched/event_count.h"
#include "taskvisor/clock.h"

namespace taskvisor::internal {

// `now + delay`, or TimePoint::max() where that does not fit.
inline TimePoint SaturatingAdd(TimePoint now, Duration delay) {
  return delay >= TimePoint::max() - now ? TimePoint::max() : now + delay;
}

// Parks the caller until condition() or until `clock` reaches `deadline`; the result
// is condition()'s last answer. Spurious evaluations are to be expected. The clock is
// read before the condition is judged: what came true before the deadline counts.
//
// Needs no timer: a clock that runs by itself bounds the futex; one that is moved by
// hand tells us of each move, and an executor knows until when we wait.
template <class Condition>
bool AwaitUntil(Clock& clock, EventCount& events, TimePoint deadline, Condition condition) {
  const bool late = clock.Now() >= deadline;
  if (condition()) return true;
  if (late) return false;
  const bool real = clock.RunsByItself();
  if (!real) clock.Watch(&deadline, [&events] { events.Notify(); });
  const bool timed = real && deadline != TimePoint::max();
  bool met = false;
  while (true) {
    const EventCount::Key key = events.PrepareWait();
    const bool over = clock.Now() >= deadline;
    met = condition();
    if (met || over) break;
    timed ? events.WaitUntil(key, deadline) : events.WaitUntil(key, clock, deadline);
  }
  if (!real) clock.Unwatch(&deadline);
  return met;
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_TIMED_WAIT_H_
