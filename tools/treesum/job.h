#ifndef TASKVISOR_TOOLS_TREESUM_JOB_H_
#define TASKVISOR_TOOLS_TREESUM_JOB_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "taskvisor/task_spec.h"
#include "tools/treesum/hasher.h"
#include "tools/treesum/options.h"
#include "tools/treesum/walker.h"

namespace taskvisor::treesum {

// What a file's attempts leave behind. Its attempts never overlap, and nobody reads it
// before the outcome is known, so it needs no lock.
struct FileRecord {
  FileHash hash;        // of a file that is completed
  std::string failure;  // of the last attempt, in words that are the same for every file
};

// For the progress bar; relaxed, because nothing is concluded from them.
struct Counters {
  std::atomic<uint64_t> files{0};  // done: completed, or failed for good
  std::atomic<uint64_t> bytes{0};
};

// Job
//
// What the bodies share: the files, the rules and the results. Bodies own it together,
// so that one that is stuck may go on touching it after main has given up.
struct Job {
  Job(Tree tree_in, Options options_in)
      : tree(std::move(tree_in)), options(std::move(options_in)), records(tree.files.size()) {}

  const Tree tree;
  const Options options;
  std::vector<FileRecord> records;  // as tree.files
  Counters counters;
};

// The rules, with the defaults that depend on other options filled in.
[[nodiscard]] uint32_t RetriesOf(const Options& options);
[[nodiscard]] std::optional<Duration> TimeoutOf(const Options& options, const File& file);

// The task of file `index`. Named after its path; anonymous if that is too long for a name.
[[nodiscard]] TaskSpec MakeSpec(const std::shared_ptr<Job>& job, size_t index);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_JOB_H_
