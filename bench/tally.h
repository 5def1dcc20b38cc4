#ifndef TASKVISOR_BENCH_TALLY_H_
#define TASKVISOR_BENCH_TALLY_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>

#include "bench/harness.h"

namespace taskvisor::bench {

// Tally
//
// Counts bodies that ran, for about a nanosecond each: every thread has a line of its own.
// All contenders run the same body, and a row proves by the total that none was left out.
class Tally {
 public:
  static void Add() {
    std::atomic<uint64_t>& mine = t_line.count;
    // relaxed: one writer; who reads the total has waited for the work by other means.
    mine.store(mine.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  [[nodiscard]] static uint64_t Total() {
    std::lock_guard lock(mutex());
    uint64_t total = gone();
    // relaxed: see Add.
    for (const Line* line : lines()) total += line->count.load(std::memory_order_relaxed);
    return total;
  }

 private:
  struct alignas(kLine) Line {
    Line() {
      std::lock_guard lock(mutex());
      lines().insert(this);
    }
    ~Line() {
      std::lock_guard lock(mutex());
      gone() += count.load(std::memory_order_relaxed);  // relaxed: this thread's own
      lines().erase(this);
    }
    std::atomic<uint64_t> count{0};
  };

  // Never destroyed: workers may end after main.
  static std::mutex& mutex() {
    static auto* const mutex = new std::mutex();
    return *mutex;
  }
  static std::set<const Line*>& lines() {
    static auto* const lines = new std::set<const Line*>();
    return *lines;
  }
  static uint64_t& gone() {
    static uint64_t gone = 0;
    return gone;
  }

  static inline thread_local Line t_line;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_TALLY_H_
