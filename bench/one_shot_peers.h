#ifndef TASKVISOR_BENCH_ONE_SHOT_PEERS_H_
#define TASKVISOR_BENCH_ONE_SHOT_PEERS_H_

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstdint>
#include <future>
#include <utility>
#include <vector>

#include "bench/running_supervisor.h"

namespace taskvisor::bench {

// Baselines that other rows measure themselves against, round by round: see one_shot_peers.cc.

class TgRun {
 public:
  void Run(uint64_t tasks) {
    for (uint64_t i = 0; i < tasks; ++i) group_.run(Body);
    group_.wait();
  }

 private:
  tbb::task_group group_;
};

class ArenaEnqueue {
 public:
  void Run(uint64_t tasks) {
    for (uint64_t i = 0; i < tasks; ++i) Add();
    AwaitAll();
  }
  // Of any thread; AwaitAll when none adds.
  void Add() { arena_.enqueue(group_.defer(Body)); }
  void AwaitAll() {
    arena_.execute([this] { group_.wait(); });
  }

 private:
  tbb::task_arena arena_;
  tbb::task_group group_;
};

class TbbPromise {
 public:
  void Run(uint64_t tasks) {
    std::vector<std::future<void>> futures;
    futures.reserve(tasks);
    for (uint64_t i = 0; i < tasks; ++i) {
      std::promise<void> promise;
      futures.push_back(promise.get_future());
      group_.run(Fulfil{std::move(promise)});
    }
    group_.wait();  // helps; without it nothing would run on one core
    for (std::future<void>& future : futures) future.get();
  }

 private:
  // task_group calls a const function.
  struct Fulfil {
    void operator()() const {
      Body();
      promise.set_value();
    }
    mutable std::promise<void> promise;
  };
  tbb::task_group group_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_ONE_SHOT_PEERS_H_
