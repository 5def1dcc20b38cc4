#ifndef TASKVISOR_SUPERVISOR_ATTEMPT_H_
#define TASKVISOR_SUPERVISOR_ATTEMPT_H_

#include <cstdint>

#include "supervisor/actor_state.h"
#include "taskvisor/clock.h"

namespace taskvisor::internal {

// A call of a body, as far as it is known.
struct Attempt {
  uint32_t number = 0;
  TimePoint start;
  TimePoint end;
  TimePoint deadline;
  Snapshot last;  // when it settled

  // A stop that came first outweighs a deadline that nobody noticed.
  [[nodiscard]] bool TimedOut() const {
    return last.timed_out() || (end >= deadline && !last.stopped());
  }
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ATTEMPT_H_
