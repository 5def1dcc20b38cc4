#ifndef TASKVISOR_BENCH_CANARY_H_
#define TASKVISOR_BENCH_CANARY_H_

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "bench/crew.h"
#include "bench/harness.h"

namespace taskvisor::bench {

// What a cache line's way to another core and back costs right now, in ns; 0 on one core. On
// virtual machines it changes by the minute, and all that crosses threads with it: the
// report does not count repetitions during which it moved.
inline double PingPongNs() {
  constexpr uint64_t kTrips = 200;
  constexpr int kBatches = 9;
  const Cores cores;
  if (cores.count() < 2) return 0;
  alignas(kLine) std::atomic<uint64_t> ping{0};
  alignas(kLine) std::atomic<uint64_t> pong{0};
  // release and acquire on both ways: a line's journey, as our own hand-offs make it.
  std::thread other([&] {
    cores.Pin(1);
    for (uint64_t i = 1; i <= kTrips * kBatches; ++i) {
      SpinUntil([&] { return ping.load(std::memory_order_acquire) == i; });
      pong.store(i, std::memory_order_release);
    }
  });
  cores.Pin(0);
  std::vector<double> batches;
  for (uint64_t i = 1; batches.size() < kBatches;) {
    const int64_t begin = NowNs();
    for (uint64_t k = 0; k < kTrips; ++k, ++i) {
      ping.store(i, std::memory_order_release);
      SpinUntil([&] { return pong.load(std::memory_order_acquire) == i; });
    }
    batches.push_back(static_cast<double>(NowNs() - begin) / kTrips);
  }
  other.join();
  cores.Unpin();
  return Quantile(batches, 0.5);
}

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_CANARY_H_
