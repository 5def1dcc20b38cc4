#ifndef TASKVISOR_SUPERVISOR_SEVERAL_H_
#define TASKVISOR_SUPERVISOR_SEVERAL_H_

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "supervisor/outcome_cell.h"
#include "supervisor/waiter_access.h"
#include "taskvisor/task_outcome.h"
#include "taskvisor/wake_node.h"

// Several outcomes that are waited for at once: what WhenAny and FirstOf share.
namespace taskvisor::internal {

using Several = std::span<const TaskWaiter* const>;

[[nodiscard]] inline std::vector<const TaskWaiter*> Each(std::span<const TaskWaiter> waiters) {
  std::vector<const TaskWaiter*> each;
  each.reserve(waiters.size());
  for (const TaskWaiter& waiter : waiters) each.push_back(&waiter);
  return each;
}

// There are some, and each waits for a task.
[[nodiscard]] absl::Status CheckSeveral(Several waiters);

// The index of the first whose outcome is there; size(): none.
[[nodiscard]] inline size_t FirstReady(Several waiters) {
  size_t i = 0;
  while (i < waiters.size() && !waiters[i]->Ready()) ++i;
  return i;
}

// While it lives, each outcome of `waiters` that comes calls tell(told). It is made before the last
// look at them. REQUIRES: CheckSeveral.
template <class Told>
class WatchSeveral {
 public:
  using Tell = void (*)(Told& told);

  WatchSeveral(Several waiters, Told& told, Tell tell) : told_(told), tell_(tell) {
    for (const TaskWaiter* waiter : waiters)
      nodes_.emplace_back(*WaiterAccess::CellOf(*waiter), *this);
  }
  WatchSeveral(const WatchSeveral&) = delete;
  WatchSeveral& operator=(const WatchSeveral&) = delete;

 private:
  struct Node : WakeNode {
    Node(OutcomeCell& the_cell, WatchSeveral& of)
        : WakeNode([](WakeNode& node) {
            const WatchSeveral& several = static_cast<Node&>(node).all;
            several.tell_(several.told_);
          }),
          cell(the_cell),
          all(of) {
      static_cast<void>(cell.Watch(*this));
    }
    ~Node() { cell.Unwatch(*this); }

    OutcomeCell& cell;
    WatchSeveral& all;
  };

  Told& told_;
  const Tell tell_;
  std::deque<Node> nodes_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_SEVERAL_H_
