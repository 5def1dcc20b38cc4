#ifndef TASKVISOR_TESTS_SUPPORT_ALLOCATIONS_H_
#define TASKVISOR_TESTS_SUPPORT_ALLOCATIONS_H_

#include <cstdint>

namespace taskvisor::testing {

// How often this thread has called operator new so far. For binaries that have
// allocations.cc among their sources.
[[nodiscard]] uint64_t AllocationsOfThisThread();

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_ALLOCATIONS_H_
