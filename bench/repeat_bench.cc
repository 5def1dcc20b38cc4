// Attempts: what it costs to run the same body again.
//   repeat/success/<tasks>     RestartPolicy::AlwaysImmediately
//   repeat/failure/<tasks>     Fail() every time, backoff 0
//   repeat/tg_redispatch/<n>   baseline: a body that runs itself again by task_group::run
// ns_per_task is per attempt here.

#include <benchmark/benchmark.h>
#include <oneapi/tbb/task_group.h>

#include <cstdint>

#include "bench/attempts.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {
namespace {

template <class Kind>
void Repeat(benchmark::State& state) {
  RowOfTurns<Kind>(state);
  state.counters["attempts_per_s"] = 1e9 / state.counters["ns_per_task"];
}

class Chain {
 public:
  Chain(tbb::task_group& group, uint64_t turns) : group_(&group), left_(turns) {}
  void operator()() const {
    Body();
    if (left_ > 1) group_->run(Chain(*group_, left_ - 1));
  }

 private:
  tbb::task_group* group_;
  uint64_t left_;
};

void Redispatch(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  const uint64_t turns = TurnsOf(tasks);
  TaskTotals totals(state);
  tbb::task_group group;
  for (auto _ : state) {
    const int64_t begin = NowNs();
    for (uint64_t i = 0; i < tasks; ++i) group.run(Chain(group, turns));
    group.wait();
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks * turns);
    totals.ExpectBodies(tasks * turns);
  }
  totals.Report();
}

BENCHMARK(Repeat<Succeed>)->Name("repeat/success")->Apply(Sizes<1, 1000, 100'000>);
BENCHMARK(Repeat<FailAgain>)->Name("repeat/failure")->Apply(Sizes<1, 1000, 100'000>);
BENCHMARK(Redispatch)->Name("repeat/tg_redispatch")->Apply(Sizes<1, 1000, 100'000>);

}  // namespace
}  // namespace taskvisor::bench
