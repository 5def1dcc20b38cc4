// How long one event takes from Publish to the callback, one event at a time, as p50 and p99
// over the events of a repetition.
//   spinning  the next event comes at once: nobody has gone to sleep yet
//   parked    the next event comes kPause later: everybody sleeps
// Placed: the publisher on one core, who is woken on another. `unplaced` rows leave that to
// the scheduler, which at times puts both on one core: a wake-up is then a context switch of
// about half the time of a wake-up across, and a ratio of two such rows says nothing.

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "bench/bus_fixture.h"
#include "bench/crew.h"
#include "bench/harness.h"
#include "bench/record.h"
#include "sched/futex.h"

namespace taskvisor::bench {
namespace {

constexpr std::chrono::microseconds kPause{500};
constexpr int64_t kSpinningEvents = 10000;
constexpr int64_t kParkedEvents = 600;

// The far end: how long the last event took, and how many came.
class Target {
 public:
  void Hit(uint64_t sent_ns) {
    took_ns_ = NowNs() - static_cast<int64_t>(sent_ns);
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  int64_t Await(uint64_t count) {
    SpinUntil([&] { return count_.load(std::memory_order_acquire) >= count; });
    return took_ns_;
  }

 private:
  int64_t took_ns_ = 0;
  alignas(kLine) std::atomic<uint64_t> count_{0};
};

// --- the ways: Send(now) makes Hit(now) happen at the target, on another thread ---------

// kPlaced: the bus's threads on another core than the publisher's, like the ping-pong's two.
// Left to the scheduler they share one at times and take turns at a context switch each.
template <bool kPlaced>
class BusWay : private Receiver {
 public:
  explicit BusWay(Target& target) : target_(target), bus_(Start()) {
    if (kPlaced) cores_.Pin(0);
  }
  ~BusWay() { cores_.Unpin(); }
  void Send(uint64_t now) { bus_->Publish(now); }
  [[nodiscard]] uint64_t lost() const { return bus_->lost(); }

 private:
  void OnRecord(const Record& record) noexcept override { target_.Hit(record.value); }

  std::unique_ptr<RunningBus> Start() {
    if (kPlaced) cores_.Pin(1);  // which its threads inherit
    return std::make_unique<RunningBus>(std::vector<Receiver*>{this});
  }

  Target& target_;
  const Cores cores_;
  const std::unique_ptr<RunningBus> bus_;
};

// A cache line that one thread writes and another one waits for.
class Wire {
 public:
  void Put(uint64_t value) { value_.store(value, std::memory_order_release); }
  uint64_t AwaitOther(uint64_t than) const {
    SpinUntil([&] { return value_.load(std::memory_order_acquire) != than; });
    return value_.load(std::memory_order_acquire);
  }

 private:
  alignas(kLine) std::atomic<uint64_t> value_{0};
};

constexpr uint64_t kHangUp = ~uint64_t{0};

// There and back: two hops of a cache line between two threads, each on a core of its own.
class PingPong {
 public:
  explicit PingPong(Target& target) : target_(target), thread_([this] { Return(); }) {
    cores_.Pin(0);
  }
  ~PingPong() {
    ping_.Put(kHangUp);
    thread_.join();
    cores_.Unpin();
  }
  void Send(uint64_t now) {
    ping_.Put(now);
    last_ = pong_.AwaitOther(last_);
    target_.Hit(last_);
  }
  [[nodiscard]] uint64_t lost() const { return 0; }

 private:
  void Return() {
    cores_.Pin(1);
    for (uint64_t value = 0; (value = ping_.AwaitOther(value)) != kHangUp;) pong_.Put(value);
  }

  Target& target_;
  const Cores cores_;
  Wire ping_;
  Wire pong_;
  uint64_t last_ = 0;
  std::thread thread_;
};

// Two hops over three threads, as the bus has them.
class Relay {
 public:
  explicit Relay(Target& target)
      : target_(target), middle_([this] { Pass(); }), end_([this] { Arrive(); }) {}
  ~Relay() {
    first_.Put(kHangUp);
    middle_.join();
    end_.join();
  }
  void Send(uint64_t now) { first_.Put(now); }
  [[nodiscard]] uint64_t lost() const { return 0; }

 private:
  void Pass() {
    for (uint64_t value = 0; value != kHangUp;) second_.Put(value = first_.AwaitOther(value));
  }
  void Arrive() {
    for (uint64_t value = 0; (value = second_.AwaitOther(value)) != kHangUp;) target_.Hit(value);
  }

  Target& target_;
  Wire first_;
  Wire second_;
  std::thread middle_;
  std::thread end_;
};

// One thread asleep in a futex is woken. kPlaced: as for BusWay.
template <bool kPlaced>
class FutexHop {
 public:
  explicit FutexHop(Target& target) : target_(target), thread_([this] { Arrive(); }) {
    if (kPlaced) cores_.Pin(0);
  }
  ~FutexHop() {
    Send(kHangUp);
    thread_.join();
    cores_.Unpin();
  }
  void Send(uint64_t now) {
    sent_.store(now, std::memory_order_relaxed);
    turn_.fetch_add(1, std::memory_order_release);
    internal::FutexWakeAll(turn_);
  }
  [[nodiscard]] uint64_t lost() const { return 0; }

 private:
  void Arrive() {
    if (kPlaced) cores_.Pin(1);
    for (uint32_t seen = 0;; ++seen) {
      while (turn_.load(std::memory_order_acquire) == seen) {
        internal::FutexWait(turn_, seen, std::chrono::steady_clock::time_point::max());
      }
      const uint64_t sent = sent_.load(std::memory_order_relaxed);
      if (sent == kHangUp) return;
      target_.Hit(sent);
    }
  }

  Target& target_;
  const Cores cores_;
  std::atomic<uint64_t> sent_{0};
  internal::Atomic<uint32_t> turn_{0};
  std::thread thread_;
};

template <class Way, bool kParked>
void Latency(benchmark::State& state) {
  Target target;
  Way way(target);
  Totals totals;
  std::vector<double> took_ns;
  for (auto _ : state) {
    if (kParked) std::this_thread::sleep_for(kPause);
    way.Send(static_cast<uint64_t>(NowNs()));
    const auto ns = static_cast<double>(target.Await(totals.events + 1));
    took_ns.push_back(ns);
    totals.AddRound(state, ns * 1e-9, 1);
  }
  totals.lost = way.lost();
  totals.Report(state);
  state.counters["p50_ns"] = Quantile(took_ns, 0.5);
  state.counters["p99_ns"] = Quantile(took_ns, 0.99);
}

void Spinning(benchmark::internal::Benchmark* row) {
  row->Iterations(kSpinningEvents)->UseManualTime();
}
void Parked(benchmark::internal::Benchmark* row) {
  row->Iterations(kParkedEvents)->UseManualTime();
}

BENCHMARK(Latency<BusWay<true>, false>)->Name("latency/bus_spinning")->Apply(Spinning);
BENCHMARK(Latency<BusWay<false>, false>)->Name("latency/bus_spinning_unplaced")->Apply(Spinning);
BENCHMARK(Latency<PingPong, false>)->Name("latency/ping_pong")->Apply(Spinning);
BENCHMARK(Latency<Relay, false>)->Name("latency/relay")->Apply(Spinning);
BENCHMARK(Latency<BusWay<true>, true>)->Name("latency/bus_parked")->Apply(Parked);
BENCHMARK(Latency<BusWay<false>, true>)->Name("latency/bus_parked_unplaced")->Apply(Parked);
BENCHMARK(Latency<FutexHop<true>, true>)->Name("latency/futex_hop")->Apply(Parked);
BENCHMARK(Latency<FutexHop<false>, true>)->Name("latency/futex_hop_unplaced")->Apply(Parked);

}  // namespace
}  // namespace taskvisor::bench
