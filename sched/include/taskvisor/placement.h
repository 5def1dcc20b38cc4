#ifndef TASKVISOR_PLACEMENT_H_
#define TASKVISOR_PLACEMENT_H_

#include <optional>

#include "taskvisor/priority.h"

namespace taskvisor {

// Placement
//
// Where a supervisor's workers run, and the parallel loops inside of bodies: oneTBB's
// `task_arena::constraints` and `task_arena::priority`. Nothing is constrained unless it is stated.
//
// The three constraints need oneTBB's tbbbind library, which finds its way by hwloc (Debian:
// libtbbbind-2-5; libtbb12 recommends it). What is stated and cannot be had is refused: by
// Supervisor::Create, with the field and the values that it may have.
//
// Example:
//   Supervisor::Create({.placement = {.numa_node = oneapi::tbb::info::numa_nodes().front()}});
struct Placement {
  // When the loops of several arenas of the process want more threads than oneTBB has, those of a
  // higher priority get them first. Bodies themselves run on threads of the supervisor's own.
  // Between the tasks of one supervisor: TaskSpec::WithPriority.
  Priority priority = Priority::kNormal;

  // One of oneapi::tbb::info::numa_nodes(): the workers stay on its cores.
  std::optional<int> numa_node = std::nullopt;

  // One of oneapi::tbb::info::core_types(), which go from the slowest to the fastest.
  std::optional<int> core_type = std::nullopt;

  // Workers on one core at most, whatever hardware threads it has. >= 1.
  std::optional<int> max_threads_per_core = std::nullopt;

  [[nodiscard]] constexpr bool constrained() const {
    return numa_node.has_value() || core_type.has_value() || max_threads_per_core.has_value();
  }
};

}  // namespace taskvisor

#endif  // TASKVISOR_PLACEMENT_H_
