#ifndef TASKVISOR_SUPERVISOR_BODY_STACK_H_
#define TASKVISOR_SUPERVISOR_BODY_STACK_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "taskvisor/clock.h"

namespace taskvisor::internal {

// The stacks of bodies on these threads, as text, in the same order: see ToText. Each ends
// with the body: what called it is the library's. Waits for the threads, `limit` in all.
[[nodiscard]] std::vector<std::string> BodyStacks(std::span<const int32_t> threads, Duration limit);

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_BODY_STACK_H_
