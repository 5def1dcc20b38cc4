#ifndef TASKVISOR_BENCH_CREW_H_
#define TASKVISOR_BENCH_CREW_H_

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "bench/harness.h"

namespace taskvisor::bench {

// The cores that the thread which made this may use.
class Cores {
 public:
  Cores() { sched_getaffinity(0, sizeof(allowed_), &allowed_); }

  // Keeps the calling thread to the index-th of them, going round.
  void Pin(int index) const {
    int left = index % std::max(1, CPU_COUNT(&allowed_));
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed_) || left-- > 0) continue;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
      return;
    }
  }

  [[nodiscard]] int count() const { return CPU_COUNT(&allowed_); }

  void Unpin() const { pthread_setaffinity_np(pthread_self(), sizeof(allowed_), &allowed_); }

 private:
  cpu_set_t allowed_;
};

// Crew
//
// The same work by several threads at once, in rounds. The caller is member 0: a crew of
// one has no threads. In a larger one each member keeps to one core: otherwise a scheduler
// likes to put them all on the same one, where nothing is contended.
class Crew {
 public:
  Crew(int size, std::function<void(int member)> work)
      : work_(std::move(work)), times_(static_cast<size_t>(size)) {
    for (int member = 1; member < size; ++member) {
      threads_.emplace_back([this, member] {
        cores_.Pin(member);
        Loop(member);
      });
    }
    if (size > 1) cores_.Pin(0);
  }

  ~Crew() {
    over_.store(true, std::memory_order_release);
    for (std::thread& thread : threads_) thread.join();
    cores_.Unpin();
  }

  struct Timing {
    double seconds;  // from the first member's start to the last one's end
    double at_once;  // how many members were at work at the same time, on average
  };

  Timing Round() {
    std::this_thread::yield();  // rather now than in the middle
    ++round_;
    Member(0, round_);
    SpinUntil([this] { return ended_.load(std::memory_order_acquire) == All(round_); });
    int64_t begin = times_[0].begin;
    int64_t end = times_[0].end;
    int64_t work = 0;
    for (const Times& times : times_) {
      begin = std::min(begin, times.begin);
      end = std::max(end, times.end);
      work += times.end - times.begin;
    }
    const auto wall = static_cast<double>(end - begin);
    return {wall * 1e-9, static_cast<double>(work) / wall};
  }

 private:
  struct alignas(kLine) Times {
    int64_t begin = 0;
    int64_t end = 0;
  };

  uint64_t All(uint64_t round) const { return round * times_.size(); }

  void Member(int member, uint64_t round) {
    Times& times = times_[static_cast<size_t>(member)];
    // A member waits here for all others, so round n + 1 cannot begin before n is over.
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    SpinUntil([&] { return over() || arrived_.load(std::memory_order_acquire) >= All(round); });
    if (over()) return;
    times.begin = NowNs();
    work_(member);
    times.end = NowNs();
    ended_.fetch_add(1, std::memory_order_acq_rel);
  }

  void Loop(int member) {
    for (uint64_t round = 1; !over(); ++round) Member(member, round);
  }

  [[nodiscard]] bool over() const { return over_.load(std::memory_order_acquire); }

  const Cores cores_;
  const std::function<void(int)> work_;
  std::vector<Times> times_;
  uint64_t round_ = 0;
  alignas(kLine) std::atomic<uint64_t> arrived_{0};
  alignas(kLine) std::atomic<uint64_t> ended_{0};
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_CREW_H_
