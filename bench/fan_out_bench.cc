// From one publisher to all subscribers, losing nothing. A row's name is
// fan_out/<who>/<subscribers>; its time is the wall from the first publish to the last
// callback, per event.
//
// The publisher never has more than kWindow events on their way, so that neither ring nor
// queues fill up; that is the same for all contenders.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "bench/bus_fixture.h"
#include "bench/fan_out_peers.h"
#include "bench/harness.h"
#include "bench/record.h"

namespace taskvisor::bench {
namespace {

constexpr uint64_t kEvents = 32768;  // a round
constexpr uint64_t kWindow = 2048;
constexpr uint64_t kBurst = 256;  // between two looks at the window
static_assert(kWindow + kBurst < kRingCapacity && kWindow + kBurst < RunningBus::kQueueCapacity);

// Counts what comes whole and in order.
class CountingReceiver final : public Receiver {
 public:
  void OnRecord(const Record& record) noexcept override {
    const uint64_t count = count_.load(std::memory_order_relaxed);
    if (!IsWhole(record) || record.value != count) wrong_.store(true, std::memory_order_relaxed);
    count_.store(count + 1, std::memory_order_release);
  }
  [[nodiscard]] uint64_t count() const { return count_.load(std::memory_order_acquire); }
  [[nodiscard]] bool wrong() const { return wrong_.load(std::memory_order_relaxed); }

 private:
  alignas(kLine) std::atomic<uint64_t> count_{0};
  std::atomic<bool> wrong_{false};
};

// How many events have come through to all.
template <class FanOut>
uint64_t Through(const FanOut& fan_out, const std::deque<CountingReceiver>& receivers) {
  uint64_t least = std::numeric_limits<uint64_t>::max();
  for (const CountingReceiver& receiver : receivers) least = std::min(least, receiver.count());
  if constexpr (requires { fan_out.fanned_out(); }) {
    if (receivers.empty()) return fan_out.fanned_out();
  }
  return least;
}

template <class FanOut>
void EndToEnd(benchmark::State& state) {
  std::deque<CountingReceiver> receivers(static_cast<size_t>(state.range(0)));
  std::vector<Receiver*> pointers;
  for (CountingReceiver& receiver : receivers) pointers.push_back(&receiver);
  FanOut fan_out(pointers);
  Totals totals;
  // A loss would make the wait for the last event one for ever.
  const auto await = [&](uint64_t events) {
    SpinUntil([&] { return Through(fan_out, receivers) >= events || fan_out.lost() > 0; });
  };
  uint64_t published = 0;
  for (auto _ : state) {
    const int64_t begin = NowNs();
    for (uint64_t i = 0; i < kEvents; i += kBurst) {
      for (uint64_t k = 0; k < kBurst; ++k) fan_out.Publish(published++);
      if (published > kWindow) await(published - kWindow);
    }
    await(published);
    totals.AddRound(state, static_cast<double>(NowNs() - begin) * 1e-9, kEvents);
  }
  totals.lost = fan_out.lost();
  for (const CountingReceiver& receiver : receivers) totals.lost += receiver.wrong() ? 1 : 0;
  totals.Report(state);
}

BENCHMARK(EndToEnd<RunningBus>)
    ->Name("fan_out/bus")
    ->Arg(0)
    ->Arg(1)
    ->Arg(4)
    ->Arg(8)
    ->UseManualTime();
BENCHMARK(EndToEnd<MailboxFanOut<MutexMailbox>>)
    ->Name("fan_out/mutex_swap")
    ->Arg(1)
    ->Arg(8)
    ->UseManualTime();
BENCHMARK(EndToEnd<MailboxFanOut<TbbMailbox>>)
    ->Name("fan_out/tbb")
    ->Arg(1)
    ->Arg(8)
    ->UseManualTime();
BENCHMARK(EndToEnd<MailboxFanOut<MoodycamelMailbox>>)
    ->Name("fan_out/moodycamel")
    ->Arg(1)
    ->Arg(8)
    ->UseManualTime();

}  // namespace
}  // namespace taskvisor::bench
