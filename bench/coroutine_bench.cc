// Coroutine bodies. ns_per_task is for each of what the row names.
//   coroutine/attempt/<tasks>   an attempt of a body that suspends nowhere
//   coroutine/yield/<tasks>     co_await Yield(): off the worker and on one again
//   coroutine/wake/<pairs>      two bodies wake each other in turn, by a Completion for each turn
// To be held against repeat/success and repeat/tg_redispatch.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bench/attempts.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"
#include "taskvisor/async.h"
#include "taskvisor/awaiters.h"
#include "taskvisor/completion.h"

namespace taskvisor::bench {
namespace {

struct SucceedAsync {
  static constexpr uint64_t kEvents = Succeed::kEvents;
  static TaskSpec Spec(uint64_t turns) {
    return TaskSpec::Once([left = turns]() mutable -> Async<TaskResult> {
             Body();
             co_return --left > 0 ? Ok() : Cancelled();
           })
        .WithRestart(RestartPolicy::AlwaysImmediately());
  }
};

struct YieldAgain {
  static constexpr uint64_t kEvents = 0;  // of a turn: it is one attempt
  static TaskSpec Spec(uint64_t turns) {
    return TaskSpec::Once([turns]() -> Async<> {
      for (uint64_t left = turns; left > 0; --left) {
        Body();
        co_await Yield();
      }
    });
  }
};

// A pair of bodies that take turns: turn i of the one is told to it by turn i - 1 of the other.
class Pair {
 public:
  explicit Pair(uint64_t turns) : turns_(std::make_shared<std::vector<Completion<>>>(2 * turns)) {}

  [[nodiscard]] TaskSpec Spec(size_t first) const {
    return TaskSpec::Once([turns = turns_, first]() -> Async<> {
      for (size_t turn = first; turn < turns->size(); turn += 2) {
        co_await (*turns)[turn];
        Body();
        if (turn + 1 < turns->size()) (*turns)[turn + 1].Set();
      }
    });
  }
  void Begin() const { turns_->front().Set(); }

 private:
  std::shared_ptr<std::vector<Completion<>>> turns_;
};

std::vector<Pair> PairsOf(uint64_t count, uint64_t turns) {
  std::vector<Pair> pairs;
  for (uint64_t i = 0; i < count; ++i) pairs.emplace_back(turns);
  return pairs;
}

void Wakes(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  const uint64_t turns = TurnsOf(count);
  RunRounds(state, [=](const RunningSupervisor& supervisor, TaskTotals& totals) {
    const std::vector<Pair> pairs = PairsOf(count, turns);
    std::vector<TaskSpec> specs;
    for (const Pair& pair : pairs) {
      specs.push_back(pair.Spec(0));
      specs.push_back(pair.Spec(1));
    }
    std::vector<TaskWaiter> waiters;
    for (TaskSpec& spec : specs) waiters.push_back(spec.Watch());
    const int64_t begin = NowNs();
    if (!supervisor.handle().AddBatch(std::move(specs)).ok()) totals.Fail("a batch was refused");
    for (const Pair& pair : pairs) pair.Begin();
    if (!RunningSupervisor::AwaitAll(waiters)) totals.Fail("a task did not complete");
    totals.AddRound(static_cast<double>(NowNs() - begin), 2 * count * turns);
    totals.ExpectBodies(2 * count * turns);
    totals.ExpectEvents(2 * count * kEventsOfOnce);
  });
}

BENCHMARK(RowOfTurns<SucceedAsync>)->Name("coroutine/attempt")->Apply(Sizes<1, 1000>);
BENCHMARK(RowOfTurns<YieldAgain>)->Name("coroutine/yield")->Apply(Sizes<1, 1000>);
BENCHMARK(Wakes)->Name("coroutine/wake")->Apply(Sizes<1, 1000>);

}  // namespace
}  // namespace taskvisor::bench
