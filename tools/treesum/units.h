#ifndef TASKVISOR_TOOLS_TREESUM_UNITS_H_
#define TASKVISOR_TOOLS_TREESUM_UNITS_H_

#include <optional>
#include <string>
#include <string_view>

#include "taskvisor/clock.h"

namespace taskvisor::treesum {

// "250ms", "1.5s", "2m", "1h", or a number of seconds. Nothing if it is none of these,
// negative, or above a billion seconds.
[[nodiscard]] std::optional<Duration> ParseDuration(std::string_view text);

// For people: "0:07", "12:34", "1:02:03".
[[nodiscard]] std::string FormatClock(double seconds);
// "512 B", "1.5 KiB", "139.2 MiB".
[[nodiscard]] std::string FormatBytes(double bytes);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_UNITS_H_
