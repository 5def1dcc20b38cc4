#ifndef TASKVISOR_TESTS_EXPORTERS_SAMPLE_EVENTS_H_
#define TASKVISOR_TESTS_EXPORTERS_SAMPLE_EVENTS_H_

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "taskvisor/event.h"

namespace taskvisor::exporters {

// 2001-09-09T01:46:40Z and `after`.
inline WallTime At(Duration after) { return WallTime(std::chrono::seconds(1'000'000'000) + after); }

inline Event Made(EventKind kind, uint64_t sequence, Duration after = Duration::zero()) {
  Event event(kind);
  event.sequence = sequence;
  event.WithAt(At(after));
  return event;
}

inline Event OfTask(EventKind kind, uint64_t sequence, std::string_view task,
                    Duration after = Duration::zero()) {
  return Made(kind, sequence, after).WithId(TaskId(3, 0)).WithTask(task);
}

// The life of a task that fails once, waits and succeeds.
inline std::vector<Event> LifeOfATask() {
  using std::chrono::milliseconds;
  return {
      OfTask(EventKind::kTaskAddRequested, 1, "flaky"),
      OfTask(EventKind::kTaskAdded, 2, "flaky", milliseconds(1)),
      OfTask(EventKind::kTaskStarting, 3, "flaky", milliseconds(2)).WithAttempt(1),
      OfTask(EventKind::kTaskFailed, 4, "flaky", milliseconds(12))
          .WithReason("not yet")
          .WithAttempt(1)
          .WithDuration(milliseconds(10))
          .WithQueueWait(milliseconds(1))
          .WithExitCode(-3),
      OfTask(EventKind::kBackoffScheduled, 5, "flaky", milliseconds(12))
          .WithReason("not yet")
          .WithAttempt(1)
          .WithDelay(milliseconds(50))
          .WithBackoffSource(BackoffSource::kFailure),
      OfTask(EventKind::kTaskStarting, 6, "flaky", milliseconds(62)).WithAttempt(2),
      OfTask(EventKind::kTaskStopped, 7, "flaky", milliseconds(63))
          .WithAttempt(2)
          .WithDuration(milliseconds(1))
          .WithQueueWait(milliseconds(2))
          .WithCpuTime(std::chrono::microseconds(500))
          .WithCause(CancelCause::kNone),
      OfTask(EventKind::kActorExhausted, 8, "flaky", milliseconds(63))
          .WithOutcomeKind(OutcomeKind::kCompleted),
      OfTask(EventKind::kTaskRemoved, 9, "flaky", milliseconds(63)),
  };
}

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_TESTS_EXPORTERS_SAMPLE_EVENTS_H_
