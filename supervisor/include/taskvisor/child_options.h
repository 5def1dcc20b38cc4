#ifndef TASKVISOR_CHILD_OPTIONS_H_
#define TASKVISOR_CHILD_OPTIONS_H_

#include <cstdint>

namespace taskvisor {

// What the failure of a child does beyond the child. It has failed if its outcome is Failed,
// Fatal, Stuck or Panicked: when its own retries are over, not with each attempt. One that was
// cancelled has not failed.
enum class OnChildFailure : uint8_t {
  // Nothing; its waiter and its events tell.
  kIgnore,
  // The attempt that has spawned it is cancelled (CancelCause::kChildFailed), if nothing else has
  // cancelled it before: its other children are asked to stop, and so is the body, if it still
  // runs. When all have ended, the attempt has failed with "child <name> failed: <reason>", unless
  // the body has a failure of its own to tell: retryable, so the restart policy decides.
  kCancelSiblings,
};

// See TaskContext::Spawn.
struct ChildOptions {
  OnChildFailure on_failure = OnChildFailure::kIgnore;
};

}  // namespace taskvisor

#endif  // TASKVISOR_CHILD_OPTIONS_H_
