#ifndef TASKVISOR_SUPERVISOR_CHILD_GROUP_H_
#define TASKVISOR_SUPERVISOR_CHILD_GROUP_H_

#include <cstdint>

#include "sched/atomic.h"
#include "supervisor/wake_list.h"
#include "taskvisor/child_options.h"
#include "taskvisor/task_id.h"
#include "taskvisor/wake_node.h"

namespace taskvisor::internal {

class Children;

// Child
//
// What ties a task to the attempt that has spawned it; in its OwnRules, as few tasks have it. Of
// the owner of the task's phase, but for the links, which are the list's, and the parent, which
// List reads too.
struct Child : WakeNode {
  Child() : WakeNode(nullptr) {}

  [[nodiscard]] TaskId Parent() const {
    // acquire: pairs with the release in SetParent
    return {parent.load(std::memory_order_acquire), parent_slot.load(std::memory_order_acquire)};
  }
  void SetParent(TaskId its) {
    parent_slot.store(its.slot(), std::memory_order_release);
    parent.store(its.value(), std::memory_order_release);
  }

  Children* of = nullptr;  // null: nobody's
  TaskId id;               // its own, once it is enlisted; else not valid()
  OnChildFailure on_failure = OnChildFailure::kIgnore;
  uint32_t depth = 0;  // generations above it
  Atomic<uint64_t> parent{0};
  Atomic<uint32_t> parent_slot{0};
};

// ChildGroup
//
// The children of one attempt: how many there are, whether its body is over, and whom to ask to
// stop. Two words; the rest is Children's.
//
//            Enter                Join, some are left                  Leave of the last
//   open, n ───────▶ open, n + 1 ─────────────────────▶ joining, n ──────────────────────▶ over
//      ▲      Leave      │                                                (wakes the attempt)
//      └─────────────────┘ Join, none is left ──────────────────────────────────────────▶ over
//
// Word:  | children : 63 | joining : 1 |
//
// C1: a child is counted before its task can be seen, and until its slot is given back.
// C2: whoever leaves as the last of a group that joins wakes the attempt, once; and touches
//     nothing of the group after that count, because the attempt may end, and the group with it.
// C3: a stop ends the list and takes all who are in it; who comes later is refused, and is to be
//     asked to stop by whoever brought it. So no child escapes: the list's lock orders the two.
//     A child is asked by its id, after it was taken out, so it may have ended: that is refused.
//
// Memory order: what a child did before Leave is visible to the worker whose Join finds none left.
// The count is changed by read-modify-writes only, so all of them are one release sequence.
//
// Progress: the word is lock-free. The list has a lock bit (wake_list.h): a thread that is stopped
// in the few instructions under it holds up this attempt's children at their ends, and who stops
// it.
class ChildGroup {
 public:
  // The body is about to have a child more. False: it is over. REQUIRES: Leave.
  [[nodiscard]] bool Enter() {
    return UpdateIf(
               word_, [](uint64_t w) { return (w & kJoining) == 0; },
               [](uint64_t w) { return w + kOne; })
        .done;
  }
  // A child has gone, or has not come. True: the caller wakes the attempt (C2).
  [[nodiscard]] bool Leave() {
    return word_.fetch_sub(kOne, std::memory_order_acq_rel) == (kOne | kJoining);
  }
  // The attempt's worker, whose body is over; again whenever it was roused. True: no child is left.
  // Else it suspends, in a step that is refused if it was woken since.
  [[nodiscard]] bool Join() {
    return (word_.fetch_or(kJoining, std::memory_order_acq_rel) & ~kJoining) == 0;
  }
  [[nodiscard]] bool joining() const {
    return (word_.load(std::memory_order_acquire) & kJoining) != 0;
  }

  // Before the child's task is committed. False: all were asked to stop, so it must be.
  [[nodiscard]] bool Enlist(Child& child) { return WakeList(list_).Add(child); }
  void Delist(Child& child) { WakeList(list_).Remove(child); }

  // Calls stop(TaskId) for each that is in the list, in no order. Once, or more often: then for
  // none.
  template <class Stop>
  void StopAll(Stop stop) {
    TaskId id;
    const auto take = [&id](WakeNode& node) { id = static_cast<Child&>(node).id; };
    while (WakeList(list_).TakeOne(take)) stop(id);
  }

 private:
  static constexpr uint64_t kJoining = 1;
  static constexpr uint64_t kOne = 2;

  Atomic<uint64_t> word_{0};
  Atomic<uint64_t> list_{0};  // a WakeList
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_CHILD_GROUP_H_
