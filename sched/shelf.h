#ifndef TASKVISOR_SCHED_SHELF_H_
#define TASKVISOR_SCHED_SHELF_H_

#include <cassert>
#include <cstddef>
#include <cstdint>

#include "sched/atomic.h"

namespace taskvisor::internal {

// Shelf<T, kItems>
//
// Elements that one thread has taken from a shared queue in one go, while the queue's
// counters were in its cache, and runs one by one. It is open to all: what lies on the shelf
// of a thread that is busy, or stopped, is anybody's.
//
//   owner ── Put ──▶ items[next .. size) ── TryTake ──▶ the owner, or anybody else
//
// Word:  | lap : 48 | next : 8 | size : 8 |
//   lap     + 1 when the owner begins anew, at items[0]: a taker that read an item of an
//           earlier lap fails in its compare-and-swap
//
// Memory order: an item is written before the word that shows it (release) and read after
// it (acquire). The owner begins anew only when it has seen, through an acquire, that all
// are taken: the takers' compare-and-swaps come before that, and their reads before those.
//
// seq_cst, in Put and empty(): who puts something here then looks whether somebody left who
// could have taken it, and who leaves lowers a count and then looks here. With acquire and
// release both could read the old value (the store-buffer litmus test).
//
// Progress: Put is wait-free, TryTake lock-free.
template <class T, size_t kItems = 31>
class Shelf {
  static_assert(kItems < 256);

 public:
  // The owner. HasRoom stays true until its next Put.
  [[nodiscard]] bool HasRoom() const {
    // relaxed: the size is its own; the acquire of the takes is in Put.
    const uint64_t w = word_.load(std::memory_order_relaxed);
    return Size(w) < kItems || Next(w) == kItems;
  }
  // The owner. REQUIRES: HasRoom().
  void Put(T element) {
    const uint64_t w = word_.load(std::memory_order_acquire);
    if (Next(w) == kItems) {  // nothing left to take: nobody but the owner moves the word
      items_[0].store(element, std::memory_order_relaxed);
      word_.exchange((w & kLapMask) + kLapOne + 1, std::memory_order_seq_cst);
      return;
    }
    assert(Size(w) < kItems);
    items_[Size(w)].store(element, std::memory_order_relaxed);
    word_.fetch_add(1, std::memory_order_seq_cst);
  }

  // The one that lies there longest. False: there is none.
  [[nodiscard]] bool TryTake(T& element) {
    T seen{};  // not ours until the word is moved
    const auto update = UpdateIf(
        word_, [](uint64_t w) { return Next(w) < Size(w); },
        [&](uint64_t w) {
          seen = items_[Next(w)].load(std::memory_order_relaxed);
          return w + kNextOne;
        });
    if (update) element = seen;
    return update.done;
  }

  [[nodiscard]] bool empty() const {
    const uint64_t w = word_.load(std::memory_order_seq_cst);
    return Next(w) == Size(w);
  }

 private:
  static constexpr uint64_t kMask = 0xff;
  static constexpr uint64_t kNextOne = uint64_t{1} << 8;
  static constexpr uint64_t kLapOne = uint64_t{1} << 16;
  static constexpr uint64_t kLapMask = ~(kLapOne - 1);

  static size_t Size(uint64_t w) { return w & kMask; }
  static size_t Next(uint64_t w) { return w / kNextOne & kMask; }

  alignas(kCacheLine) Atomic<uint64_t> word_{0};
  Atomic<T> items_[kItems] = {};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_SHELF_H_
