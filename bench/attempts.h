#ifndef TASKVISOR_BENCH_ATTEMPTS_H_
#define TASKVISOR_BENCH_ATTEMPTS_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {

// Tasks that run again and again, for a known number of turns.

// In a round, by all tasks together; of each task at least kLeastTurns.
inline constexpr uint64_t kAttempts = 100'000;
inline constexpr uint64_t kLeastTurns = 4;

inline uint64_t TurnsOf(uint64_t tasks) {
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

inline TaskSpec AsItIs(TaskSpec spec) { return spec; }

// Adds tasks and waits for the end of each: one round. Its time in ns, per attempt.
template <class Kind, class Rules = TaskSpec (*)(TaskSpec)>
double RunTurns(const RunningSupervisor& supervisor, uint64_t tasks, uint64_t turns,
                TaskTotals& totals, Rules rules = &AsItIs) {
  std::vector<TaskSpec> specs;
  std::vector<TaskWaiter> waiters;
  for (uint64_t i = 0; i < tasks; ++i) {
    specs.push_back(rules(Kind::Spec(turns)));
    waiters.push_back(specs.back().Watch());
  }
  const int64_t begin = NowNs();
  if (!supervisor.handle().AddBatch(std::move(specs)).ok()) totals.Fail("a batch was refused");
  for (const TaskWaiter& waiter : waiters) {
    if (!waiter.Wait().ok()) totals.Fail("a task has no outcome");
  }
  const auto ns = static_cast<double>(NowNs() - begin);
  totals.AddRound(ns, tasks * turns);
  totals.ExpectBodies(tasks * turns);
  totals.ExpectEvents(tasks * turns * Kind::kEvents);
  return ns / static_cast<double>(tasks * turns);
}

// A row of rounds, `round(supervisor, totals)` each, of one warm supervisor.
template <class Round>
void RunRounds(benchmark::State& state, Round round, SupervisorConfig config = {}) {
  TaskTotals totals(state);
  const RunningSupervisor supervisor(std::move(config));
  supervisor.WarmUp(1000, totals);
  for (auto _ : state) round(supervisor, totals);
  supervisor.AwaitLeft();
  supervisor.End(totals);
  totals.Report();
}

// A round of as many tasks as the row says.
template <class Kind>
auto RoundOfTurns(const benchmark::State& state) {
  return [tasks = static_cast<uint64_t>(state.range(0))](const RunningSupervisor& supervisor,
                                                         TaskTotals& totals) {
    RunTurns<Kind>(supervisor, tasks, TurnsOf(tasks), totals);
  };
}

template <class Kind>
void RowOfTurns(benchmark::State& state) {
  RunRounds(state, RoundOfTurns<Kind>(state));
}

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_ATTEMPTS_H_
