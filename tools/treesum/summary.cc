#include "tools/treesum/summary.h"

#include <sys/resource.h>

#include <cstddef>

namespace taskvisor::treesum {
namespace {

void Add(Summary& summary, const FileOutcome& file, const FileRecord& record) {
  if (file.attempts > 1) {
    ++summary.retried_files;
    summary.retries += file.attempts - 1;
  }
  switch (file.kind) {
    case OutcomeKind::kCompleted:
      ++summary.completed;
      summary.bytes += record.hash.bytes;
      break;
    case OutcomeKind::kCancelled:
      ++summary.left_out;
      break;
    case OutcomeKind::kStuck:
      ++summary.stuck;
      break;
    case OutcomeKind::kFailed:
    case OutcomeKind::kFatal:
    case OutcomeKind::kPanicked:
    case OutcomeKind::kRejected:
      ++summary.failed;
      ++summary.failed_by_reason[file.reason];
      break;
  }
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

Summary Summarize(const Job& job, const RunResult& run) {
  Summary summary;
  summary.files = job.tree.files.size();
  summary.unreadable = job.tree.unreadable.size();
  summary.signal = run.signal;
  summary.events = run.events;
  summary.chaos = job.options.chaos;
  for (size_t i = 0; i < run.files.size(); ++i) Add(summary, run.files[i], job.records[i]);
  return summary;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

}  // namespace taskvisor::treesum
