#ifndef TASKVISOR_WAKE_NODE_H_
#define TASKVISOR_WAKE_NODE_H_

namespace taskvisor::internal {

// WakeNode
//
// Who is to be told of something that happens once; on the waiter's stack or in its frame.
struct WakeNode {
  // Some lines of ours, which wait for nobody. As long as it has not returned, who takes the node
  // out of its list waits.
  using Wake = void (*)(WakeNode& node);
  explicit WakeNode(Wake on_wake) : wake(on_wake) {}
  WakeNode(const WakeNode&) = delete;
  WakeNode& operator=(const WakeNode&) = delete;

  const Wake wake;
  // The list's: see WakeList.
  WakeNode* previous = nullptr;
  WakeNode* next = nullptr;
  bool linked = false;
  bool told = true;  // nobody is in `wake`, or will be
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_WAKE_NODE_H_
