// One task at a time, from the call that hands it over until its result is read, p50 and p99
// over the tasks of a repetition.
//   round_trip/<who>_idle     the pool and its threads have had time to go to sleep
//   round_trip/<who>_at_once  the next one follows at once
// who: `watched` is AddAndWatch + Wait. The baselines enqueue into a TBB arena and wait for a
// flag: `enqueue_park` parks at once (the same futex as a waiter's), `enqueue_look` looks at
// the flag for some microseconds before. Bars take the better one.

#include <benchmark/benchmark.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "bench/running_supervisor.h"
#include "bench/sizes.h"
#include "sched/event_count.h"

namespace taskvisor::bench {
namespace {

constexpr std::chrono::microseconds kPause{500};

class Watched {
 public:
  bool Trip() {
    const auto task = supervisor_.handle().AddAndWatch(TaskSpec::Once(Body));
    return task.ok() && task->waiter.Wait()->IsSuccess();
  }
  void End(uint64_t tasks, TaskTotals& totals) {
    supervisor_.AwaitLeft();
    supervisor_.End(totals);
    totals.ExpectEvents(tasks * kEventsOfOnce);
  }

 private:
  const RunningSupervisor supervisor_;
};

template <int kLookUs>
class Enqueue {
 public:
  bool Trip() {
    done_.store(false, std::memory_order_relaxed);  // relaxed: the enqueue hands it on
    arena_.enqueue(group_.defer([this] {
      Body();
      done_.store(true, std::memory_order_release);  // pairs with the acquire of the wait
      changed_.Notify();
    }));
    const auto done = [this] { return done_.load(std::memory_order_acquire); };
    const int64_t until = NowNs() + kLookUs * 1000;
    while (kLookUs > 0 && !done() && NowNs() < until) {
    }
    internal::Await(changed_, done);
    return true;
  }
  void End(uint64_t, TaskTotals&) {
    arena_.execute([this] { group_.wait(); });
  }

 private:
  std::atomic<bool> done_{false};
  internal::EventCount changed_;
  tbb::task_arena arena_;
  tbb::task_group group_;
};

template <class Way, bool kIdle>
void RoundTrip(benchmark::State& state) {
  TaskTotals totals(state);
  Way way;
  std::vector<double> took_ns;
  uint64_t tasks = 0;
  for (auto _ : state) {
    if (kIdle) std::this_thread::sleep_for(kPause);
    const int64_t begin = NowNs();
    const bool well = way.Trip();
    const auto ns = static_cast<double>(NowNs() - begin);
    if (!well) totals.Fail("a task did not complete");
    took_ns.push_back(ns);
    totals.AddRound(ns, 1);
    ++tasks;
  }
  totals.ExpectBodies(tasks);
  way.End(tasks, totals);
  totals.Report();
  state.counters["p50_ns"] = Quantile(took_ns, 0.5);
  state.counters["p99_ns"] = Quantile(took_ns, 0.99);
}

void Idle(benchmark::internal::Benchmark* row) { row->Iterations(Capped(600))->UseManualTime(); }
void AtOnce(benchmark::internal::Benchmark* row) { row->Iterations(Capped(5000))->UseManualTime(); }

BENCHMARK(RoundTrip<Watched, true>)->Name("round_trip/watched_idle")->Apply(Idle);
BENCHMARK(RoundTrip<Enqueue<0>, true>)->Name("round_trip/enqueue_park_idle")->Apply(Idle);
BENCHMARK(RoundTrip<Enqueue<20>, true>)->Name("round_trip/enqueue_look_idle")->Apply(Idle);
BENCHMARK(RoundTrip<Watched, false>)->Name("round_trip/watched_at_once")->Apply(AtOnce);
BENCHMARK(RoundTrip<Enqueue<0>, false>)->Name("round_trip/enqueue_park_at_once")->Apply(AtOnce);
BENCHMARK(RoundTrip<Enqueue<20>, false>)->Name("round_trip/enqueue_look_at_once")->Apply(AtOnce);

}  // namespace
}  // namespace taskvisor::bench
