#ifndef TASKVISOR_SCHED_CORES_H_
#define TASKVISOR_SCHED_CORES_H_

#include <cstddef>
#include <vector>

#include "taskvisor/placement.h"

namespace taskvisor::internal {

// What oneTBB knows of this machine's cores. Without its tbbbind library both are empty.
[[nodiscard]] std::vector<int> NumaNodes();
[[nodiscard]] std::vector<int> CoreTypes();

// How many workers do not get into each other's way: the least of
//   - the cores that oneTBB sees, which are those of the process's affinity mask when it was
//     first used,
//   - those of this thread's mask now: the workers inherit it,
//   - those that `placement` leaves,
//   - what a CPU quota pays for (cpu_quota.h);
// at least 1. REQUIRES: what `placement` states is in the lists above; oneTBB aborts otherwise.
[[nodiscard]] size_t UsableCores(const Placement& placement);

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CORES_H_
