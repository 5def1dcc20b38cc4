// Memory comes back: after ten million tasks the process is as large as after the first
// million.
//
// Two threads keep adding and waiting, in waves: batches and single adds, with and without
// names (short ones, and ones too long for a slot), watched and not, with closures that fit
// in place and that do not; a part retries once. A wave begins when the last one is gone, and
// the first of each tenth finds all workers taken: so the most tasks there are at a time, which
// is what the slots are kept for, is the same in every tenth. All of it is freed by the time
// it is measured. Fails if the resident size after all is more than a tenth above the size after
// the first tenth.
//
// Usage: accept_memory_returns; TASKVISOR_ACCEPT_TASKS.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"

using taskvisor::TaskSpec;

namespace {

constexpr uint64_t kThreads = 2;
constexpr size_t kWorkers = 2;
constexpr uint64_t kWave = 10'000;  // tasks of one thread at a time

TaskSpec SpecOf(uint64_t i) {
  std::string name;
  if (i % 4 == 1) name = "churn/" + std::to_string(i);
  if (i % 40 == 3) name = std::string(100, 'x') + std::to_string(i);
  if (i % 10 == 0) {
    return TaskSpec::Restartable(std::move(name),
                                 [](taskvisor::TaskContext& context) {
                                   return context.attempt() == 1 ? taskvisor::Fail("again")
                                                                 : taskvisor::Ok();
                                 })
        .WithBackoff(taskvisor::BackoffPolicy::Constant(std::chrono::microseconds(100)));
  }
  if (i % 3 == 0) {
    return TaskSpec::Once(std::move(name), [large = std::array<uint64_t, 16>{i}] {
      return large[0] == 0 ? taskvisor::Fatal("never") : taskvisor::Ok();
    });
  }
  return TaskSpec::Once(std::move(name), [] {});
}

// One wave, half of it as a batch; how many did not complete.
uint64_t Wave(const taskvisor::SupervisorHandle& handle, uint64_t first, uint64_t count) {
  std::vector<taskvisor::TaskWaiter> waiters;
  std::vector<TaskSpec> batch;
  uint64_t failed = 0;
  for (uint64_t i = first; i < first + count / 2; ++i) {
    TaskSpec spec = SpecOf(i);
    if (i % 2 == 0) waiters.push_back(spec.Watch());
    batch.push_back(std::move(spec));
  }
  if (!batch.empty() && !handle.AddBatch(std::move(batch)).ok()) return count;
  for (uint64_t i = first + count / 2; i < first + count; ++i) {
    TaskSpec spec = SpecOf(i);
    if (i % 2 == 0) waiters.push_back(spec.Watch());
    failed += !handle.Add(std::move(spec)).ok();
  }
  for (const taskvisor::TaskWaiter& waiter : waiters) {
    const auto outcome = waiter.Wait();
    failed += !outcome.ok() || outcome->kind() != taskvisor::OutcomeKind::kCompleted;
  }
  return failed;
}

// Keeps all workers from other tasks for as long as it lives.
class WorkersTaken {
 public:
  explicit WorkersTaken(const taskvisor::SupervisorHandle& handle) {
    for (size_t i = 0; i < kWorkers; ++i) {
      if (!handle.Add(TaskSpec::Once("", [this] { Hold(); })).ok()) std::abort();
    }
    while (inside_ != kWorkers) std::this_thread::yield();
  }
  ~WorkersTaken() {
    over_ = true;
    while (inside_ != 0) std::this_thread::yield();
  }

 private:
  void Hold() {
    ++inside_;
    while (!over_) std::this_thread::yield();
    --inside_;
  }
  std::atomic<size_t> inside_{0};
  std::atomic<bool> over_{false};
};

// Tasks `first` to `last`; how many failed. None is registered any more.
uint64_t Churn(const taskvisor::SupervisorHandle& handle, uint64_t first, uint64_t last) {
  std::array<uint64_t, kThreads> failed{};
  for (uint64_t begin = first; begin < last; begin += kThreads * kWave) {
    std::optional<WorkersTaken> taken;
    if (begin == first) taken.emplace(handle);
    const uint64_t before = handle.Stats().tasks;
    const uint64_t count = std::min(kWave, (last - begin) / kThreads);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] { failed[t] += Wave(handle, begin + t * count, count); });
    }
    while (taken.has_value() && handle.Stats().tasks != before + kThreads * count) {
      std::this_thread::yield();
    }
    taken.reset();
    for (std::thread& thread : threads) thread.join();
    while (handle.Stats().tasks != 0) std::this_thread::yield();
  }
  return failed[0] + failed[1];
}

}  // namespace

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(argc, argv,
                                        "Memory follows the most tasks that were there at once.");
  const uint64_t tasks = taskvisor::testing::TasksOr(10'000'000);
  auto supervisor = taskvisor::Supervisor::Create({.workers = kWorkers});
  const auto handle = supervisor->Serve();

  const auto start = std::chrono::steady_clock::now();
  uint64_t failed = Churn(handle, 0, tasks / 10);
  const uint64_t first = taskvisor::testing::ResidentBytes();
  uint64_t most = first;
  for (uint64_t tenth = 1; tenth < 10; ++tenth) {
    failed += Churn(handle, tasks / 10 * tenth, tasks / 10 * (tenth + 1));
    most = std::max(most, taskvisor::testing::ResidentBytes());
  }
  const uint64_t last = taskvisor::testing::ResidentBytes();
  const double seconds = taskvisor::testing::SecondsSince(start);
  const bool stopped = handle.Shutdown().ok();

  const double growth = static_cast<double>(last) / static_cast<double>(first);
  const bool good = failed == 0 && stopped && first > 0 && growth <= 1.1;
  constexpr double kMiB = 1024.0 * 1024.0;
  std::printf(
      R"({"check":"memory_returns","good":%s,"tasks":%lu,"failed":%lu,"mib_after_a_tenth":%.2f,)"
      R"("mib_after_all":%.2f,"mib_at_most":%.2f,"growth":%.3f,"ns_per_task":%.0f})"
      "\n",
      taskvisor::testing::Json(good), tasks, failed, static_cast<double>(first) / kMiB,
      static_cast<double>(last) / kMiB, static_cast<double>(most) / kMiB, growth,
      seconds / static_cast<double>(tasks) * 1e9);
  return good ? 0 : 1;
}
