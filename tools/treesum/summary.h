#ifndef TASKVISOR_TOOLS_TREESUM_SUMMARY_H_
#define TASKVISOR_TOOLS_TREESUM_SUMMARY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "tools/treesum/run.h"
#include "tools/treesum/walker.h"

namespace taskvisor::treesum {

// What a run came to. files = completed + failed + left_out + stuck.
struct Summary {
  uint64_t files = 0;
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t left_out = 0;  // not begun, or stopped, when the signal came
  uint64_t stuck = 0;     // did not stop within grace
  std::map<std::string, uint64_t> failed_by_reason;
  uint64_t unreadable = 0;     // directories; no files
  uint64_t retried_files = 0;  // had more than one attempt
  uint64_t retries = 0;        // attempts after the first
  uint64_t bytes = 0;          // of completed files
  double wall_seconds = 0;
  double cpu_seconds = 0;
  int signal = 0;
  std::optional<EventCounts> events;
  std::optional<Chaos> chaos;
};

// All but the two times.
[[nodiscard]] Summary Summarize(const Job& job, const RunResult& run);

// User and system time of this process.
[[nodiscard]] double CpuSeconds();

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_SUMMARY_H_
