#ifndef TASKVISOR_SCHED_INDEX_STACK_H_
#define TASKVISOR_SCHED_INDEX_STACK_H_

#include <cstdint>
#include <optional>

#include "sched/atomic.h"

namespace taskvisor::internal {

// IndexStack
//
// A lock-free stack of small numbers (free slots). The link of a number lives with
// whatever it numbers: `link(i)` returns its Atomic<uint32_t>&, valid for ever.
//
// Head word:  | tag : 32 | top + 1 : 32 |. The tag counts changes, so a Pop that
// stalled between reading the link and the CAS cannot succeed on a top that has come
// back (ABA) unless exactly 2^32 changes passed meanwhile.
class IndexStack {
 public:
  template <class Link>
  void Push(uint32_t index, Link link) {
    uint64_t head = head_.load(std::memory_order_acquire);
    do {
      // Published by the release of the CAS; a stale popper's CAS fails. release: who reads a link
      // for what it was before (see Entry) sees that it is one now.
      link(index).store(static_cast<uint32_t>(head), std::memory_order_release);
    } while (!head_.compare_exchange_weak(head, Retag(head, index + 1), std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  }

  template <class Link>
  [[nodiscard]] std::optional<uint32_t> Pop(Link link) {
    const auto update = UpdateIf(
        head_, [](uint64_t head) { return static_cast<uint32_t>(head) != 0; },
        [&](uint64_t head) {
          const uint32_t top = static_cast<uint32_t>(head) - 1;
          return Retag(head, link(top).load(std::memory_order_relaxed));
        });
    if (!update) return std::nullopt;
    return static_cast<uint32_t>(update.seen) - 1;
  }

 private:
  static uint64_t Retag(uint64_t head, uint32_t top) { return (((head >> 32) + 1) << 32) | top; }

  alignas(kCacheLine) Atomic<uint64_t> head_{0};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_INDEX_STACK_H_
