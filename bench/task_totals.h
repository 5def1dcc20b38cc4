#ifndef TASKVISOR_BENCH_TASK_TOTALS_H_
#define TASKVISOR_BENCH_TASK_TOTALS_H_

#include <benchmark/benchmark.h>
#include <time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/canary.h"
#include "bench/harness.h"
#include "bench/tally.h"

namespace taskvisor::bench {

inline double CpuNs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// What a row of tasks did, round by round, and the proof that it did all of it: as many
// bodies ran, and as many events were published or counted as lost, as it says. Its time is
// the median of the rounds. Ours and the baselines' rows are made of the same.
class TaskTotals {
 public:
  explicit TaskTotals(benchmark::State& state)
      : state_(state), canary_before_(PingPongNs()), ran_before_(Tally::Total()) {}

  void AddRound(double ns, uint64_t tasks) {
    state_.SetIterationTime(ns * 1e-9);
    tasks_ += tasks;
    ns_.push_back(ns / static_cast<double>(tasks));
  }

  void AddEvents(uint64_t published, uint64_t lost) {
    published_ += published;
    lost_ += lost;
  }

  // At a subscriber's full queue.
  void AddDropped(uint64_t dropped) { dropped_ += dropped; }

  void Fail(const std::string& why) {
    if (fault_.empty()) fault_ = why;
  }
  [[nodiscard]] bool failed() const { return !fault_.empty(); }
  // How many bodies must have run in all.
  void ExpectBodies(uint64_t bodies) { bodies_ += bodies; }
  void ExpectEvents(uint64_t least) { least_events_ += least; }

  void Report() {
    const uint64_t ran = Tally::Total() - ran_before_;
    if (ran != bodies_) {
      Fail(std::to_string(ran) + " bodies ran, not " + std::to_string(bodies_));
    }
    if (published_ + lost_ < least_events_) {
      Fail(std::to_string(published_) + " events and " + std::to_string(lost_) +
           " lost ones are fewer than " + std::to_string(least_events_));
    }
    state_.counters["tasks"] = static_cast<double>(tasks_);
    state_.counters["events"] = static_cast<double>(published_);
    state_.counters["lost"] = static_cast<double>(lost_);
    if (dropped_ > 0) state_.counters["dropped"] = static_cast<double>(dropped_);
    state_.counters["ns_per_task"] = Quantile(ns_, 0.5);
    state_.counters["canary_before"] = canary_before_;
    state_.counters["canary_after"] = PingPongNs();
    if (failed()) state_.SkipWithError(fault_.c_str());
  }

 private:
  benchmark::State& state_;
  const double canary_before_;
  const uint64_t ran_before_;
  uint64_t tasks_ = 0;
  uint64_t bodies_ = 0;
  uint64_t published_ = 0;
  uint64_t lost_ = 0;
  uint64_t dropped_ = 0;
  uint64_t least_events_ = 0;
  std::vector<double> ns_;
  std::string fault_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_TASK_TOTALS_H_
