// What one publish costs: nobody reads meanwhile, or the fan-out does. A row's name is
// publish/<who>/<producers>. A round is kRoundEvents by all producers together, timed from
// the first one's start to the last one's end; what they published is read between rounds.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "bench/bus_fixture.h"
#include "bench/crew.h"
#include "bench/floors.h"
#include "bench/harness.h"
#include "bench/peers.h"

namespace taskvisor::bench {
namespace {

// A bus with no subscribers: the fan-out takes records while they are published, on another
// core than the publisher's.
class LiveBus {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  LiveBus() { cores_.Pin(0); }
  ~LiveBus() { cores_.Unpin(); }

  void Publish(uint64_t value) { bus_->Publish(value); }
  uint64_t Drain() {
    SpinUntil([this] { return bus_->fanned_out() + bus_->lost() >= drained_ + kRoundEvents; });
    drained_ += kRoundEvents;
    return kRoundEvents - bus_->lost();
  }

 private:
  static std::unique_ptr<RunningBus> StartOn(const Cores& cores, int core) {
    cores.Pin(core);  // which its thread inherits
    return std::make_unique<RunningBus>(std::vector<Receiver*>());
  }

  const Cores cores_;
  const std::unique_ptr<RunningBus> bus_ = StartOn(cores_, 1);
  uint64_t drained_ = 0;
};

// Of the rounds of several producers only those count in which they met: on a machine that
// has other things to do they often run one after the other, and contend for nothing. Two at
// any time, less some skew at both ends; also for more producers than cores.
constexpr double kAtOnce = 1.5;

template <class Queue>
Queue QueueFor(uint64_t producers) {
  if constexpr (std::is_constructible_v<Queue, uint64_t>) {
    return Queue(producers);
  } else {
    return Queue();
  }
}

template <class Queue>
Crew CrewOf(Queue& queue, uint64_t producers) {
  const uint64_t calls = kRoundEvents / producers / Queue::kEventsPerCall;
  return {static_cast<int>(producers), [&queue, calls](int member) {
            const uint64_t first = static_cast<uint64_t>(member) << 32;
            for (uint64_t i = 0; i < calls; ++i) queue.Publish(first + i);
          }};
}

template <class Queue>
void Publish(benchmark::State& state) {
  const auto producers = static_cast<uint64_t>(state.range(0));
  Queue queue = QueueFor<Queue>(producers);
  Crew crew = CrewOf(queue, producers);
  Totals totals;
  for (auto _ : state) {
    const Crew::Timing timing = crew.Round();
    totals.AddRound(state, timing.seconds, kRoundEvents,
                    producers == 1 || timing.at_once >= kAtOnce);
    totals.lost += kRoundEvents - queue.Drain();
  }
  totals.Report(state);
  if (producers > 1) state.counters["contended"] = totals.counted_share();
}

// One producer, and each of its rounds beside one of bare fetch_adds: a core's clock changes by a
// fifth from one second to the next, which rows measured one after the other take for a difference
// between them. `per_add` is the median of the rounds' ratios.
template <class Queue>
void PublishBesideAdds(benchmark::State& state) {
  Queue queue;
  FetchAdd adds;
  Crew crew = CrewOf(queue, 1);
  Crew adding = CrewOf(adds, 1);
  Totals totals;
  std::vector<double> ratios;
  for (auto _ : state) {
    const double seconds = crew.Round().seconds;
    ratios.push_back(seconds / adding.Round().seconds);
    totals.AddRound(state, seconds, kRoundEvents);
    totals.lost += kRoundEvents - queue.Drain() + kRoundEvents - adds.Drain();
  }
  totals.Report(state);
  state.counters["per_add"] = Quantile(std::move(ratios), 0.5);
}

void OneProducer(benchmark::internal::Benchmark* row) { row->Arg(1)->UseManualTime(); }
void Producers(benchmark::internal::Benchmark* row) {
  row->Arg(1)->Arg(2)->Arg(4)->UseManualTime();
}

BENCHMARK(Publish<FetchAdd>)->Name("publish/fetch_add")->Apply(Producers);
BENCHMARK(Publish<TicketAndStamp>)->Name("publish/ticket_and_stamp")->Apply(Producers);
BENCHMARK(Publish<LineCopy>)->Name("publish/copy_64_bytes")->Apply(OneProducer);
BENCHMARK(Publish<IdleRing>)->Name("publish/ring")->Apply(Producers);
BENCHMARK(PublishBesideAdds<IdleRing>)->Name("publish/ring_beside_adds")->Apply(OneProducer);
BENCHMARK(PublishBesideAdds<TicketAndRecord>)
    ->Name("publish/ticket_and_record_beside_adds")
    ->Apply(OneProducer);
BENCHMARK(Publish<IdleRingRuns>)->Name("publish/ring_run_of_3")->Apply(Producers);
BENCHMARK(PublishBesideAdds<LiveBus>)->Name("publish/bus_live_beside_adds")->Apply(OneProducer);
BENCHMARK(PublishBesideAdds<TicketAndRecordLive>)
    ->Name("publish/ticket_and_record_live_beside_adds")
    ->Apply(OneProducer);
BENCHMARK(Publish<TbbQueue>)->Name("publish/tbb")->Apply(Producers);
BENCHMARK(Publish<BoostQueue>)->Name("publish/boost")->Apply(Producers);
BENCHMARK(Publish<MutexVector>)->Name("publish/mutex_vector")->Apply(Producers);
BENCHMARK(Publish<MoodycamelQueue>)->Name("publish/moodycamel")->Apply(Producers);

}  // namespace
}  // namespace taskvisor::bench
