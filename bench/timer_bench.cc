// Timers by the million, through TimerQueue, beside boost::asio::steady_timer.
//   timers/<who>_cancel/<timers>  all armed for within the next hour, then all cancelled,
//                                 until the other side has taken note of it all
//   timers/<who>_fire/<timers>    all armed for a window of kWindow, until all have fired. The
//                                 time is CPU time, of all threads: waiting is no work
// Both are given deadlines, so no clock is read for an arming. cpu_ns: of all threads, per timer. A
// queue drops a cancelled timer when its turn comes or
// when it is armed again; rounds arm the same timers again, so that is in it.

#include <benchmark/benchmark.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "bench/harness.h"
#include "bench/sizes.h"
#include "bench/task_totals.h"
#include "sched/timer_queue.h"

namespace taskvisor::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds kFar = std::chrono::hours(1);
constexpr nanoseconds kLead = milliseconds(500);  // of the first deadline: all are armed by then
constexpr nanoseconds kWindow = milliseconds(200);

// The same delays for everybody, from the begin of a round, evenly spread and in no order.
std::vector<nanoseconds> Delays(uint64_t count, nanoseconds least, nanoseconds most) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int64_t> between(least.count(), most.count());
  std::vector<nanoseconds> delays;
  delays.reserve(count);
  for (uint64_t i = 0; i < count; ++i) delays.emplace_back(between(random));
  return delays;
}

class Ours {
 public:
  explicit Ours(uint64_t count) : timers_(count) { queue_.Start(); }
  ~Ours() { queue_.Stop(); }

  void Arm(size_t i, TimePoint deadline) { queue_.Arm(timers_[i], deadline, /*tag=*/0); }
  bool Cancel(size_t i) { return queue_.Cancel(timers_[i]); }

  // The thread takes all that was armed before the fence with it, or earlier.
  void TakeNote() {
    const uint64_t before = t_fired.load(std::memory_order_acquire);
    queue_.Arm(fence_, queue_.clock().Now(), /*tag=*/0);
    // Asleep: waiting is no work, and would count as CPU time.
    while (t_fired.load(std::memory_order_acquire) == before) {
      std::this_thread::sleep_for(microseconds(50));
    }
  }
  void AwaitFired(uint64_t count) {
    while (t_fired.load(std::memory_order_acquire) < fired_ + count) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    fired_ += count;
  }

 private:
  struct One : internal::Timer {
    // One writer, the timer thread; release: pairs with the acquire of who waits.
    One() : Timer([](Timer&, uint64_t) { t_fired.fetch_add(1, std::memory_order_release); }) {}
  };
  static inline std::atomic<uint64_t> t_fired{0};

  uint64_t fired_ = t_fired.load(std::memory_order_acquire);
  std::vector<One> timers_;
  One fence_;
  internal::TimerQueue queue_{RealClock()};
};

// One thread, as steady_timer wants it.
class Asio {
 public:
  explicit Asio(uint64_t count) {
    timers_.reserve(count);
    for (uint64_t i = 0; i < count; ++i) timers_.emplace_back(context_);
  }

  void Arm(size_t i, TimePoint deadline) {
    timers_[i].expires_at(deadline);
    timers_[i].async_wait(
        [this](const boost::system::error_code& error) { fired_ += error ? 0 : 1; });
  }
  bool Cancel(size_t i) { return timers_[i].cancel() == 1; }

  // The handlers of cancelled timers run, too.
  void TakeNote() {
    context_.restart();
    context_.poll();
  }
  void AwaitFired(uint64_t count) {
    fired_ = 0;
    context_.restart();
    context_.run();
    if (fired_ != count) std::abort();
  }

 private:
  uint64_t fired_ = 0;
  boost::asio::io_context context_;
  std::vector<boost::asio::steady_timer> timers_;
};

template <class Timers>
void ArmAndCancel(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  Timers timers(count);
  const std::vector<nanoseconds> delays = Delays(count, kFar / 2, kFar);
  std::vector<double> cpu_ns;
  for (auto _ : state) {
    const int64_t begin = NowNs();
    const double cpu = CpuNs();
    const TimePoint now = std::chrono::steady_clock::now();
    for (size_t i = 0; i < count; ++i) timers.Arm(i, now + delays[i]);
    uint64_t cancelled = 0;
    for (size_t i = 0; i < count; ++i) cancelled += timers.Cancel(i) ? 1 : 0;
    timers.TakeNote();
    totals.AddRound(static_cast<double>(NowNs() - begin), count);
    cpu_ns.push_back((CpuNs() - cpu) / static_cast<double>(count));
    if (cancelled != count) totals.Fail("a timer was not cancelled");
  }
  totals.Report();
  state.counters["cpu_ns"] = Quantile(cpu_ns, 0.5);
}

template <class Timers>
void ArmAndFire(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  TaskTotals totals(state);
  Timers timers(count);
  const std::vector<nanoseconds> delays = Delays(count, kLead, kLead + kWindow);
  for (auto _ : state) {
    const double cpu = CpuNs();
    const TimePoint now = std::chrono::steady_clock::now();
    for (size_t i = 0; i < count; ++i) timers.Arm(i, now + delays[i]);
    timers.AwaitFired(count);
    totals.AddRound(CpuNs() - cpu, count);
  }
  totals.Report();
  state.counters["cpu_ns"] = state.counters["ns_per_task"];
}

void Millions(benchmark::internal::Benchmark* row) {
  Sizes<1'000'000>(row);
  row->Iterations(2);
}

BENCHMARK(ArmAndCancel<Ours>)->Name("timers/queue_cancel")->Apply(Millions);
BENCHMARK(ArmAndCancel<Asio>)->Name("timers/asio_cancel")->Apply(Millions);
BENCHMARK(ArmAndFire<Ours>)->Name("timers/queue_fire")->Apply(Millions);
BENCHMARK(ArmAndFire<Asio>)->Name("timers/asio_fire")->Apply(Millions);

}  // namespace
}  // namespace taskvisor::bench
