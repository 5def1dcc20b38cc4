#ifndef TASKVISOR_BENCH_FLOORS_H_
#define TASKVISOR_BENCH_FLOORS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "bench/bus_fixture.h"
#include "bench/crew.h"
#include "bench/harness.h"
#include "bench/record.h"
#include "sched/prefetch.h"

namespace taskvisor::bench {

// What a publisher of numbered records must do at the least: no queue, since nothing asks for
// room, for the end, or for a reader that sleeps; only what one can be held against.

// A number from one word, and the record with it into the next slot of a ring. One producer.
class TicketAndRecord {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  void Publish(uint64_t value) {
    Slot& slot = slots_[position_++ % kRingCapacity];
    internal::PrefetchForWrite(&slot + kAhead);
    const uint64_t ticket = number_.fetch_add(1, std::memory_order_acq_rel) + 1;
    Fill(slot.record, value);
    slot.stamp.store(ticket, std::memory_order_release);
  }

  // Numbers given out; their records may be under way.
  [[nodiscard]] uint64_t published() const { return number_.load(std::memory_order_acquire); }

  // Returns how many of them are there, whole, since the last; those behind one that is not
  // count next time. One thread at a time.
  uint64_t Drain() {
    const uint64_t before = read_;
    for (const uint64_t end = published(); read_ < end && IsThere(read_ + 1);) ++read_;
    return read_ - before;
  }

 private:
  struct alignas(kLine) Slot {
    std::atomic<uint64_t> stamp{0};
    Record record;
    char beside[kLine];  // where a longer record would go on, as in the ring
  };

  // False: not yet, or not whole.
  [[nodiscard]] bool IsThere(uint64_t ticket) const {
    const Slot& slot = slots_[(ticket - 1) % kRingCapacity];
    if (slot.stamp.load(std::memory_order_acquire) != ticket) return false;
    const Record copy = slot.record;
    return IsWhole(copy);
  }
  static constexpr uint64_t kAhead = 32;

  const std::unique_ptr<Slot[]> slots_ = std::make_unique<Slot[]>(kRingCapacity + kAhead);
  alignas(2 * kLine) uint64_t position_ = 0;
  alignas(2 * kLine) std::atomic<uint64_t> number_{0};
  alignas(2 * kLine) uint64_t read_ = 0;
};

// The same while another thread reads it, on another core, as rarely as the bus does: each line
// goes there and comes back.
class TicketAndRecordLive {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  TicketAndRecordLive() {
    cores_.Pin(0);
    reader_ = std::thread([this] {
      cores_.Pin(1);
      while (!over_.load(std::memory_order_acquire)) {
        whole_.store(whole_.load(std::memory_order_relaxed) + records_.Drain(),
                     std::memory_order_release);
        Rest();
      }
    });
  }
  ~TicketAndRecordLive() {
    over_.store(true, std::memory_order_release);
    reader_.join();
    cores_.Unpin();
  }

  void Publish(uint64_t value) { records_.Publish(value); }
  uint64_t Drain() {
    drained_ += kRoundEvents;
    SpinUntil([this] { return whole_.load(std::memory_order_acquire) == drained_; });
    return kRoundEvents;
  }

 private:
  static constexpr int64_t kRestNs = 15'000;
  static void Rest() {
    for (const int64_t until = NowNs() + kRestNs; NowNs() < until;) std::this_thread::yield();
  }

  const Cores cores_;
  TicketAndRecord records_;
  alignas(2 * kLine) std::atomic<uint64_t> whole_{0};  // that were read
  std::atomic<bool> over_{false};
  uint64_t drained_ = 0;
  std::thread reader_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_FLOORS_H_
