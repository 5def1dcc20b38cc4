#ifndef TASKVISOR_TOOLS_TREESUM_HASHER_H_
#define TASKVISOR_TOOLS_TREESUM_HASHER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "taskvisor/task_context.h"
#include "taskvisor/task_result.h"
#include "tools/treesum/digest.h"
#include "tools/treesum/walker.h"

namespace taskvisor::treesum {

// Between two looks at the cancellation: a fraction of a millisecond.
inline constexpr size_t kChunk = size_t{256} * 1024;

struct FileHash {
  Digest digest{};
  uint64_t bytes = 0;
};

// HashFile
//
// One attempt at one file. Sets `hash` if it succeeds, and only then. Adds what it has read
// to `bytes_read` as it goes, and takes it back if it fails.
//
//   Ok          the file was the same (size, time of change) before and after
//   Fail        it was not, or an error that may pass
//   Fatal       any other error, or no regular file any more
//   Cancelled   asked to stop; TimedOut if by this attempt's timeout
//
// `pause`, before each chunk, makes a slow device.
[[nodiscard]] TaskResult HashFile(TaskContext& context, const File& file, FileHash& hash,
                                  std::atomic<uint64_t>& bytes_read,
                                  Duration pause = Duration::zero());

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_HASHER_H_
