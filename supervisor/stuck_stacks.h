#ifndef TASKVISOR_SUPERVISOR_STUCK_STACKS_H_
#define TASKVISOR_SUPERVISOR_STUCK_STACKS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "supervisor/actor_state.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_id.h"

namespace taskvisor::internal {

class Entry;
class Registry;

// StuckStacks
//
// Where the bodies that a shutdown has met still running are, at one moment: all are asked at
// once, so the bound is for all of them. A stack is for the attempt that ran then, which
// whoever uses it checks by the epoch (Registry::Abandon).
class StuckStacks {
 public:
  StuckStacks(const Registry& registry, Duration limit);

  // "(no stack: ...)" if it did not run then.
  [[nodiscard]] std::string Of(const Entry& entry, Snapshot seen) const;
  [[nodiscard]] std::string Of(TaskId id) const;

 private:
  struct Body {
    TaskId id;
    uint64_t epoch;
  };
  template <class Match>
  [[nodiscard]] std::string Find(Match match) const;

  std::vector<Body> bodies_;
  std::vector<std::string> stacks_;  // in the order of bodies_
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_STUCK_STACKS_H_
