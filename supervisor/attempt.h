#ifndef TASKVISOR_SUPERVISOR_ATTEMPT_H_
#define TASKVISOR_SUPERVISOR_ATTEMPT_H_

#include <cstdint>
#include <new>
#include <optional>

#include "supervisor/actor_state.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_outcome.h"

namespace taskvisor::internal {

// A call of a body, as far as it is known.
struct Attempt {
  uint32_t number = 0;
  TimePoint start;
  TimePoint end;
  TimePoint deadline;
  Snapshot last;          // when it settled
  Duration queue_wait{};  // before `start`
  std::optional<Duration> cpu_time;

  // A stop that came first outweighs a deadline that nobody noticed.
  [[nodiscard]] bool TimedOut() const {
    return last.timed_out() || (end >= deadline && !last.stopped());
  }
  // Without memory for them there are none.
  void TellTimes(TaskOutcome& outcome) const try {
    outcome.set_queue_wait(queue_wait).set_run_time(end - start).set_cpu_time(cpu_time);
    if (TimedOut()) outcome.set_overrun(end - deadline);
  } catch (const std::bad_alloc&) {
  }
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ATTEMPT_H_
