#ifndef TASKVISOR_BUS_LOSS_COUNT_H_
#define TASKVISOR_BUS_LOSS_COUNT_H_

#include <cstdint>

#include "sched/atomic.h"

namespace taskvisor::internal {

// LossCount
//
// How many records were lost, ever, until the reader has told of the last ones and seals the
// count: a loss is counted and will be told, or it is void, and both sides know which.
//
//   open ── Add ──▶ open ── Seal, by the reader ──▶ sealed, for ever
//
// Word:  | count : 63 | sealed : 1 |
//
// seq_cst, in a pair with the ring's word: who loses a record adds it here, then looks whether the
// reader sleeps; a reader that goes to sleep says so, then looks here. With acquire and release
// both could read the old value (the store-buffer litmus test), and the loss would not be told
// before somebody publishes something else.
//
// Progress: wait-free.
class LossCount {
 public:
  // False: sealed. What the caller did before is seen by who sees the count. seq_cst: see above.
  [[nodiscard]] bool Add(uint64_t records) {
    return (word_.fetch_add(records * kOne, std::memory_order_seq_cst) & kSealed) == 0;
  }
  // The one that adds, to itself.
  [[nodiscard]] uint64_t mine() const { return word_.load(std::memory_order_relaxed) / kOne; }

  // --- the reader ---
  // What is added to a sealed count is void. seq_cst: see above.
  [[nodiscard]] uint64_t count() const {
    return sealed_ ? last_ : word_.load(std::memory_order_seq_cst) / kOne;
  }
  void Seal() {
    last_ = word_.fetch_or(kSealed, std::memory_order_acq_rel) / kOne;
    sealed_ = true;
  }

 private:
  static constexpr uint64_t kSealed = 1;
  static constexpr uint64_t kOne = 2;

  Atomic<uint64_t> word_{0};
  // The reader's.
  bool sealed_ = false;
  uint64_t last_ = 0;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_LOSS_COUNT_H_
