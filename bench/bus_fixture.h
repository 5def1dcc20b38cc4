#ifndef TASKVISOR_BENCH_BUS_FIXTURE_H_
#define TASKVISOR_BENCH_BUS_FIXTURE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "bench/record.h"
#include "bus/bus.h"
#include "bus/ring.h"
#include "bus/subscription.h"

namespace taskvisor::bench {

// The only file of bench/ that knows the interface of Ring, Bus and Subscription.

// Of all producers together; their whole round fits.
inline constexpr size_t kRingCapacity = 8192;
// A multiple of 3 * 4: runs of 3 by 4 producers come out even.
inline constexpr uint64_t kRoundEvents = 7680;
static_assert(kRoundEvents < kRingCapacity);

// --- a ring whose reader is idle while publishers are timed ----------------------------

class IdleRing {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  explicit IdleRing(uint64_t producers = 1) : ring_(kRingCapacity / producers) {}

  void Publish(uint64_t value) {
    static_cast<void>(ring_.Publish([value](Record& record) { Fill(record, value); }));
  }

  // Takes all there is; returns how many records came through whole.
  uint64_t Drain() {
    uint64_t whole = 0;
    while (true) {
      const auto taken = ring_.Take();
      if (taken.record == nullptr) return whole;
      whole += IsWhole(*taken.record) ? 1 : 0;
      ring_.Done();
    }
  }

 protected:
  internal::Ring<Record> ring_;
};

// The same, three records in one claim.
class IdleRingRuns : public IdleRing {
 public:
  using IdleRing::IdleRing;
  static constexpr uint64_t kEventsPerCall = 3;

  void Publish(uint64_t value) {
    static_cast<void>(
        ring_.PublishRun(std::array<uint32_t, kEventsPerCall>{},
                         [value](size_t i, Record& record, internal::SlotText<Record>&) {
                           Fill(record, value + i);
                         }));
  }
};

// --- a whole bus -----------------------------------------------------------------------

class BusHooks final : public internal::FanOutHooks<Record> {
 public:
  void Observe(const Record&) noexcept override {}
  internal::Report<Record> MakeLag(uint64_t lost) noexcept override { return {MakeRecord(lost)}; }
  internal::Report<Record> MakeRefusal(const internal::Subscription<Record>&,
                                       internal::Subscription<Record>::Offered,
                                       uint64_t count) noexcept override {
    return {MakeRecord(count)};
  }
  void OnIdle() noexcept override {}
  bool IsDiagnostic(const Record&) const noexcept override { return false; }
};

class ReceiverSink final : public internal::Sink<Record> {
 public:
  explicit ReceiverSink(Receiver& receiver) : receiver_(receiver) {}
  void OnRecord(const Record& record) noexcept override { receiver_.OnRecord(record); }
  uint64_t WantedOf(std::span<const Record* const> records) const noexcept override {
    return internal::FirstBits(records.size());
  }

 private:
  Receiver& receiver_;
};

// A running bus with one subscription for each receiver; the destructor waits until no
// receiver is called any more.
class RunningBus {
 public:
  static constexpr size_t kQueueCapacity = 4096;

  explicit RunningBus(const std::vector<Receiver*>& receivers)
      : bus_(kRingCapacity, Subscriptions(receivers), hooks_) {
    bus_.Start();
  }

  ~RunningBus() {
    bus_.Close();
    bus_.Join();
    for (const auto& subscription : bus_.subscriptions()) {
      while (!subscription->Done()) std::this_thread::yield();
    }
  }

  void Publish(uint64_t value) {
    bus_.Publish([value](Record& record) { Fill(record, value); });
  }

  [[nodiscard]] uint64_t fanned_out() const { return bus_.fanned_out(); }

  // In the ring, or at a full queue.
  [[nodiscard]] uint64_t lost() const {
    uint64_t lost = bus_.lost();
    for (const auto& subscription : bus_.subscriptions()) lost += subscription->Counts().dropped;
    return lost;
  }

 private:
  static internal::Bus<Record>::Subscriptions Subscriptions(
      const std::vector<Receiver*>& receivers) {
    internal::Bus<Record>::Subscriptions subscriptions;
    for (Receiver* receiver : receivers) {
      subscriptions.push_back(std::make_shared<internal::Subscription<Record>>(
          "bench", kQueueCapacity, std::make_unique<ReceiverSink>(*receiver)));
    }
    return subscriptions;
  }

  BusHooks hooks_;
  internal::Bus<Record> bus_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_BUS_FIXTURE_H_
