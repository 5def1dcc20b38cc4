#include "tools/treesum/job.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>

#include "tools/treesum/chaos.h"

namespace taskvisor::treesum {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint32_t kRetries = 3;
// At a probability of 1 three attempts in four fail, and one file in thirteen for good.
constexpr uint32_t kChaosRetries = 8;

// Far more than a file takes, and short enough that hangs do not make a run long.
constexpr Duration kChaosTimeout = milliseconds(100);
constexpr uint64_t kChaosBytesPerSecond = 16 << 20;

BackoffPolicy BackoffOf(const Options& options) {
  if (options.chaos) {
    return BackoffPolicy::Make({.first = milliseconds(5), .max = milliseconds(100)}).value();
  }
  return BackoffPolicy::Make({.first = milliseconds(50), .max = seconds(2)}).value();
}

TaskResult Attempt(Job& job, size_t index, TaskContext& context) {
  const File& file = job.tree.files[index];
  Duration pause = Duration::zero();
  if (job.options.chaos) {
    const Fault fault = job.options.chaos->Decide(file.path, context.attempt());
    if (std::optional<TaskResult> ended = Strike(fault, context)) return *std::move(ended);
    if (fault == Fault::kSlow) pause = Chaos::kPause;
  }
  return HashFile(context, file, job.records[index].hash, job.counters.bytes, pause);
}

std::string FailureOf(const TaskContext& context, const TaskResult& result) {
  if (context.Cause() == CancelCause::kTimeout) return "timed out";
  return result.ok() ? std::string() : result.error().reason;
}

TaskResult Body(Job& job, size_t index, TaskContext& context) {
  FileRecord& record = job.records[index];
  bool last = context.attempt() > RetriesOf(job.options);
  TaskResult result;
  try {
    result = Attempt(job, index, context);
    record.failure = FailureOf(context, result);
    last = last || result.ok() || !result.error().IsRetryable();
  } catch (const std::exception& error) {
    record.failure = std::string("exception: ") + error.what();
    if (last) job.counters.files.fetch_add(1, std::memory_order_relaxed);
    throw;  // it is the supervisor's business what becomes of an exception
  }
  // relaxed: see Counters.
  if (last) job.counters.files.fetch_add(1, std::memory_order_relaxed);
  return result;
}

}  // namespace

uint32_t RetriesOf(const Options& options) {
  return options.retries.value_or(options.chaos ? kChaosRetries : kRetries);
}

std::optional<Duration> TimeoutOf(const Options& options, const File& file) {
  if (options.timeout) return *options.timeout;
  if (!options.chaos) return std::nullopt;
  // A sparse file may claim to be larger than any duration can say.
  const uint64_t size = std::min(file.size, uint64_t{1} << 50);
  return kChaosTimeout + milliseconds(size / (kChaosBytesPerSecond / 1000));
}

TaskSpec MakeSpec(const std::shared_ptr<Job>& job, size_t index) {
  const File& file = job->tree.files[index];
  const uint32_t retries = RetriesOf(job->options);
  std::string name = file.path.size() <= kMaxNameLength ? file.path : std::string();
  TaskSpec spec = TaskSpec::Restartable(std::move(name), [job, index](TaskContext& context) {
                    return Body(*job, index, context);
                  }).WithBackoff(BackoffOf(job->options));
  if (const std::optional<Duration> timeout = TimeoutOf(job->options, file)) {
    spec = std::move(spec).WithTimeout(*timeout);
  }
  if (retries == 0) return std::move(spec).WithRestart(RestartPolicy::Never());
  return std::move(spec).WithMaxRetries(retries);
}

}  // namespace taskvisor::treesum
