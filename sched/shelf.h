#ifndef TASKVISOR_SCHED_SHELF_H_
#define TASKVISOR_SCHED_SHELF_H_

#include <cassert>
#include <cstddef>
#include <cstdint>

#include "sched/atomic.h"

namespace taskvisor::internal {

// Shelf<T>
//
// What one taker has set aside of a shared queue: elements in hand, and rights to take
// further ones from the queue. It is there so that the shared counters are touched once for
// several elements, and open to all so that nothing waits behind a taker that is busy.
//
//   owner     Fill, AddRight ──▶ in hand, rights ── TakeElement, TakeRights ──▶ anybody's
//
// Word:  | lap : 32 | rights : 16 | next : 8 | size : 8 |
//   lap      + 1 with every Fill: a taker that read an element of an earlier one fails
//   rights   elements of the queue that may be taken
//   next     items[next .. size) are in hand
//
// Memory order: an item is written before the word that shows it (release) and read after
// it (acquire). The owner writes anew only when it has seen, through an acquire, that all
// are taken: the takers' compare-and-swaps come before that, and their reads before those.
//
// seq_cst, where the owner puts something on it: it then looks whether somebody left who
// could have taken it, and who leaves lowers a count and then looks here. With acquire and
// release both could read the old value (the store-buffer litmus test).
//
// Progress: each call is lock-free.
template <class T>
class Shelf {
 public:
  static constexpr size_t kItems = 31;
  static constexpr uint64_t kMostRights = 0xffff;

  // One in hand. False: there is none.
  [[nodiscard]] bool TakeElement(T& element) {
    T seen{};  // not ours until the word is moved
    const auto update = UpdateIf(
        word_, [](uint64_t w) { return InHand(w) > 0; },
        [&](uint64_t w) {
          seen = items_[Next(w)].load(std::memory_order_relaxed);
          return w + kNextOne;
        });
    if (update) element = seen;
    return update.done;
  }

  // At most `most` rights; 0: there are none.
  [[nodiscard]] uint64_t TakeRights(uint64_t most) {
    uint64_t taken = 0;
    const auto update = UpdateIf(
        word_, [](uint64_t w) { return Rights(w) > 0; },
        [&](uint64_t w) {
          taken = Rights(w) < most ? Rights(w) : most;
          return w - taken * kRightOne;
        });
    return update ? taken : 0;
  }

  // The owner. REQUIRES: nothing in hand; 1 <= count <= kItems.
  void Fill(const T* elements, size_t count) {
    uint64_t seen = word_.load(std::memory_order_acquire);
    assert(InHand(seen) == 0 && count >= 1 && count <= kItems);
    for (size_t i = 0; i < count; ++i) items_[i].store(elements[i], std::memory_order_relaxed);
    uint64_t next = 0;
    do {  // rights may be taken meanwhile
      next = ((seen & kLapMask) + kLapOne) | (seen & kRightsMask) | count;
    } while (!word_.compare_exchange_weak(seen, next, std::memory_order_seq_cst,
                                          std::memory_order_acquire));
  }

  // The owner: a right to an element that it has pushed.
  void AddRight() { word_.fetch_add(kRightOne, std::memory_order_seq_cst); }

  [[nodiscard]] bool empty() const {
    const uint64_t w = word_.load(std::memory_order_seq_cst);
    return InHand(w) == 0 && Rights(w) == 0;
  }

 private:
  static constexpr uint64_t kSizeMask = 0xff;
  static constexpr uint64_t kNextOne = uint64_t{1} << 8;
  static constexpr uint64_t kRightOne = uint64_t{1} << 16;
  static constexpr uint64_t kRightsMask = kMostRights << 16;
  static constexpr uint64_t kLapOne = uint64_t{1} << 32;
  static constexpr uint64_t kLapMask = ~(kLapOne - 1);

  static size_t Next(uint64_t w) { return (w / kNextOne) & kSizeMask; }
  static size_t InHand(uint64_t w) { return (w & kSizeMask) - Next(w); }
  static uint64_t Rights(uint64_t w) { return (w & kRightsMask) / kRightOne; }

  alignas(kCacheLine) Atomic<uint64_t> word_{0};
  Atomic<T> items_[kItems] = {};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_SHELF_H_
