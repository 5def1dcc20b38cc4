// Promises about resources, on real time, with their figures as one JSON line each:
//   workers   a supervisor that is told nothing has as many workers as the affinity mask of this
//             process and its CPU quota leave
//   priority  behind 10,000 low tasks, each a grain of some 20 us, a high one is added 100 times
//             while they run: the worker that begins it has begun at most 3 low ones since, each
//             time; no other has begun more either, 90 times. (One that has taken it may be
//             off its core for a while.) Each of the low ones runs; and while high ones never end,
//             at least 1 low one begins for 16 others. With one worker, and with two
//   times     of attempts that spin, sleep, fail, are retried, wait for a worker or for a permit,
//             and run past their timeouts:
//               ready to end   = queue wait + run time            \.
//               run time       = timeout + overrun, if it passed   > within 1 ms, each attempt
//               CPU time      <= run time                         /
//               CPU time       = what the body's thread measures itself, within 1 ms
//             "Ready" is the stamp of TaskAdded, or of the backoff and its delay; "end" that of
//             the end event. By the test's own clock, which knows nothing of stamps: the
//             queue wait is not longer than from before Add to the body, the run time not
//             shorter than the body, both together not longer than from before Add to the
//             outcome, and not shorter than from after Add to the body's end
// Exit code: 0 all hold, 1 otherwise.

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "sched/cpu_quota.h"
#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"
#include "tests/accept/resource_times.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

bool Workers() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof(mask), &mask);
  const auto cores = static_cast<size_t>(CPU_COUNT(&mask));
  const std::optional<size_t> quota = internal::CoresByQuota();
  auto supervisor = Supervisor::Create({});
  const SupervisorHandle handle = supervisor->Serve();
  const size_t workers = handle.Stats().workers;
  const bool good = handle.Shutdown().ok() && workers == std::min(cores, quota.value_or(cores));
  std::printf(R"({"check":"workers","good":%s,"workers":%zu,"mask":%zu,"quota":%zu})"
              "\n",
              Json(good), workers, cores, quota.value_or(0));
  return good;
}

// Of one worker: which it is by the order in which workers were first seen.
struct alignas(64) PerWorker {
  std::atomic<int64_t> low{0};
};
std::atomic<size_t> next_worker{0};
thread_local const size_t worker = next_worker.fetch_add(1);

// How often low ones, and all others, began, on whatever thread of the pool.
struct Begun {
  std::array<PerWorker, 64> by_worker;
  std::atomic<int64_t> low{0};
  std::atomic<int64_t> other{0};

  // How many there are by then.
  int64_t Low() {
    by_worker[worker % by_worker.size()].low.fetch_add(1);
    return low.fetch_add(1) + 1;
  }
  [[nodiscard]] std::array<int64_t, 64> Snapshot() const {
    std::array<int64_t, 64> seen{};
    for (size_t i = 0; i < seen.size(); ++i) seen[i] = by_worker[i].low.load();
    return seen;
  }
};

// The most low ones that one worker began between two looks.
int64_t MostBetween(const std::array<int64_t, 64>& before, const std::array<int64_t, 64>& after) {
  int64_t most = 0;
  for (size_t i = 0; i < before.size(); ++i) most = std::max(most, after[i] - before[i]);
  return most;
}

constexpr int64_t kGrains = 3;

// A high task, added by a low body: nothing can come between its worker's look and the add.
struct High {
  std::array<int64_t, 64> at_add{};
  std::array<int64_t, 64> at_start{};
  Steady::time_point added;
  Steady::time_point started;
  bool behind = false;  // enough low ones were still queued
  size_t runner = 0;    // the worker that began it
  bool ran = false;
};

struct Urgent {
  int64_t worst = 0;    // low ones of its own worker, before the high one
  int within = 0;       // high ones before which no worker at all began more than 3
  double worst_us = 0;  // from before Add to its start
  int behind = 0;
  bool all_ran = false;
};

Urgent BehindLowOnes(const SupervisorHandle& handle) {
  constexpr int64_t kLow = 10'000;
  constexpr int64_t kHigh = 100;
  Begun begun;
  std::vector<High> highs(kHigh);
  const auto add = [&](High& high) {
    high.behind = begun.low + 100 < kLow;
    high.added = Steady::now();
    static_cast<void>(handle.TryAdd(TaskSpec::Once([&begun, &high] {
                                      high.at_start = begun.Snapshot();
                                      high.started = Steady::now();
                                      high.runner = worker % high.at_start.size();
                                      high.ran = true;
                                    }).WithPriority(Priority::kHigh)));
    high.at_add = begun.Snapshot();
  };
  std::vector<TaskSpec> batch;
  for (int64_t i = 0; i < kLow; ++i) {
    batch.push_back(TaskSpec::Once([&, i] {
                      static_cast<void>(begun.Low());
                      if (i % kHigh == 50) add(highs[static_cast<size_t>(i / kHigh)]);
                      Spin(20us);
                    }).WithPriority(Priority::kLow));
  }
  Urgent result;
  if (!handle.AddBatch(std::move(batch)).ok()) return result;
  while (handle.Stats().tasks > 0) std::this_thread::sleep_for(1ms);
  result.all_ran = begun.low == kLow;
  for (const High& high : highs) {
    result.all_ran = result.all_ran && high.ran;
    result.behind += high.behind ? 1 : 0;
    result.worst = std::max(result.worst, high.at_start[high.runner] - high.at_add[high.runner]);
    result.within += MostBetween(high.at_add, high.at_start) <= kGrains ? 1 : 0;
    const std::chrono::duration<double, std::micro> waited = high.started - high.added;
    result.worst_us = std::max(result.worst_us, waited.count());
  }
  return result;
}

// Others that began for each low one, while high ones were always ready: between the first low
// one and the middle one, so that enough of both are there. 0: not all low ones ran.
double OthersPerLow(const SupervisorHandle& handle, size_t workers) {
  constexpr int64_t kLow = 400;
  Begun begun;
  std::atomic<bool> stop{false};
  std::atomic<int64_t> others_at_first{0};
  std::atomic<int64_t> others_at_middle{0};
  for (size_t i = 0; i < 2 * workers; ++i) {
    static_cast<void>(handle.Add(TaskSpec::FromDefaults("",
                                                        [&] {
                                                          begun.other.fetch_add(1);
                                                          Spin(5us);
                                                          return stop ? Fatal("enough") : Ok();
                                                        })
                                     .WithRestart(RestartPolicy::AlwaysImmediately())
                                     .WithPriority(Priority::kHigh)));
  }
  std::vector<TaskSpec> batch;
  for (int64_t i = 0; i < kLow; ++i) {
    batch.push_back(TaskSpec::Once([&] {
                      const int64_t number = begun.Low();
                      if (number == 1) others_at_first = begun.other.load();
                      if (number == kLow / 2) others_at_middle = begun.other.load();
                    }).WithPriority(Priority::kLow));
  }
  while (begun.other < 100) std::this_thread::sleep_for(1ms);
  const bool added = handle.AddBatch(std::move(batch)).ok();
  const auto until = Steady::now() + 20s;
  while (added && begun.low < kLow && Steady::now() < until) std::this_thread::sleep_for(1ms);
  stop = true;
  while (handle.Stats().tasks > 0) std::this_thread::sleep_for(1ms);
  if (begun.low < kLow) return 0;
  return static_cast<double>(others_at_middle - others_at_first) / (kLow / 2.0 - 1);
}

bool Priorities(size_t workers) {
  auto supervisor = Supervisor::Create({.workers = workers});
  const SupervisorHandle handle = supervisor->Serve();
  const Urgent urgent = BehindLowOnes(handle);
  const double others = OthersPerLow(handle, workers);
  const bool stopped = handle.Shutdown().ok();
  const bool good = stopped && urgent.all_ran && urgent.behind >= 90 && urgent.worst <= kGrains &&
                    urgent.within >= 90 && others > 0 && others <= 16;
  std::printf(R"({"check":"priority","good":%s,"workers":%zu,"behind_low":%d,)"
              R"("most_low_before_high":%ld,"within_3_grains_of_all":%d,"worst_start_us":%.0f,)"
              R"("others_per_low":%.2f})"
              "\n",
              Json(good), workers, urgent.behind, static_cast<long>(urgent.worst), urgent.within,
              urgent.worst_us, others);
  return good;
}

}  // namespace
}  // namespace taskvisor::testing

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv, "Workers, priorities and the times of attempts are what they are said to be.");
  using namespace taskvisor::testing;
  bool good = Workers();
  for (const size_t workers : {1u, 2u}) good = Priorities(workers) && good;
  good = Times("workers", {.workers = 2}) && good;
  good = Times("permits", {.workers = 2, .max_concurrent = 1}) && good;
  return good ? 0 : 1;
}
