#ifndef TASKVISOR_BUS_SPSC_QUEUE_H_
#define TASKVISOR_BUS_SPSC_QUEUE_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "sched/atomic.h"
#include "sched/prefetch.h"

namespace taskvisor::internal {

// SpscQueue<T>
//
// Bounded, one pushing and one popping thread, both wait-free. What is pushed is seen by
// the other side after Publish: one store for a whole batch.
//
// Invariants
//   Q1  pushed - head <= capacity; slots [head, tail) belong to the consumer
//   Q2  tail is written by the producer only, head by the consumer only
// Memory order: tail.store(release) in Publish pairs with the acquire in Front (the
// values are whole); head.store(release) in Pop pairs with the acquire in HasRoomFor
// (the slot is free again) and in `popped` (the consumer is done with what the value meant).
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
    if (!HasRoomFor(1)) return false;
    if (pushed_ % kPerLine == 0) PrefetchForWrite(&slots_[(pushed_ + kAhead) & mask_]);
    slots_[pushed_++ & mask_] = value;
    return true;
  }

  // Producer. All of them, or none if there is not room for all: the queue is unchanged then.
  [[nodiscard]] bool TryPushAll(std::span<const T> values) {
    if (!HasRoomFor(values.size())) return false;
    const size_t place = pushed_ & mask_;
    const size_t before_the_end = std::min(values.size(), mask_ + 1 - place);
    std::copy_n(values.begin(), before_the_end, &slots_[place]);
    std::copy(values.begin() + static_cast<ptrdiff_t>(before_the_end), values.end(), &slots_[0]);
    pushed_ += values.size();
    return true;
  }

  // Producer. Hands over all that was pushed; false if there was nothing new.
  bool Publish() {
    if (tail_.load(std::memory_order_relaxed) == pushed_) return false;
    tail_.store(pushed_, std::memory_order_release);
    return true;
  }

  // Producer. How many were pushed, and how many of them popped, ever.
  [[nodiscard]] uint64_t pushed() const { return pushed_; }
  [[nodiscard]] uint64_t popped() const { return head_.load(std::memory_order_acquire); }

  // Consumer. The oldest value, valid until Pop; null if empty.
  [[nodiscard]] const T* Front() {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == seen_tail_) {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (head == seen_tail_) return nullptr;
    }
    return &slots_[head & mask_];
  }

  // Consumer. REQUIRES: Front() != null.
  void Pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  [[nodiscard]] size_t capacity() const { return capacity_; }

 private:
  // Producer.
  bool HasRoomFor(size_t values) {
    if (pushed_ - seen_head_ + values <= capacity_) return true;
    seen_head_ = head_.load(std::memory_order_acquire);
    return pushed_ - seen_head_ + values <= capacity_;
  }

  // The consumer has the lines in its cache that are written next: they are called for in time.
  static constexpr uint64_t kPerLine = std::max<uint64_t>(1, kCacheLine / sizeof(T));
  static constexpr uint64_t kAhead = 2 * kPerLine;

  const size_t capacity_;
  const size_t mask_;
  const std::unique_ptr<T[]> slots_;
  alignas(kCacheLine) Atomic<uint64_t> tail_{0};
  uint64_t pushed_ = 0;     // the producer's own
  uint64_t seen_head_ = 0;  // the producer's copy
  alignas(kCacheLine) Atomic<uint64_t> head_{0};
  uint64_t seen_tail_ = 0;  // the consumer's copy
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_SPSC_QUEUE_H_
