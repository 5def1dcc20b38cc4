#ifndef TASKVISOR_BENCH_PEERS_H_
#define TASKVISOR_BENCH_PEERS_H_

#include <benchmark/benchmark.h>
#include <tbb/concurrent_queue.h>

#include <array>
#include <atomic>
#include <boost/lockfree/queue.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "bench/bus_fixture.h"
#include "bench/harness.h"
#include "bench/record.h"
#include "sched/ready_queue.h"  // moodycamel: the one file that includes it

namespace taskvisor::bench {

// What a publish is measured against, behind two calls:
//   Publish(value)  timed, from any thread
//   Drain()         not timed, when nobody publishes; returns how many came through whole

// The least that one global order costs: every event takes a number. Moves no record.
class FetchAdd {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  void Publish(uint64_t) {
    benchmark::DoNotOptimize(number_.fetch_add(1, std::memory_order_acq_rel));
  }
  uint64_t Drain() { return number_.exchange(0, std::memory_order_acq_rel); }

 private:
  alignas(kLine) std::atomic<uint64_t> number_{0};
};

// The least that a numbered record in a lane of one's own costs: the number, and one store of
// it into a line that only its producer touches. Moves no record.
class TicketAndStamp {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  // `value`: the producer, and in its lower half a count of its own.
  void Publish(uint64_t value) {
    const uint64_t ticket = number_.fetch_add(1, std::memory_order_acq_rel) + 1;
    lanes_[value >> 32].stamps[value % kStamps].store(ticket, std::memory_order_release);
  }
  uint64_t Drain() { return number_.exchange(0, std::memory_order_acq_rel); }

 private:
  static constexpr size_t kStamps = kLine / sizeof(uint64_t);
  static constexpr size_t kMaxProducers = 4;

  // Two lines: the one beside it is fetched along with a line.
  struct alignas(2 * kLine) Lane {
    std::array<std::atomic<uint64_t>, kStamps> stamps{};
  };
  std::array<Lane, kMaxProducers> lanes_;
  alignas(2 * kLine) std::atomic<uint64_t> number_{0};
};

// The least that moving a record costs: 64 bytes into a array as long as the ring, no number. One
// producer only.
class LineCopy {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  void Publish(uint64_t value) {
    Line& line = lines_[next_++ % lines_.size()];
    Fill(line.record, value);
    line.number = value;
    benchmark::DoNotOptimize(&line);
    benchmark::ClobberMemory();
  }
  uint64_t Drain() {
    uint64_t whole = 0;
    for (; drained_ != next_; ++drained_) {
      whole += IsWhole(lines_[drained_ % lines_.size()].record) ? 1 : 0;
    }
    return whole;
  }

 private:
  struct alignas(kLine) Line {
    Record record;
    uint64_t number;
  };
  std::vector<Line> lines_{kRingCapacity + 64};
  size_t next_ = 0;
  size_t drained_ = 0;
};

// Takes records one by one, while take(Record&) finds one; how many were whole.
template <class Take>
uint64_t CountWhole(Take take) {
  uint64_t whole = 0;
  for (Record record; take(record);) whole += IsWhole(record) ? 1 : 0;
  return whole;
}

// Queues with one global order.

class TbbQueue {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  void Publish(uint64_t value) { queue_.push(MakeRecord(value)); }
  uint64_t Drain() {
    return CountWhole([this](Record& record) { return queue_.try_pop(record); });
  }

 private:
  tbb::concurrent_queue<Record> queue_;
};

class BoostQueue {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  // All nodes are there before the first push, as our slots are.
  void Publish(uint64_t value) {
    while (!queue_.bounded_push(MakeRecord(value))) {
    }
  }
  uint64_t Drain() {
    uint64_t whole = 0;
    queue_.consume_all([&](const Record& record) { whole += IsWhole(record) ? 1 : 0; });
    return whole;
  }

 private:
  boost::lockfree::queue<Record, boost::lockfree::fixed_sized<true>> queue_{kRoundEvents + 64};
};

class MutexVector {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  MutexVector() {
    filling_.reserve(kRoundEvents);
    draining_.reserve(kRoundEvents);
  }

  void Publish(uint64_t value) {
    std::lock_guard lock(mutex_);
    filling_.push_back(MakeRecord(value));
  }
  uint64_t Drain() {
    {
      std::lock_guard lock(mutex_);
      filling_.swap(draining_);
    }
    uint64_t whole = 0;
    for (const Record& record : draining_) whole += IsWhole(record) ? 1 : 0;
    draining_.clear();
    return whole;
  }

 private:
  alignas(kLine) std::mutex mutex_;
  std::vector<Record> filling_;
  std::vector<Record> draining_;
};

// For information: keeps an order per producer, and none between them.
class MoodycamelQueue {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  void Publish(uint64_t value) { queue_.enqueue(MakeRecord(value)); }
  uint64_t Drain() {
    return CountWhole([this](Record& record) { return queue_.try_dequeue(record); });
  }

 private:
  moodycamel::ConcurrentQueue<Record> queue_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_PEERS_H_
