#ifndef TASKVISOR_TOOLS_EXPORTERS_TEXT_H_
#define TASKVISOR_TOOLS_EXPORTERS_TEXT_H_

#include <string>
#include <string_view>

#include "taskvisor/clock.h"

namespace taskvisor::exporters {

// Whether `bytes` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
[[nodiscard]] bool IsUtf8(std::string_view bytes);

// "\xff\n" -> "ff0a".
[[nodiscard]] std::string Hex(std::string_view bytes);

// Control characters as \n, \r, \t, \xHH; a backslash as \\. Others stay.
[[nodiscard]] std::string OneLine(std::string_view text);

// "2025-01-31T12:00:00.000000001Z".
[[nodiscard]] std::string Rfc3339(WallTime at);

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_TOOLS_EXPORTERS_TEXT_H_
