// Stopping and looking, from outside, at tasks that are parked.
//   cancel/<others>    Cancel by id, with so many other tasks parked
//   remove/<others>    Remove by id, until the tasks are gone
//   list/<tasks>       List, per task in it
//   shutdown/<tasks>   Shutdown, per task

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "bench/parked.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {
namespace {

// Stopped in a round.
constexpr int64_t kTargets = 1000;
// TaskRemoveRequested, ActorDead, TaskRemoved.
constexpr uint64_t kEventsOfStop = 3;

template <absl::StatusOr<bool> (SupervisorHandle::*kStop)(TaskId) const>
void Stop(benchmark::State& state) {
  const auto others = static_cast<uint64_t>(state.range(0));
  const auto targets = static_cast<uint64_t>(Capped(kTargets));
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  const SupervisorHandle& handle = supervisor.handle();
  supervisor.WarmUp(targets, totals);
  Park(handle, others, ParkedSpec, totals);
  for (auto _ : state) {
    const std::vector<TaskId> ids = Park(handle, targets, ParkedSpec, totals);
    bool all = true;
    const int64_t begin = NowNs();
    for (const TaskId id : ids) {
      const absl::StatusOr<bool> mine = (handle.*kStop)(id);
      all = all && mine.ok() && *mine;
    }
    supervisor.AwaitLeft(others);
    totals.AddRound(static_cast<double>(NowNs() - begin), targets);
    if (!all) totals.Fail("a task was not stopped");
    totals.ExpectEvents(targets * kEventsOfStop);
  }
  supervisor.End(totals);
  totals.Report();
}

// Rounds are few: before each, all tasks are looked at until they are parked.
void Others(benchmark::internal::Benchmark* row) {
  Sizes<0, 100'000>(row);
  row->Iterations(5);
}

BENCHMARK(Stop<&SupervisorHandle::Cancel>)->Name("cancel")->Apply(Others);
BENCHMARK(Stop<&SupervisorHandle::Remove>)->Name("remove")->Apply(Others);

void List(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  Park(supervisor.handle(), tasks, ParkedSpec, totals);
  for (auto _ : state) {
    const int64_t begin = NowNs();
    const std::vector<TaskInfo> list = supervisor.handle().List();
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
    if (list.size() != tasks) totals.Fail("a task is missing in the list");
  }
  supervisor.End(totals);
  totals.Report();
}

BENCHMARK(List)->Name("list")->Apply(Sizes<100'000>);

void Shutdown(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  for (auto _ : state) {
    const RunningSupervisor supervisor;
    const SupervisorHandle& handle = supervisor.handle();
    Park(handle, tasks, ParkedSpec, totals);
    const int64_t begin = NowNs();
    const absl::Status status = handle.Shutdown();
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
    if (!status.ok() || handle.Stats().tasks != 0) totals.Fail("the shutdown failed");
    totals.ExpectEvents(tasks * (kEventsOfStop - 1));  // nobody asked for each by itself
    CloseAccounts(handle, totals);
  }
  totals.Report();
}

BENCHMARK(Shutdown)->Name("shutdown")->Apply(SizesOnce<100'000, 1'000'000>);

}  // namespace
}  // namespace taskvisor::bench
