// One-shot tasks that come and go.
//   churn/<threads>            added by so many outside threads, all together kTasks
//   churn/enqueue/<threads>    the same into a bare TBB arena
//   churn/beside_one/<threads> the first, each round beside one of a single thread: `of_one` is the
//                              median of the rounds' ratios, which a core that gives less for a
//                              while does not change
//   names/<registered>         named and watched, among so many other names

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/one_shot_peers.h"
#include "bench/parked.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {
namespace {

constexpr int64_t kTasks = 100'000;

class Supervised {
 public:
  void WarmUp(uint64_t tasks, TaskTotals& totals) { supervisor_.WarmUp(tasks, totals); }
  // False: it was refused.
  bool Add() { return supervisor_.handle().Add(TaskSpec::Once(Body)).ok(); }
  void AwaitAll() { supervisor_.AwaitLeft(); }
  void End(uint64_t tasks, TaskTotals& totals) {
    supervisor_.End(totals);
    totals.ExpectEvents(tasks * kEventsOfOnce);
  }

 private:
  const RunningSupervisor supervisor_;
};

class Enqueued {
 public:
  void WarmUp(uint64_t tasks, TaskTotals& totals) {
    arena_.Run(tasks);
    totals.ExpectBodies(tasks);
  }
  bool Add() { return arena_.Add(), true; }
  void AwaitAll() { arena_.AwaitAll(); }
  void End(uint64_t, TaskTotals&) {}

 private:
  ArenaEnqueue arena_;
};

// Added by so many threads, `each` by each: ns, from the first thread's first Add until no task is
// left.
template <class Way>
double ChurnOnce(Way& way, uint64_t threads, uint64_t each, TaskTotals& totals) {
  std::barrier together(static_cast<std::ptrdiff_t>(threads));
  std::vector<int64_t> begins(threads);
  std::atomic<uint64_t> refused{0};
  std::vector<std::thread> adders;
  for (uint64_t i = 0; i < threads; ++i) {
    adders.emplace_back([&, i] {
      together.arrive_and_wait();
      begins[i] = NowNs();
      for (uint64_t k = 0; k < each; ++k) {
        if (!way.Add()) ++refused;
      }
    });
  }
  for (std::thread& adder : adders) adder.join();
  way.AwaitAll();
  const int64_t begin = *std::min_element(begins.begin(), begins.end());
  if (refused != 0) totals.Fail("a task was refused");
  totals.ExpectBodies(threads * each);
  return static_cast<double>(NowNs() - begin);
}

uint64_t TasksOfEach(uint64_t threads) {
  return std::max<uint64_t>(1, static_cast<uint64_t>(Capped(kTasks)) / threads);
}

template <class Way>
void Churn(benchmark::State& state) {
  const auto threads = static_cast<uint64_t>(state.range(0));
  const uint64_t each = TasksOfEach(threads);
  TaskTotals totals(state);
  Way way;
  way.WarmUp(threads * each, totals);
  uint64_t tasks = 0;
  for (auto _ : state) {
    totals.AddRound(ChurnOnce(way, threads, each, totals), threads * each);
    tasks += threads * each;
  }
  way.End(tasks, totals);
  totals.Report();
}

void ChurnBesideOne(benchmark::State& state) {
  const auto threads = static_cast<uint64_t>(state.range(0));
  const uint64_t each = TasksOfEach(threads);
  const uint64_t tasks = threads * each;
  TaskTotals totals(state);
  Supervised way;
  way.WarmUp(tasks, totals);
  std::vector<double> ratios;
  for (auto _ : state) {
    const double ns = ChurnOnce(way, threads, each, totals);
    totals.AddRound(ns, tasks);
    ratios.push_back(ns / ChurnOnce(way, 1, tasks, totals));
  }
  way.End(2 * ratios.size() * tasks, totals);
  totals.Report();
  state.counters["of_one"] = Quantile(std::move(ratios), 0.5);
}

void Adders(benchmark::internal::Benchmark* row) { row->Arg(1)->Arg(2)->Arg(4)->UseManualTime(); }

BENCHMARK(Churn<Supervised>)->Name("churn")->Apply(Adders);
BENCHMARK(Churn<Enqueued>)->Name("churn/enqueue")->Apply(Adders);
BENCHMARK(ChurnBesideOne)->Name("churn/beside_one")->Arg(2)->Arg(4)->UseManualTime()->MinTime(0.3);

void AmongNames(benchmark::State& state) {
  const auto registered = static_cast<uint64_t>(state.range(0));
  const auto tasks = static_cast<uint64_t>(Capped(10'000));
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  const SupervisorHandle& handle = supervisor.handle();
  supervisor.WarmUp(tasks, totals);
  Park(handle, registered, NamedParkedSpec, totals);
  std::vector<std::string> names;
  for (uint64_t i = 0; i < tasks; ++i) names.push_back("unit-" + std::to_string(i));
  std::vector<TaskWaiter> waiters;
  waiters.reserve(tasks);
  for (auto _ : state) {
    waiters.clear();
    const int64_t begin = NowNs();
    for (const std::string& name : names) {
      auto added = handle.AddAndWatch(TaskSpec::Once(name, Body));
      if (added.ok()) waiters.push_back(std::move(added->waiter));
    }
    if (!RunningSupervisor::AwaitAll(waiters)) totals.Fail("a task did not complete");
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
    supervisor.AwaitLeft(registered);
    if (waiters.size() != tasks) totals.Fail("a task was refused");
    totals.ExpectBodies(tasks);
    totals.ExpectEvents(tasks * kEventsOfOnce);
  }
  supervisor.End(totals);
  totals.Report();
}

// A fixed number of rounds: what comes before them takes seconds.
void Registered(benchmark::internal::Benchmark* row) {
  Sizes<1000, 10'000, 100'000, 1'000'000>(row);
  row->Iterations(60);
}

BENCHMARK(AmongNames)->Name("names")->Apply(Registered);

}  // namespace
}  // namespace taskvisor::bench
