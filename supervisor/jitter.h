#ifndef TASKVISOR_SUPERVISOR_JITTER_H_
#define TASKVISOR_SUPERVISOR_JITTER_H_

#include <cstdint>
#include <functional>
#include <string_view>

#include "sched/split_mix.h"
#include "taskvisor/supervisor_config.h"

namespace taskvisor::internal {

// The built-in JitterSource: a pure function of (seed, task, draw), so that delays do
// not depend on how threads interleave and one seed replays a whole run.
inline JitterSource SeededJitter(uint64_t seed) {
  return [seed](std::string_view task, uint64_t draw) {
    const uint64_t bits = SplitMix::At(seed ^ std::hash<std::string_view>{}(task), draw);
    return static_cast<double>(bits >> 11) * 0x1.0p-53;
  };
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_JITTER_H_
