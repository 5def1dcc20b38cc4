// What limits cost that do not bite, or do.
//   permits/<allowed>/<tasks>  tasks that repeat at once; `allowed` bodies at a time, or all
//   timeout/added              a timeout that never fires: rounds with and without in turns;
//                              added_ns is the median of the differences, per attempt
//   check/<what>               one turn of a loop: with context.Cancelled(), or without
//   clock/now                  one reading of steady_clock

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "bench/attempts.h"
#include "bench/parked.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {
namespace {

template <size_t kAllowed>
void Permits(benchmark::State& state) {
  SupervisorConfig config;
  if (kAllowed != 0) config.max_concurrent = kAllowed;
  RunRounds(state, RoundOfTurns<Succeed>(state), std::move(config));
}

BENCHMARK(Permits<0>)->Name("permits/all")->Apply(Sizes<1000>);
BENCHMARK(Permits<1>)->Name("permits/one")->Apply(Sizes<1000>);

void Timeout(benchmark::State& state) {
  const uint64_t turns = TurnsOf(1);
  std::vector<double> added_ns;
  const auto armed = [](TaskSpec spec) { return std::move(spec).WithTimeout(kLong); };
  RunRounds(state, [&](const RunningSupervisor& supervisor, TaskTotals& totals) {
    const double without = RunTurns<Succeed>(supervisor, 1, turns, totals);
    added_ns.push_back(RunTurns<Succeed>(supervisor, 1, turns, totals, armed) - without);
  });
  state.counters["added_ns"] = Quantile(added_ns, 0.5);
}

BENCHMARK(Timeout)->Name("timeout/added")->Iterations(15)->UseManualTime();

// --- a body's own loop -----------------------------------------------------------------

constexpr int64_t kTurns = 10'000'000;

// The counter passes through a register that the compiler knows nothing about, so that the
// loop stays one.
struct WithCheck {
  static uint64_t Loop(const TaskContext& context, uint64_t turns) {
    uint64_t turn = 0;
    while (turn < turns && !context.Cancelled()) {
      ++turn;
      benchmark::DoNotOptimize(turn);
    }
    return turn;
  }
};

struct Bare {
  static uint64_t Loop(const TaskContext&, uint64_t turns) {
    uint64_t turn = 0;
    while (turn < turns) {
      ++turn;
      benchmark::DoNotOptimize(turn);
    }
    return turn;
  }
};

template <class What>
void Check(benchmark::State& state) {
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  const auto turns = static_cast<uint64_t>(Capped(kTurns));
  for (auto _ : state) {
    int64_t ns = 0;
    uint64_t made = 0;
    const auto task = supervisor.handle().AddAndWatch(TaskSpec::Once([&](TaskContext& context) {
      Body();
      const int64_t begin = NowNs();
      made = What::Loop(context, turns);
      ns = NowNs() - begin;
    }));
    if (!task.ok() || !task->waiter.Wait()->IsSuccess() || made != turns) totals.Fail("cut short");
    totals.AddRound(static_cast<double>(ns), turns);
    totals.ExpectBodies(1);
    totals.ExpectEvents(kEventsOfOnce);
  }
  supervisor.AwaitLeft();
  supervisor.End(totals);
  totals.Report();
}

BENCHMARK(Check<WithCheck>)->Name("check/cancelled")->UseManualTime();
BENCHMARK(Check<Bare>)->Name("check/bare_loop")->UseManualTime();

void ReadClock(benchmark::State& state) {
  TaskTotals totals(state);
  const auto turns = static_cast<uint64_t>(Capped(100'000));
  for (auto _ : state) {
    const int64_t begin = NowNs();
    for (uint64_t i = 0; i < turns; ++i) {
      auto now = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(now);
    }
    totals.AddRound(static_cast<double>(NowNs() - begin), turns);
  }
  totals.Report();
}

BENCHMARK(ReadClock)->Name("clock/now")->UseManualTime();

}  // namespace
}  // namespace taskvisor::bench
