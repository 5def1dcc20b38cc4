#ifndef TASKVISOR_BUS_SPSC_QUEUE_H_
#define TASKVISOR_BUS_SPSC_QUEUE_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"

namespace taskvisor::internal {

// SpscQueue<T>
//
// Bounded, one pushing and one popping thread, both wait-free.
//
// Invariants
//   Q1  tail - head <= capacity; slots [head, tail) belong to the consumer
//   Q2  tail is written by the producer only, head by the consumer only
// Memory order: tail.store(release) in TryPush pairs with the acquire in Front (the
// record is whole); head.store(release) in Pop pairs with the acquire in TryPush (the
// slot is free again).
template <class T>
class SpscQueue {
 public:
  // `capacity` is taken as at least 1 and at most kMaxCapacity.
  static constexpr size_t kMaxCapacity = size_t{1} << 24;

  explicit SpscQueue(size_t capacity)
      : capacity_(std::clamp<size_t>(capacity, 1, kMaxCapacity)),
        mask_(std::bit_ceil(capacity_) - 1),
        slots_(std::make_unique<T[]>(mask_ + 1)) {}

  // Producer. False if full: the queue is unchanged.
  [[nodiscard]] bool TryPush(const T& value) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - seen_head_ >= capacity_) {
      seen_head_ = head_.load(std::memory_order_acquire);
      if (tail - seen_head_ >= capacity_) return false;
    }
    slots_[tail & mask_] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer. The oldest record, valid until Pop; null if empty.
  [[nodiscard]] const T* Front() const {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[head & mask_];
  }

  // Consumer. REQUIRES: Front() != null.
  void Pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  [[nodiscard]] size_t capacity() const { return capacity_; }

 private:
  const size_t capacity_;
  const size_t mask_;
  const std::unique_ptr<T[]> slots_;
  alignas(kCacheLine) Atomic<uint64_t> tail_{0};
  uint64_t seen_head_ = 0;  // the producer's copy
  alignas(kCacheLine) Atomic<uint64_t> head_{0};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_SPSC_QUEUE_H_
