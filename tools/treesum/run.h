#ifndef TASKVISOR_TOOLS_TREESUM_RUN_H_
#define TASKVISOR_TOOLS_TREESUM_RUN_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "taskvisor/task_outcome.h"
#include "tools/treesum/job.h"

namespace taskvisor::treesum {

// How one file ended.
struct FileOutcome {
  OutcomeKind kind = OutcomeKind::kCancelled;
  std::string reason;     // failed ones
  uint32_t attempts = 0;  // begun
};

struct EventCounts {
  uint64_t written = 0;
  uint64_t lost = 0;  // in the bus or before the writer
};

struct RunResult {
  std::vector<FileOutcome> files;  // as Job::tree.files
  int signal = 0;                  // that ended the run; 0: it ended by itself
  absl::Status trouble;            // of the supervisor itself, stuck tasks apart
  std::optional<EventCounts> events;
  int events_error = 0;  // an errno, if they could not be written
};

// Hashes all files of the job under a supervisor, until all are done or SIGINT, SIGTERM or
// SIGQUIT arrives. Results are in the job's records. `events`: where to write every
// lifecycle event as JSON lines; may be null.
[[nodiscard]] RunResult RunJob(const std::shared_ptr<Job>& job, std::FILE* events);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_RUN_H_
