#ifndef TASKVISOR_TOOLS_TREESUM_PROGRESS_H_
#define TASKVISOR_TOOLS_TREESUM_PROGRESS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "tools/treesum/job.h"

namespace taskvisor::treesum {

struct ProgressState {
  uint64_t files = 0;
  uint64_t total_files = 0;
  uint64_t bytes = 0;
  uint64_t total_bytes = 0;
  double seconds = 0;
};

// "[#####.....]  50%  10/20 files  1.0 MiB  2.0 MiB/s  ETA 0:07", cut to `width`.
[[nodiscard]] std::string ProgressLine(const ProgressState& state, size_t width);

// Draws the bar on stderr ten times a second, on a thread of its own, from its making to
// its end; then wipes it. The thread takes no signals: they are the supervisor's.
class Progress {
 public:
  explicit Progress(const Job& job);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  std::jthread thread_;
};

// Whether `mode` asks for a bar on this stderr.
[[nodiscard]] bool WantsProgress(ProgressMode mode);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_PROGRESS_H_
