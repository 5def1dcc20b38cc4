// One task at a time, from the call that hands it over until its result is read, p50 and p99
// over the tasks of a repetition.
//   round_trip/<who>_idle     the pool and its threads have had time to go to sleep
//   round_trip/<who>_at_once  the next one follows at once
// who: `watched` is AddAndWatch + Wait. The baselines enqueue into a TBB arena and wait for a
// flag: `enqueue_park` parks at once (the same futex as a waiter's), `enqueue_look` looks at
// the flag before, as often as Wait does and like it yielding its core between two looks. To
// look without yielding, for as long, is no match for either: the worker is often woken on the
// very core that its waiter then keeps. For information, `enqueue_wide`: into an arena all of
// whose slots are for workers, with as many threads for it, as the pool needs them to run on
// every core for outside threads. TBB wakes them all for one.
//   round_trip/watched_beside_enqueue_idle
// For the bars: ours and `enqueue_park`, the faster baseline, in turns, a few dozen tasks each.
// A trip through two sleeping threads takes by a third longer in one second than in the next.

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
constexpr int kTripsInTurn = 30;
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

// One way's trips, and how long they took.
template <class Way, bool kIdle>
class Trips {
 public:
  explicit Trips(TaskTotals& totals) : totals_(totals) {}

  // ns
  double One() {
    if (kIdle) std::this_thread::sleep_for(kPause);
    const int64_t begin = NowNs();
    const bool well = way_.Trip();
    const auto ns = static_cast<double>(NowNs() - begin);
    if (!well) totals_.Fail("a task did not complete");
    ++tasks_;
    return ns;
  }
  // kTripsInTurn of them, after one more: TBB's worker comes from the other's arena. Their p50.
  double Turn() {
    One();
    std::vector<double> took_ns;
    for (int trip = 0; trip < kTripsInTurn; ++trip) took_ns.push_back(Keep(One()));
    return Quantile(std::move(took_ns), 0.5);
  }
  // Trips that count for nothing: until the kernel has found the worker and the waiter a core to
  // share, a trip wakes a core from its sleep, twice.
  void Settle() {
    for (int trip = 0; trip < kTripsInTurn; ++trip) One();
  }
  double Keep(double ns) {
    took_ns_.push_back(ns);
    return ns;
  }
  void End() {
    totals_.ExpectBodies(tasks_);
    way_.End(tasks_, totals_);
  }
  [[nodiscard]] double At(double q) const { return Quantile(took_ns_, q); }

 private:
  TaskTotals& totals_;
  Way way_;
  std::vector<double> took_ns_;
  uint64_t tasks_ = 0;
};

template <class Way, bool kIdle>
void RoundTrip(benchmark::State& state) {
  TaskTotals totals(state);
  Trips<Way, kIdle> trips(totals);
  for (auto _ : state) totals.AddRound(trips.Keep(trips.One()), 1);
  trips.End();
  totals.Report();
  state.counters["p50_ns"] = trips.At(0.5);
  state.counters["p99_ns"] = trips.At(0.99);
}

void WatchedBesideEnqueue(benchmark::State& state) {
  TaskTotals totals(state);
  Trips<Watched, true> ours(totals);
  Trips<Enqueue<0>, true> peers(totals);
  std::vector<double> ratios;
  for (int turn = 0; turn < 4; ++turn) ours.Settle(), peers.Settle();
  for (auto _ : state) {
    const double ns = ours.Turn();
    totals.AddRound(ns, 1);
    ratios.push_back(ns / peers.Turn());
  }
  ours.End();
  peers.End();
  totals.Report();
  state.counters["p50_ns"] = ours.At(0.5);
  state.counters["p99_ns"] = ours.At(0.99);
  state.counters["of_peer"] = Quantile(std::move(ratios), 0.5);
  state.counters["p99_of_peer"] = ours.At(0.99) / peers.At(0.99);  // of all turns: 30 have no p99
}

void Idle(benchmark::internal::Benchmark* row) { row->Iterations(Capped(600))->UseManualTime(); }
void AtOnce(benchmark::internal::Benchmark* row) { row->Iterations(Capped(5000))->UseManualTime(); }

BENCHMARK(WatchedBesideEnqueue)
    ->Name("round_trip/watched_beside_enqueue_idle")
    ->Iterations(Capped(20))
    ->UseManualTime();
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
