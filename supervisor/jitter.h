#ifndef TASKVISOR_SUPERVISOR_JITTER_H_
#define TASKVISOR_SUPERVISOR_JITTER_H_

#include <cstdint>
#include <functional>
#include <string_view>

#include "taskvisor/supervisor_config.h"

namespace taskvisor::internal {

// The built-in JitterSource: a pure function of (seed, task, draw), so that delays do
// not depend on how threads interleave and one seed replays a whole run. The mixing
// step is SplitMix64's finalizer.
inline JitterSource SeededJitter(uint64_t seed) {
  return [seed](std::string_view task, uint64_t draw) {
    uint64_t z = seed ^ std::hash<std::string_view>{}(task);
    z += (draw + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return static_cast<double>(z >> 11) * 0x1.0p-53;
  };
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_JITTER_H_
