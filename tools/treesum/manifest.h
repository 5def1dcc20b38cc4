#ifndef TASKVISOR_TOOLS_TREESUM_MANIFEST_H_
#define TASKVISOR_TOOLS_TREESUM_MANIFEST_H_

#include <string>
#include <string_view>

#include "tools/treesum/digest.h"

namespace taskvisor::treesum {

// The line of `sha256sum` (GNU coreutils 9.1, text mode) with its newline: digest, two
// spaces, path. A path with a backslash, newline or carriage return has them written as \\,
// \n and \r, and its line begins with a backslash; all other bytes stand as they are.
[[nodiscard]] std::string ManifestLine(const Digest& digest, std::string_view path);

// A path for a message on a terminal: in single quotes, with control characters, and in a name
// that is not UTF-8 all but ASCII, as \ooo, so that no name can pass for more than a name.
[[nodiscard]] std::string Quoted(std::string_view path);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_MANIFEST_H_
