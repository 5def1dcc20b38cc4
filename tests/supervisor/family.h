#ifndef TASKVISOR_TESTS_SUPERVISOR_FAMILY_H_
#define TASKVISOR_TESTS_SUPERVISOR_FAMILY_H_

#include <utility>

#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {

inline constexpr ChildOptions kWithSiblings{.on_failure = OnChildFailure::kCancelSiblings};

// A child that must be accepted.
inline WatchedTask Spawned(const TaskContext& context, TaskSpec spec, ChildOptions options = {}) {
  auto child = context.Spawn(std::move(spec), options);
  EXPECT_TRUE(child.ok()) << child.status();
  return child.ok() ? *std::move(child) : WatchedTask{};
}

// The sequence of the n-th event of this kind about this task.
inline uint64_t SequenceOf(const Served& served, EventKind kind, const WatchedTask& task,
                           size_t n = 1) {
  return served.Await(kind, task, n).sequence;
}

// A body that is over, and its task suspended for its children.
inline void AwaitJoining(const Served& served, const WatchedTask& task) {
  EXPECT_TRUE(Eventually([&] { return served.PhaseOf(task) == TaskPhase::kSuspended; }));
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPERVISOR_FAMILY_H_
