#ifndef TASKVISOR_BENCH_HARNESS_H_
#define TASKVISOR_BENCH_HARNESS_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace taskvisor::bench {

inline constexpr size_t kLine = 64;

inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Spins, but leaves the core to others when it takes long: there may be more threads here
// than cores.
template <class Condition>
void SpinUntil(Condition condition) {
  for (int spins = 0; !condition(); ++spins) {
    if (spins < 200) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else {
      std::this_thread::yield();
    }
  }
}

// Between two values it interpolates: the median of two is not the lesser one.
inline double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

// What a row did, round by round, and the proof that it did all of it. Its time is the median
// of the rounds: a round in which others had the core does not speak for the row.
class Totals {
 public:
  // `counts`: false leaves the round out of the median, if enough others are in it.
  void AddRound(benchmark::State& state, double seconds, uint64_t round_events,
                bool counts = true) {
    state.SetIterationTime(seconds);
    events += round_events;
    const double ns = seconds * 1e9 / static_cast<double>(round_events);
    all_ns_.push_back(ns);
    if (counts) counted_ns_.push_back(ns);
  }

  void Report(benchmark::State& state) {
    state.counters["events"] = static_cast<double>(events);
    state.counters["lost"] = static_cast<double>(lost);
    state.counters["ns_per_event"] = Quantile(counted_ns_.size() < 5 ? all_ns_ : counted_ns_, 0.5);
    if (lost != 0 || events == 0) state.SkipWithError("events were lost: the row means nothing");
  }

  [[nodiscard]] double counted_share() const {
    return static_cast<double>(counted_ns_.size()) / static_cast<double>(all_ns_.size());
  }

  uint64_t events = 0;  // published
  uint64_t lost = 0;    // of those: not received, or not whole

 private:
  std::vector<double> all_ns_;
  std::vector<double> counted_ns_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_HARNESS_H_
