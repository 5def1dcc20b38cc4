#ifndef TASKVISOR_SCHED_CPU_QUOTA_H_
#define TASKVISOR_SCHED_CPU_QUOTA_H_

#include <cstddef>
#include <optional>
#include <string>

namespace taskvisor::internal {

// How many cores the control groups of this process pay for: the CPU quota, divided by its
// period and rounded up, so at least 1; the least of the process's own group and of all groups
// above it. None: no limit, or none that can be read.
//
//   version 2   /proc/self/cgroup: "0::<path>"; cpu.max: "50000 100000", or "max 100000"
//   version 1   "<n>:cpu[,...]:<path>"; cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us
//
// Looked for where they are mounted by convention, below /sys/fs/cgroup. In a container whose
// path is that of the host, which it does not see, the root of the mount is its own group.
// oneTBB, as of 2021.8, knows affinity masks and no quotas: twice as many workers as there is
// time for are stopped by the kernel half of the time, in the middle of what they hold.
//
// `root` is put in front of all paths: for tests.
[[nodiscard]] std::optional<size_t> CoresByQuota(const std::string& root = "");

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CPU_QUOTA_H_
