// One task at a time, from the call that hands it over until its result is read, p50 and p99
// over the tasks of a repetition.
//   round_trip/<who>_idle     the pool and its threads have had time to go to sleep
//   round_trip/<who>_at_once  the next one follows at once
// who: `watched` is AddAndWatch + Wait. The baselines enqueue into a TBB arena and wait for a
// flag: `enqueue_park` parks at once (the same futex as a waiter's), `enqueue_look` looks at
// the flag before, as often as Wait does and like it yielding its core between two looks. To
// look without yielding, for as long, is no match for either: the worker is often woken on the
// very core that its waiter then keeps. Bars take the better one. For information,
// `enqueue_wide`: into an arena all of whose slots are for workers, with as many threads for it,
// as the pool needs them to run on every core for outside threads. TBB wakes them all for one.

#include <benchmark/benchmark.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "bench/running_supervisor.h"
#include "bench/sizes.h"
#include "sched/event_count.h"

namespace taskvisor::bench {
namespace {

constexpr std::chrono::microseconds kPause{500};
constexpr int kLooksOfAWaiter = 32;  // of TaskWaiter::Wait, before it parks

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

template <int kLooks, bool kWide = false>
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
    for (int look = 0; look < kLooks && !done(); ++look) std::this_thread::yield();
    internal::Await(changed_, done);
    return true;
  }
  void End(uint64_t, TaskTotals&) {
    arena_.execute([this] { group_.wait(); });
  }

 private:
  static std::optional<tbb::global_control> Threads() {
    if (!kWide) return std::nullopt;
    return std::optional<tbb::global_control>(
        std::in_place, tbb::global_control::max_allowed_parallelism,
        static_cast<size_t>(2 * tbb::info::default_concurrency()));
  }

  std::atomic<bool> done_{false};
  internal::EventCount changed_;
  const std::optional<tbb::global_control> threads_ = Threads();
  tbb::task_arena arena_{tbb::task_arena::automatic, kWide ? 0u : 1u};
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
BENCHMARK(RoundTrip<Enqueue<kLooksOfAWaiter>, true>)
    ->Name("round_trip/enqueue_look_idle")
    ->Apply(Idle);
BENCHMARK(RoundTrip<Enqueue<0, true>, true>)->Name("round_trip/enqueue_wide_idle")->Apply(Idle);
BENCHMARK(RoundTrip<Watched, false>)->Name("round_trip/watched_at_once")->Apply(AtOnce);
BENCHMARK(RoundTrip<Enqueue<0>, false>)->Name("round_trip/enqueue_park_at_once")->Apply(AtOnce);
BENCHMARK(RoundTrip<Enqueue<kLooksOfAWaiter>, false>)
    ->Name("round_trip/enqueue_look_at_once")
    ->Apply(AtOnce);

}  // namespace
}  // namespace taskvisor::bench
