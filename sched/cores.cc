// The core types of oneTBB are a preview. The macro gives `constraints` two more members; no
// inline function of TBB that takes one is used with it, or two versions of that would be linked.
#define TBB_PREVIEW_TASK_ARENA_CONSTRAINTS_EXTENSION 1

#include "sched/cores.h"

#include <oneapi/tbb/info.h>
#include <sched.h>

#include <algorithm>

#include "sched/cpu_quota.h"

namespace taskvisor::internal {
namespace {

// -1 stands alone where nothing is known.
std::vector<int> Known(std::vector<int> ids) {
  std::erase(ids, -1);
  return ids;
}

// More than 1024 cores do not fit, and are not counted.
size_t CoresOfThisThread(size_t otherwise) {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return otherwise;
  return static_cast<size_t>(CPU_COUNT(&mask));
}

size_t CoresOf(const Placement& placement) {
  if (!placement.constrained()) {
    return static_cast<size_t>(oneapi::tbb::info::default_concurrency());
  }
  oneapi::tbb::detail::d1::constraints constraints;
  constraints.numa_id = placement.numa_node.value_or(-1);
  constraints.core_type = placement.core_type.value_or(-1);
  constraints.max_threads_per_core = placement.max_threads_per_core.value_or(-1);
  return static_cast<size_t>(oneapi::tbb::detail::r1::constraints_default_concurrency(constraints));
}

}  // namespace

std::vector<int> NumaNodes() { return Known(oneapi::tbb::info::numa_nodes()); }
std::vector<int> CoreTypes() { return Known(oneapi::tbb::info::core_types()); }

size_t UsableCores(const Placement& placement) {
  const size_t cores = CoresOf(placement);
  const size_t least = std::min({cores, CoresOfThisThread(cores), CoresByQuota().value_or(cores)});
  return std::max<size_t>(least, 1);
}

}  // namespace taskvisor::internal
