#ifndef TASKVISOR_CANCEL_CAUSE_H_
#define TASKVISOR_CANCEL_CAUSE_H_

#include <cstdint>
#include <string_view>

namespace taskvisor {

// Why something was asked to stop. A stop of the task outranks the timeout of one
// attempt; among stops the first one stays.
enum class CancelCause : uint8_t {
  kNone,          // not cancelled
  kRemoved,       // Remove
  kCancelled,     // Cancel, or CancelScope::Cancel
  kTimeout,       // this attempt's timeout; the task may be tried again
  kShutdown,      // the supervisor is shutting down
  kParentFailed,  // the task this one belongs to has failed
  kReplaced,      // another submission took its slot
  kDeadline,      // the task's deadline: there will be no more attempts
  kChildFailed,   // a child of this attempt, or of this task's parent, has failed: see ChildOptions
};

// "none", "removed", "canceled", "timeout", "shutdown", "parent_failed", "replaced",
// "deadline", "child_failed".
[[nodiscard]] std::string_view Label(CancelCause cause);

}  // namespace taskvisor

#endif  // TASKVISOR_CANCEL_CAUSE_H_
