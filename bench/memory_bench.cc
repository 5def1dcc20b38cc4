// What a parked, registered task takes of the machine's memory, as the kernel counts it (RSS),
// and whether memory comes back. One row a process: what another row left behind would count.
//   memory/anonymous, named, rules/<tasks>  bytes_per_task; `rules`: with retries and timeout
//   memory/churn/<tasks>                    growth: RSS after all, against after the first tenth

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <thread>

#include "bench/parked.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {
namespace {

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Anonymous; like a task that talks to something that fails at times.
TaskSpec RuledParkedSpec(uint64_t) {
  using namespace std::chrono_literals;
  return TaskSpec::Periodic(kLong, Body)
      .WithBackoff(BackoffPolicy::Exponential(100ms).WithMax(10s).WithJitter(Jitter::kFull))
      .WithMaxRetries(5)
      .WithTimeout(30s);
}

bool FirstInProcess(benchmark::State& state) {
  static bool used = false;
  if (used) state.SkipWithError("only one row of memory_bench to a process");
  return !std::exchange(used, true);
}

template <TaskSpec (*kSpec)(uint64_t)>
void BytesPerTask(benchmark::State& state) {
  if (!FirstInProcess(state)) return;
  const auto tasks = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  const SupervisorHandle& handle = supervisor.handle();
  supervisor.WarmUp(1000, totals);
  double bytes = 0;
  for (auto _ : state) {
    const int64_t begin = NowNs();
    const double before = ResidentBytes();
    AddToPark(handle, tasks, kSpec, totals);
    // The last ones are on their way to rest. A list of all would take memory itself, so it
    // comes after the measurement, to see that they were.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    bytes = ResidentBytes() - before;
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
  }
  if (handle.Stats().tasks != tasks || !AllDelaying(handle)) totals.Fail("a task is not parked");
  supervisor.End(totals);
  totals.Report();
  state.counters["bytes_per_task"] = bytes / static_cast<double>(tasks);
}

BENCHMARK(BytesPerTask<&ParkedSpec>)->Name("memory/anonymous")->Apply(SizesOnce<1'000'000>);
BENCHMARK(BytesPerTask<&NamedParkedSpec>)->Name("memory/named")->Apply(SizesOnce<1'000'000>);
BENCHMARK(BytesPerTask<&RuledParkedSpec>)->Name("memory/rules")->Apply(SizesOnce<1'000'000>);

// As many tasks at once as `count`: none begins before all are there. RSS follows the most
// that were there at once, so that must be the same each time.
void RunAtOnce(const RunningSupervisor& supervisor, uint64_t count, TaskTotals& totals) {
  if (!supervisor.handle().AddBatch(OnceSpecs(count)).ok()) totals.Fail("a batch was refused");
  supervisor.AwaitLeft();
  totals.ExpectBodies(count);
}

// Bursts of a tenth of the first tenth, each gone before the next.
void Churn(benchmark::State& state) {
  if (!FirstInProcess(state)) return;
  const auto tasks = static_cast<uint64_t>(state.range(0));
  const uint64_t burst = std::max<uint64_t>(1, tasks / 100);
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  double first = 0;
  double last = 0;
  for (auto _ : state) {
    const int64_t begin = NowNs();
    for (uint64_t done = 0; done < tasks; done += burst) {
      RunAtOnce(supervisor, burst, totals);
      last = ResidentBytes();
      if (done + burst <= std::max(burst, tasks / 10)) first = last;
    }
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
    totals.ExpectEvents(tasks / burst * burst * kEventsOfOnce);
  }
  supervisor.End(totals);
  totals.Report();
  state.counters["growth"] = last / first;
  state.counters["rss_first_mb"] = first / 1e6;
  state.counters["rss_last_mb"] = last / 1e6;
}

BENCHMARK(Churn)->Name("memory/churn")->Apply(SizesOnce<10'000'000>);

}  // namespace
}  // namespace taskvisor::bench
