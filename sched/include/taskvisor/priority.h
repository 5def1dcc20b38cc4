#ifndef TASKVISOR_PRIORITY_H_
#define TASKVISOR_PRIORITY_H_

#include <cstdint>

namespace taskvisor {

// Three classes. Of tasks: see TaskSpec::WithPriority. Of a whole pool beside the other arenas
// of oneTBB in the process: see Placement.
enum class Priority : uint8_t { kHigh, kNormal, kLow };

}  // namespace taskvisor

#endif  // TASKVISOR_PRIORITY_H_
