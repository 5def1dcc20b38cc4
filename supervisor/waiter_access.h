#ifndef TASKVISOR_SUPERVISOR_WAITER_ACCESS_H_
#define TASKVISOR_SUPERVISOR_WAITER_ACCESS_H_

#include "supervisor/outcome_cell.h"
#include "taskvisor/task_outcome.h"

namespace taskvisor::internal {

// The inside of a TaskWaiter, for what waits in another way.
class WaiterAccess {
 public:
  // Null: it waits for nothing.
  static OutcomeCell* CellOf(const TaskWaiter& waiter) { return waiter.cell_.get(); }
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_WAITER_ACCESS_H_
