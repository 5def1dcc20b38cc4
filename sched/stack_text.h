#ifndef TASKVISOR_SCHED_STACK_TEXT_H_
#define TASKVISOR_SCHED_STACK_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "sched/stack_capture.h"

namespace taskvisor::internal {

inline constexpr size_t kMaxStackText = 4096;  // bytes

// A stack for people: a line for each frame, innermost first, each "Function()" (without
// template arguments and parameters), or "library.so+0x1f" where the library keeps no name
// for it. Ends before the first frame whose line begins with `end_before`: what called from
// there on is known. At most kMaxStackText bytes, whole lines.
//
// No stack: "(no stack: ...)" with the reason.
//
// Names are looked up by Abseil in the files that are mapped. Reads files, takes memory,
// may take milliseconds: not for signal handlers. Takes no lock of the loader: the thread
// whose stack it is may hold it.
[[nodiscard]] std::string ToText(const CapturedStack& stack, std::string_view end_before);

// The same in one line of at most `most` bytes, "inner() < outer() < ...", as many whole
// frames as fit. Each is cut at 60 bytes.
[[nodiscard]] std::string ToOneLine(std::string_view stack_text, size_t most);

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_STACK_TEXT_H_
