#include "tools/treesum/run.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <thread>
#include <utility>

#include "taskvisor/exporters/json_lines.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::treesum {
namespace {

// A hang or a slow read holds a thread but no CPU.
constexpr size_t kChaosConcurrency = 16;

// A batch publishes two events a file at once, faster than any writer; six or so in all. At
// 640 bytes each the queues take 250 MB at most. What does not fit is counted and reported.
constexpr size_t kMostQueued = size_t{1} << 18;
constexpr size_t kMostInBus = size_t{1} << 17;

// From here on a file is begun early, lest it is begun last and waited for alone.
constexpr uint64_t kLarge = 1 << 20;

SupervisorConfig ConfigFor(const Job& job) {
  SupervisorConfig config;
  const Options& options = job.options;
  config.grace = options.grace;
  config.max_concurrent = options.max_concurrent;
  if (!config.max_concurrent && options.chaos) config.max_concurrent = kChaosConcurrency;
  // A worker per file that is read at once, and never fewer than CPUs.
  const size_t cpus = std::max(1u, std::thread::hardware_concurrency());
  if (config.max_concurrent.value_or(0) > cpus) config.workers = *config.max_concurrent;
  config.max_tasks = std::max<size_t>(1, job.tree.files.size());
  if (options.chaos) config.jitter_seed = options.chaos->seed();
  return config;
}

std::shared_ptr<exporters::JsonLines> WriteEvents(std::FILE* file, size_t files,
                                                  SupervisorConfig& config) {
  const size_t most = std::bit_ceil(8 * files + 1024);
  auto writer = std::make_shared<exporters::JsonLines>(file, std::min(most, kMostQueued));
  config.bus_capacity = std::min(most / 2, kMostInBus);
  config.subscriber_drain = std::chrono::seconds(10);
  config.subscribers.push_back(writer);
  return writer;
}

// Large files first, the largest before all; the others as they stand in the tree.
std::vector<size_t> OrderOf(const std::vector<File>& files) {
  std::vector<size_t> order(files.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto weight = [&](size_t i) { return files[i].size < kLarge ? 0 : files[i].size; };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return weight(a) > weight(b); });
  return order;
}

FileOutcome Judge(const absl::StatusOr<TaskOutcome>& outcome, const FileRecord& record) {
  // Refused with its batch: left out, and RunResult::trouble says why.
  if (!outcome.ok()) return {};
  FileOutcome file{outcome->kind(), std::string(outcome->reason()), outcome->attempts()};
  const bool failed = file.kind == OutcomeKind::kFailed || file.kind == OutcomeKind::kFatal;
  // Not while a body is stuck: the record is still its own.
  if (failed && !record.failure.empty()) file.reason = record.failure;
  return file;
}

EventCounts Count(const SupervisorHandle& handle, const exporters::JsonLines& writer) {
  EventCounts counts;
  counts.lost = handle.Stats().events_lost;
  for (const SubscriberStats& stats : handle.SubscriberStats()) {
    if (stats.name != writer.Name()) continue;
    counts.written = stats.delivered;
    counts.lost += stats.dropped;
  }
  return counts;
}

}  // namespace

RunResult RunJob(const std::shared_ptr<Job>& job, std::FILE* events) {
  const std::vector<File>& files = job->tree.files;
  RunResult result;
  result.files.resize(files.size());
  SupervisorConfig config = ConfigFor(*job);
  std::shared_ptr<exporters::JsonLines> writer;
  if (events != nullptr) {
    writer = WriteEvents(events, files.size(), config);
    result.events.emplace();
  }
  if (files.empty()) return result;

  auto supervisor = Supervisor::Create(std::move(config));
  if (!supervisor.ok()) return result.trouble = supervisor.status(), result;

  // Outcomes come through the waiters: events may be lost, they cannot.
  std::vector<TaskSpec> batch;
  std::vector<TaskWaiter> waiters(files.size());
  batch.reserve(files.size());
  for (const size_t i : OrderOf(files)) {
    batch.push_back(MakeSpec(job, i));
    waiters[i] = batch.back().Watch();
  }
  const absl::Status ended = supervisor->Run(std::move(batch));
  if (!ended.ok() && !GraceExceeded::From(ended)) result.trouble = ended;

  for (size_t i = 0; i < files.size(); ++i) {
    result.files[i] = Judge(waiters[i].Wait(), job->records[i]);
  }
  const std::optional<ShutdownTrigger> trigger = supervisor->shutdown_trigger();
  if (trigger && trigger->kind == ShutdownTrigger::Kind::kSignal) result.signal = trigger->signal;
  if (writer != nullptr) {
    writer->Flush();
    result.events = Count(supervisor->Serve(), *writer);
    result.events_error = writer->error();
  }
  return result;
}

}  // namespace taskvisor::treesum
