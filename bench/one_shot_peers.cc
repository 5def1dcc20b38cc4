// What one-shot tasks are measured against: the same body, as many times, until all have run.
// None of these restarts, times out, names, lists or cancels anything, or publishes an event.
//   run/tg_run          oneTBB's task_group::run by an outside thread, then wait
//   run/arena_enqueue   task_arena::enqueue of what task_group::defer made
//   run/tbb_promise     task_group::run with a std::promise for each task, all futures read
//   run/asio            boost::asio::thread_pool with a std::packaged_task each, futures read
//   run/caf             CAF: spawn of a monitored actor each, all down messages received
//   run/async           std::async, a thread each, futures read
//   inside/tg_run       as run/tg_run, by a task of the group

#include "bench/one_shot_peers.h"

#include <benchmark/benchmark.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_group.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <future>
#include <utility>
#include <vector>

#include "bench/caf_peer.h"
#include "bench/running_supervisor.h"
#include "bench/sizes.h"

namespace taskvisor::bench {
namespace {

class TgRunInside {
 public:
  void Run(uint64_t tasks) {
    group_.run([this, tasks] {
      for (uint64_t i = 0; i < tasks; ++i) group_.run(Body);
    });
    group_.wait();
  }

 private:
  tbb::task_group group_;
};

class Asio {
 public:
  void Run(uint64_t tasks) {
    std::vector<std::future<void>> futures;
    futures.reserve(tasks);
    for (uint64_t i = 0; i < tasks; ++i) {
      std::packaged_task<void()> task(Body);
      futures.push_back(task.get_future());
      boost::asio::post(pool_, std::move(task));
    }
    for (std::future<void>& future : futures) future.get();
  }

 private:
  boost::asio::thread_pool pool_{static_cast<size_t>(tbb::info::default_concurrency())};
};

class Async {
 public:
  void Run(uint64_t tasks) {
    std::vector<std::future<void>> futures;
    futures.reserve(tasks);
    for (uint64_t i = 0; i < tasks; ++i) {
      futures.push_back(std::async(std::launch::async, Body));
    }
    for (std::future<void>& future : futures) future.get();
  }
};

template <class Peer>
void RunPeer(benchmark::State& state) {
  const auto tasks = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  Peer peer;
  peer.Run(tasks);  // its threads and memory are there from now on
  totals.ExpectBodies(tasks);
  for (auto _ : state) {
    const int64_t begin = NowNs();
    peer.Run(tasks);
    totals.AddRound(static_cast<double>(NowNs() - begin), tasks);
    totals.ExpectBodies(tasks);
  }
  totals.Report();
}

BENCHMARK(RunPeer<TgRun>)->Name("run/tg_run")->Apply(Sizes<1000, 10'000, 100'000, 1'000'000>);
BENCHMARK(RunPeer<TgRunInside>)->Name("inside/tg_run")->Apply(Sizes<100'000>);
BENCHMARK(RunPeer<ArenaEnqueue>)->Name("run/arena_enqueue")->Apply(Sizes<1000, 100'000, 1'000'000>);
BENCHMARK(RunPeer<TbbPromise>)
    ->Name("run/tbb_promise")
    ->Apply(Sizes<1000, 10'000, 100'000, 1'000'000>);
BENCHMARK(RunPeer<Asio>)->Name("run/asio")->Apply(Sizes<1000, 100'000>);
BENCHMARK(RunPeer<CafSystem>)->Name("run/caf")->Apply(Sizes<1000, 100'000>);
BENCHMARK(RunPeer<Async>)->Name("run/async")->Apply(Sizes<1000>);

}  // namespace
}  // namespace taskvisor::bench
