// Attempts: what it costs to run the same body again.
//   repeat/success/<tasks>     RestartPolicy::AlwaysImmediately
//   repeat/failure/<tasks>     Fail() every time, backoff 0
//   repeat/tg_redispatch/<n>   baseline: a body that runs itself again by task_group::run
// ns_per_task is per attempt here.

#include <benchmark/benchmark.h>
#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {
namespace {

// In a round, by all tasks together; of each task at least kLeastTurns.
constexpr uint64_t kAttempts = 100'000;
constexpr uint64_t kLeastTurns = 4;

uint64_t TurnsOf(uint64_t tasks) {
  return std::max(kLeastTurns, static_cast<uint64_t>(Capped(kAttempts)) / tasks);
}

// Succeeds, again and again; says at its last turn that it is over.
struct Succeed {
  static constexpr uint64_t kEvents = 2;  // of an attempt: TaskStarting, TaskStopped
  static TaskSpec Spec(uint64_t turns) {
    return TaskSpec::Once([left = turns]() mutable {
             Body();
             return --left > 0 ? Ok() : Cancelled();
           })
        .WithRestart(RestartPolicy::AlwaysImmediately());
  }
};

struct FailAgain {
  static constexpr uint64_t kEvents = 2;  // at least: TaskStarting, TaskFailed
  static TaskSpec Spec(uint64_t turns) {
    return TaskSpec::Restartable([left = turns]() mutable {
             Body();
             return --left > 0 ? Fail("again") : Ok();
           })
        .WithBackoff(BackoffPolicy::Constant(Duration::zero()))
        .WithUnlimitedRetries();
  }
};

// Adds the tasks and waits for the end of each.
template <class Kind>
void RunTasks(const RunningSupervisor& supervisor, uint64_t tasks, uint64_t turns,
              TaskTotals& totals) {
  std::vector<TaskSpec> specs;
  std::vector<TaskWaiter> waiters;
  for (uint64_t i = 0; i < tasks; ++i) {
    specs.push_back(Kind::Spec(turns));
    waiters.push_back(specs.back().Watch());
  }
  const int64_t begin = NowNs();
  if (!supervisor.handle().AddBatch(std::move(specs)).ok()) return totals.Fail("refused");
  for (const TaskWaiter& waiter : waiters) {
    if (!waiter.Wait().ok()) totals.Fail("a task has no outcome");
  }
  totals.AddRound(static_cast<double>(NowNs() - begin), tasks * turns);
  totals.ExpectBodies(tasks * turns);
  totals.ExpectEvents(tasks * turns * Kind::kEvents);
}

template <class Kind>
void Repeat(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  const uint64_t turns = TurnsOf(tasks);
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  supervisor.WarmUp(1000, totals);
  for (auto _ : state) RunTasks<Kind>(supervisor, tasks, turns, totals);
  supervisor.AwaitLeft();
  supervisor.End(totals);
  totals.Report();
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
