#ifndef TASKVISOR_SCHED_ITEM_COUNT_H_
#define TASKVISOR_SCHED_ITEM_COUNT_H_

#include <cstddef>
#include <cstdint>

#include "sched/atomic.h"

namespace taskvisor::internal {

// ItemCount
//
// How many work items drain a pool's ready queue, and who starts one more.
//
//   item:  promised ── Started ──▶ draining ── TryLeave ──▶ out
//             └─ TryCallOff: none is needed any more
//
// Word:  | starting : 12 | closed : 1 | draining + kNone : 13 |
//   starting   promised starts: their threads have yet to send an item
//   closed     joined: what is announced now never runs
//   draining   items that were sent and that are not yet out. An item that leaves
//              before its starter has counted it takes this below kNone for a moment
//
// The elements are in the queue, and are not counted here: while all items drain, who pushes one
// reads the word, which nobody writes then.
//
// seq_cst, in one pair: who pushes writes to the queue and then reads the word (Announce); an item
// that found nothing counts itself out and then looks at the queue once more (TryLeave). So either
// the pusher sees that an item is missing, or the item sees the element and comes back. With
// acquire and release both could read the old value, and the element would wait for the next one
// to be pushed (the store-buffer litmus test).
//
// A promise does not count as draining: a thread that is stopped before it keeps it would
// otherwise leave the pool short of an item, or without any. The price is that threads which
// submit at once may start a few items too many; these find nothing to do.
//
// Progress: all calls are lock-free.
class ItemCount {
 public:
  static constexpr size_t kMaxWorkers = 0x1ff;

  // At most `workers` are wanted at a time.
  explicit ItemCount(size_t workers) : workers_(workers) {}

  // Something was pushed, and that by a seq_cst step: see above. True: a start is promised by the
  // caller, who keeps it or calls it off. It holds one promise at a time.
  [[nodiscard]] bool Announce() {
    return Missing(word_.load(std::memory_order_seq_cst)) > 0 && TryPromise();
  }

  // The same after a push of `count`: as many items as are missing, and as there is something for.
  // any(): whether some of it is still nobody's. start(): keeps a promise or calls it off.
  template <class Any, class Start>
  void Announce(uint64_t count, Any any, Start start) {
    for (bool starts = Announce(); starts; starts = --count > 0 && any() && Announce()) start();
  }

  // True: others were faster, and the promise is off. `workers` items drain then, and none
  // of them leaves over what this thread has pushed.
  [[nodiscard]] bool TryCallOff() {
    return UpdateIf(
               word_, [this](uint32_t w) { return Missing(w) == 0; },
               [](uint32_t w) { return w - kStartingOne; })
        .done;
  }

  // The promise is kept: the item is sent. True: it is out already, and nothing is left to
  // do; who joins is to be told.
  [[nodiscard]] bool Started() {
    // acq_rel: Join judges the word that this leaves.
    return IsOver(word_.fetch_add(1 - kStartingOne, std::memory_order_acq_rel) + 1 - kStartingOne);
  }

  // An item that found nothing. any(): whether there is something now, read by seq_cst loads.
  // False: something came, and it goes on. (Also when closed: whoever joins waits for its thread
  // too.)
  template <class Any>
  [[nodiscard]] bool TryLeave(Any any) {
    word_.fetch_sub(1, std::memory_order_seq_cst);
    if (!any()) return true;
    // Back, unless others drain in our place: they look too.
    return !UpdateIf(
                word_, [this](uint32_t w) { return Missing(w) > 0; },
                [](uint32_t w) { return w + 1; })
                .done;
  }

  // True once nothing is promised or drains: nothing announced later will run.
  [[nodiscard]] bool TryClose() {
    const auto close = UpdateIf(
        word_, [](uint32_t w) { return IsOver(w); }, [](uint32_t w) { return w | kClosed; });
    return close.done || IsOver(close.seen & ~kClosed);
  }

 private:
  static constexpr uint32_t kDrainingMask = 0x1fff;
  static constexpr uint32_t kNone = 0x1000;
  static constexpr uint32_t kClosed = uint32_t{1} << 13;
  static constexpr int kStartingShift = 14;
  static constexpr uint32_t kStartingOne = uint32_t{1} << kStartingShift;
  static constexpr uint32_t kStartingMask = 0xfff;

  // Nothing promised or draining.
  static bool IsOver(uint32_t w) { return w == kNone; }
  // Items that could be draining and are not.
  [[nodiscard]] size_t Missing(uint32_t w) const {
    const size_t draining = w & kDrainingMask;
    return draining < kNone + workers_ ? kNone + workers_ - draining : 0;
  }
  // An item is missing, and there is room for a promise. A promise is made only while fewer than
  // workers_ drain, and items that leave make none: so draining and starting together are never
  // more than kStartingMask, and the field of `draining` stays between 1 and 2 * kNone - 1.
  [[nodiscard]] bool TryPromise() {
    return UpdateIf(
               word_,
               [this](uint32_t w) {
                 return (w & kClosed) == 0 && Missing(w) > 0 &&
                        (w >> kStartingShift) < kStartingMask - workers_;
               },
               [](uint32_t w) { return w + kStartingOne; })
        .done;
  }

  const size_t workers_;
  alignas(kCacheLine) Atomic<uint32_t> word_{kNone};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_ITEM_COUNT_H_
