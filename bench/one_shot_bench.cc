// Tasks that run once and do nothing: a known set through Run, and one by one through Add.
//   run/<what>/<tasks>         specs are made, run, and the supervisor is shut down
//   add/<where>_<what>/<tasks> by one thread, or by the body of a task, until all are over
//   .../<what>_beside_<peer>   the same, each round beside one of a baseline: see Beside
// The baselines, run/ and inside/, are in one_shot_peers.cc.

#include <benchmark/benchmark.h>

#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/one_shot_peers.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"
#include "sched/split_mix.h"

namespace taskvisor::bench {
namespace {

constexpr size_t kDefaultBus = 0;
// Holds the events of 100,000 tasks: none is lost, all go through the fan-out.
constexpr size_t kLargeBus = size_t{1} << 20;

// A supervisor runs one batch in its life, so each round has a new one, with cold memory.
template <bool kListener, size_t kBus = kDefaultBus>
class Batch {
 public:
  Batch(uint64_t tasks, TaskTotals& totals) : tasks_(tasks), totals_(totals) {}

  // ns
  double Round() {
    const auto listener = std::make_shared<CountingSubscriber>();
    SupervisorConfig config;
    if (kBus != kDefaultBus) config.bus_capacity = kBus;
    if (kListener) config.subscribers.push_back(listener);
    Supervisor supervisor = Supervisor::Create(std::move(config)).value();
    const int64_t begin = NowNs();
    std::vector<TaskSpec> specs = OnceSpecs(tasks_);
    const int64_t built = NowNs();
    const absl::Status status = supervisor.Run(std::move(specs));
    const auto ns = static_cast<double>(NowNs() - begin);
    totals_.AddRound(ns, tasks_);
    build_ns_.push_back(static_cast<double>(built - begin) / static_cast<double>(tasks_));
    if (!status.ok()) totals_.Fail(status.ToString());
    totals_.ExpectBodies(tasks_);
    totals_.ExpectEvents(tasks_ * kEventsOfOnce);
    CloseAccounts(supervisor.Serve(), totals_);
    if (kListener && supervisor.Serve().SubscriberStats()[0].delivered != listener->count()) {
      totals_.Fail("the subscriber was not called for each event delivered to it");
    }
    return ns;
  }
  void End() {}

  // The part of the time that went into the specs.
  [[nodiscard]] double BuildNs() const { return Quantile(build_ns_, 0.5); }

 private:
  const uint64_t tasks_;
  TaskTotals& totals_;
  std::vector<double> build_ns_;
};

template <bool kListener, size_t kBus = kDefaultBus>
void RunBatch(benchmark::State& state) {
  TaskTotals totals(state);
  Batch<kListener, kBus> batch(static_cast<uint64_t>(state.range(0)), totals);
  for (auto _ : state) batch.Round();
  totals.Report();
  state.counters["build_ns"] = batch.BuildNs();
}

template <class Peer>
double NsOfRound(Peer& peer, uint64_t tasks) {
  const int64_t begin = NowNs();
  peer.Run(tasks);
  return static_cast<double>(NowNs() - begin);
}

// Each round of Ours beside one of the Peer's, of as many tasks: what a core gives changes by a
// fifth from one second to the next, which rows measured one after the other take for a difference
// between them. `of_peer` is the median of the rounds' ratios.
template <class Ours, class Peer>
void Beside(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  Ours ours(tasks, totals);
  Peer peer;
  peer.Run(tasks);  // its threads and memory are there from now on
  totals.ExpectBodies(tasks);
  std::vector<double> ratios;
  for (auto _ : state) {
    const double ns = ours.Round();
    ratios.push_back(ns / NsOfRound(peer, tasks));
    totals.ExpectBodies(tasks);
  }
  ours.End();
  totals.Report();
  state.counters["of_peer"] = Quantile(std::move(ratios), 0.5);
}

BENCHMARK(RunBatch<false>)->Name("run/batch")->Apply(Sizes<1000, 10'000, 100'000, 1'000'000>);
BENCHMARK(RunBatch<true>)->Name("run/batch_counted")->Apply(Sizes<1000, 100'000, 1'000'000>);
BENCHMARK(RunBatch<false, kLargeBus>)->Name("run/batch_none_lost")->Apply(Sizes<100'000>);

// Several rounds in each repetition, whatever the time that others get.
void SizesBeside(benchmark::internal::Benchmark* row) {
  Sizes<100'000>(row);
  row->MinTime(0.3);
}

BENCHMARK(Beside<Batch<false>, TgRun>)->Name("run/batch_beside_tg_run")->Apply(SizesBeside);

// What a batch with a subscriber is measured against: one without, of which the same is timed.
class PlainBatch {
 public:
  double Run(uint64_t tasks) {
    Supervisor supervisor = Supervisor::Create().value();
    const int64_t begin = NowNs();
    if (!supervisor.Run(OnceSpecs(tasks)).ok()) std::abort();
    return static_cast<double>(NowNs() - begin);
  }
};
double NsOfRound(PlainBatch& peer, uint64_t tasks) { return peer.Run(tasks); }

BENCHMARK(Beside<Batch<true>, PlainBatch>)
    ->Name("run/batch_counted_beside_plain")
    ->Apply(SizesBeside);

// Every outcome is read, after Run.
void RunBatchWatched(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  std::vector<TaskWaiter> waiters;
  for (auto _ : state) {
    Supervisor supervisor = Supervisor::Create().value();
    waiters.clear();
    waiters.reserve(tasks);
    const int64_t begin = NowNs();
    std::vector<TaskSpec> specs = OnceSpecs(tasks);
    for (TaskSpec& spec : specs) waiters.push_back(spec.Watch());
    const absl::Status status = supervisor.Run(std::move(specs));
    if (!RunningSupervisor::AwaitAll(waiters)) totals.Fail("a task did not complete");
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
    if (!status.ok()) totals.Fail(status.ToString());
    totals.ExpectBodies(tasks);
    totals.ExpectEvents(tasks * kEventsOfOnce);
    CloseAccounts(supervisor.Serve(), totals);
  }
  totals.Report();
}

BENCHMARK(RunBatchWatched)->Name("run/batch_watched")->Apply(Sizes<100'000>);

// A batch into a supervisor that is warm, through AddBatch.
void AddBatch(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  const RunningSupervisor supervisor;
  supervisor.WarmUp(tasks, totals);
  for (auto _ : state) {
    const int64_t begin = NowNs();
    if (!supervisor.handle().AddBatch(OnceSpecs(tasks)).ok()) totals.Fail("the batch was refused");
    supervisor.AwaitLeft();
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
    totals.ExpectBodies(tasks);
    totals.ExpectEvents(tasks * kEventsOfOnce);
  }
  supervisor.End(totals);
  totals.Report();
}

BENCHMARK(AddBatch)->Name("run/add_batch")->Apply(Sizes<1000, 100'000>);

// --- one by one ------------------------------------------------------------------------

struct Named {
  // Made ahead and short, so that what is timed is the supervisor's part.
  explicit Named(uint64_t tasks) {
    for (uint64_t i = 0; i < tasks; ++i) names.push_back("unit-" + std::to_string(i));
  }
  [[nodiscard]] TaskSpec Spec(uint64_t i) const { return TaskSpec::Once(names[i], Body); }
  std::vector<std::string> names;
};

// Names that have nothing in common, as keys and digests have: each has a place of its own in the
// index, far from the last one's.
struct Scattered : Named {
  explicit Scattered(uint64_t tasks) : Named(0) {
    internal::SplitMix random(1);
    for (uint64_t i = 0; i < tasks; ++i) {
      std::array<char, 16> name{};
      std::snprintf(name.data(), name.size(), "%015" PRIx64, random.Next() >> 4);
      names.emplace_back(name.data());
    }
  }
};

struct Anonymous {
  explicit Anonymous(uint64_t) {}
  [[nodiscard]] TaskSpec Spec(uint64_t) const { return TaskSpec::Once(Body); }
};

// Adds them all; the waiters of all, or of the last one. Fewer if one was refused.
template <class Source, bool kWatched>
void AddAll(const SupervisorHandle& handle, const Source& source, uint64_t tasks,
            std::vector<TaskWaiter>& waiters) {
  for (uint64_t i = 0; i < tasks; ++i) {
    if (kWatched || i + 1 == tasks) {
      auto added = handle.AddAndWatch(source.Spec(i));
      if (added.ok()) waiters.push_back(std::move(added->waiter));
    } else {
      static_cast<void>(handle.Add(source.Spec(i)));
    }
  }
}

// Watched: until every outcome has been read. Not watched: until none is registered.
template <class Source, bool kWatched, bool kInside>
class Adding {
 public:
  Adding(uint64_t tasks, TaskTotals& totals) : tasks_(tasks), totals_(totals), source_(tasks) {
    supervisor_.WarmUp(tasks, totals, [this](uint64_t i) { return source_.Spec(i); });
  }

  // ns
  double Round() {
    const SupervisorHandle& handle = supervisor_.handle();
    waiters_.clear();
    waiters_.reserve(tasks_);
    const int64_t begin = NowNs();
    if constexpr (kInside) {
      auto adder = handle.AddAndWatch(
          TaskSpec::Once([&] { AddAll<Source, kWatched>(handle, source_, tasks_, waiters_); }));
      if (!adder->waiter.Wait()->IsSuccess()) totals_.Fail("the adding task did not complete");
    } else {
      AddAll<Source, kWatched>(handle, source_, tasks_, waiters_);
    }
    if (!RunningSupervisor::AwaitAll(waiters_)) totals_.Fail("a task did not complete");
    if (!kWatched) supervisor_.AwaitLeft();
    const auto ns = static_cast<double>(NowNs() - begin);
    totals_.AddRound(ns, tasks_);
    supervisor_.AwaitLeft();
    if (waiters_.size() != (kWatched ? tasks_ : 1)) totals_.Fail("a task was refused");
    totals_.ExpectBodies(tasks_);
    totals_.ExpectEvents(tasks_ * kEventsOfOnce);
    return ns;
  }
  void End() { supervisor_.End(totals_); }

 private:
  const uint64_t tasks_;
  TaskTotals& totals_;
  const Source source_;
  const RunningSupervisor supervisor_;
  std::vector<TaskWaiter> waiters_;
};

template <class Source, bool kWatched, bool kInside>
void AddOneByOne(benchmark::State& state) {
  TaskTotals totals(state);
  Adding<Source, kWatched, kInside> adding(static_cast<uint64_t>(state.range(0)), totals);
  for (auto _ : state) adding.Round();
  adding.End();
  totals.Report();
}

void Added(benchmark::internal::Benchmark* row) { Sizes<100'000>(row); }

BENCHMARK(AddOneByOne<Anonymous, false, false>)->Name("add/outside_anonymous")->Apply(Added);
BENCHMARK(AddOneByOne<Anonymous, true, false>)
    ->Name("add/outside_anonymous_watched")
    ->Apply(Sizes<1000, 10'000, 100'000>);
BENCHMARK(AddOneByOne<Named, false, false>)->Name("add/outside_named")->Apply(Added);
BENCHMARK(AddOneByOne<Named, true, false>)
    ->Name("add/outside_named_watched")
    ->Apply(Sizes<1000, 10'000, 100'000>);
BENCHMARK(Beside<Adding<Anonymous, true, false>, TbbPromise>)
    ->Name("add/outside_anonymous_watched_beside_promise")
    ->Apply(SizesBeside);
BENCHMARK(Beside<Adding<Named, true, false>, TbbPromise>)
    ->Name("add/outside_named_watched_beside_promise")
    ->Apply(SizesBeside);
BENCHMARK(AddOneByOne<Scattered, true, false>)
    ->Name("add/outside_scattered_watched")
    ->Apply(Sizes<1000, 10'000, 100'000>);
BENCHMARK(Beside<Adding<Scattered, true, false>, TbbPromise>)
    ->Name("add/outside_scattered_watched_beside_promise")
    ->Apply(SizesBeside);
BENCHMARK(AddOneByOne<Anonymous, false, true>)->Name("add/inside_anonymous")->Apply(Added);
BENCHMARK(AddOneByOne<Anonymous, true, true>)->Name("add/inside_anonymous_watched")->Apply(Added);
BENCHMARK(AddOneByOne<Named, false, true>)->Name("add/inside_named")->Apply(Added);
BENCHMARK(AddOneByOne<Named, true, true>)->Name("add/inside_named_watched")->Apply(Added);

}  // namespace
}  // namespace taskvisor::bench
