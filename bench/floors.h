#ifndef TASKVISOR_BENCH_FLOORS_H_
#define TASKVISOR_BENCH_FLOORS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "bench/bus_fixture.h"
#include "bench/harness.h"
#include "bench/record.h"

namespace taskvisor::bench {

// What a publisher of numbered records must do at the least: no queue, since nothing asks for
// room, for the end, or for a reader that sleeps; only what one can be held against.

// A number from one word, and the record with it into the next slot of a ring. One producer.
class TicketAndRecord {
 public:
  static constexpr uint64_t kEventsPerCall = 1;

  void Publish(uint64_t value) {
    Slot& slot = slots_[position_++ % kRingCapacity];
    __builtin_prefetch(&slot + kAhead, 1);
    const uint64_t ticket = number_.fetch_add(1, std::memory_order_acq_rel) + 1;
    Fill(slot.record, value);
    slot.stamp.store(ticket, std::memory_order_release);
  }

  // Returns how many records are there, whole.
  uint64_t Drain() {
    uint64_t whole = 0;
    for (const uint64_t end = number_.load(std::memory_order_acquire); read_ < end;)
      whole += Take(++read_) ? 1 : 0;
    return whole;
  }

 private:
  struct alignas(kLine) Slot {
    std::atomic<uint64_t> stamp{0};
    Record record;
    char beside[kLine];  // where a longer record would go on, as in the ring
  };

  // False: it is not there (yet), or not whole.
  [[nodiscard]] bool Take(uint64_t ticket) const {
    const Slot& slot = slots_[(ticket - 1) % kRingCapacity];
    if (slot.stamp.load(std::memory_order_acquire) != ticket) return false;
    const Record copy = slot.record;
    return IsWhole(copy);
  }
  static constexpr uint64_t kAhead = 32;

  const std::unique_ptr<Slot[]> slots_ = std::make_unique<Slot[]>(kRingCapacity + kAhead);
  alignas(2 * kLine) uint64_t position_ = 0;
  alignas(2 * kLine) std::atomic<uint64_t> number_{0};
  uint64_t read_ = 0;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_FLOORS_H_
