#ifndef TASKVISOR_TOOLS_TREESUM_REPORT_H_
#define TASKVISOR_TOOLS_TREESUM_REPORT_H_

#include <string>

#include "tools/treesum/summary.h"

namespace taskvisor::treesum {

// For people: a table of several lines.
[[nodiscard]] std::string FormatTable(const Summary& summary);

// For machines: one line of JSON. Every field of Summary under its own name, the
// directories that could not be read, and each file that is not in the manifest with its
// path ("path_hex" too if that is not UTF-8), outcome, reason and attempts. "signal",
// "events" and "chaos" are null if there was none.
[[nodiscard]] std::string FormatJson(const Summary& summary, const Job& job, const RunResult& run,
                                     int exit_code);

// A line of text for each directory that could not be read and each file that this run
// writes itself and therefore leaves aside.
[[nodiscard]] std::string DescribeWalk(const Tree& tree);

// A line of text for each failed or stuck file, and for the first few that were left out.
[[nodiscard]] std::string DescribeLosses(const Job& job, const RunResult& run);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_REPORT_H_
