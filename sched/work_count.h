#ifndef TASKVISOR_SCHED_WORK_COUNT_H_
#define TASKVISOR_SCHED_WORK_COUNT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"
#include "sched/shelf.h"

namespace taskvisor::internal {

// WorkCount<T>
//
// Who may take how many elements of a pool's ready queue, and how many work items drain them.
//
//   pushed ── Announce ──▶ pending ── Claim ──▶ rights ── the queue's Take ──▶ taken
//                                                 └── Keep: on the seat's shelf ── Claim ──▶ taken
//
//   item:  promised ── Started ──▶ draining ── TryLeave ──▶ out
//             └─ TryCallOff
//
// Word:  | pending : 31 | starting : 16 | closed : 1 | draining + kNone : 16 |
//   pending    pushed and not yet claimed
//   starting   promised starts: their threads have yet to give TBB an item
//   closed     joined: what is announced now never runs
//   draining   items that TBB was given and that are not yet out. An item that leaves
//              before its starter has counted it takes this below kNone for a moment
//
// A promise does not count as draining: a thread that is stopped before it keeps it would
// otherwise leave the pool short of an item, or without any. The price is that threads which
// submit at once may start a few items too many; these find nothing to do.
//
// The word, and the queue's own counters, are what all pushers and all items contend for. So
// while all items drain, one of them claims several elements at once, takes them from the
// queue in one go, and keeps them on the shelf of its seat, from where it takes them one by
// one. Nothing is stranded behind a long body: whoever finds nothing pending clears the
// shelves of others before it leaves.
//
// seq_cst, in one pair: Keep puts elements on a shelf and then reads `draining`; TryLeave
// lowers it and then looks at the shelves. With acquire and release both could read the old
// value, and elements would stay behind a body that runs for an hour, with no item awake to
// take them.
//
// Progress: all calls are lock-free.
template <class T>
class WorkCount {
 public:
  static constexpr size_t kMaxWorkers = 0x4000;

  explicit WorkCount(size_t workers, size_t seats)
      : workers_(workers), seats_(seats), shelves_(std::make_unique<Shelf<T>[]>(seats)) {}

  // `count` elements were pushed. The result: so many starts are promised by the caller,
  // who keeps or calls off each.
  [[nodiscard]] uint64_t Announce(uint64_t count) {
    // In one step, so that an item on its way out either saw this push or is replaced.
    uint64_t starts = 0;
    const auto announced = UpdateIf(
        word_, [](uint64_t w) { return (w & kClosed) == 0; },
        [&](uint64_t w) {
          const uint64_t room = kStartingMask - ((w >> kStartingShift) & kStartingMask);
          starts = std::min({Missing(w), count, room});
          return w + count * kPendingOne + starts * kStartingOne;
        });
    return announced ? starts : 0;
  }

  // True: others were faster, and the promise is off. `workers` items drain then, and none
  // of them leaves over what this thread has pushed.
  [[nodiscard]] bool TryCallOff() {
    return UpdateIf(
               word_, [this](uint64_t w) { return Missing(w) == 0; },
               [](uint64_t w) { return w - kStartingOne; })
        .done;
  }

  // The promise is kept: TBB has the item. True: it is out already, and nothing is left to
  // do; who joins is to be told.
  [[nodiscard]] bool Started() {
    // acq_rel: Join judges the word that this leaves.
    return word_.fetch_add(1 - kStartingOne, std::memory_order_acq_rel) + 1 - kStartingOne == kNone;
  }

  // What Claim gave: an element, or so many rights to take one from the queue, or nothing.
  struct Claimed {
    T element;        // if there are no rights
    uint64_t rights;  // at most kMostClaims; of several, all but one element go to Keep
    [[nodiscard]] bool nothing() const { return rights == 0 && element == T{}; }
  };
  static constexpr size_t kMostClaims = Shelf<T>::kItems + 1;

  // The item on `seat`.
  [[nodiscard]] Claimed Claim(size_t seat) {
    Claimed claimed{};
    if (shelves_[seat].TakeElement(claimed.element)) return claimed;
    claimed.rights = shelves_[seat].TakeRights(kMostClaims);
    if (claimed.rights > 0) return claimed;
    uint64_t share = 0;
    const auto update = UpdateIf(
        word_, [](uint64_t w) { return w >= kPendingOne; },
        [&](uint64_t w) {
          share = Missing(w) > 0 ? 1 : ShareOf(w / kPendingOne);
          return w - share * kPendingOne;
        });
    if (!update) return FromOthers(seat);
    claimed.rights = share;
    return claimed;
  }

  // Puts on the seat's shelf what was claimed for later. True: not all items drain, one may
  // have left meanwhile; the caller has promised a start.
  [[nodiscard]] bool Keep(size_t seat, const T* elements, size_t count) {
    shelves_[seat].Fill(elements, count);
    return PromiseIfMissing();
  }

  // Takes an element that waits before one that the caller has pushed and not announced:
  // from the seat's shelf, or `anywhere`. Then the pushed one counts, and `starts` is as in
  // Keep. False: neither; the caller takes one from the queue for the one that it pushed.
  [[nodiscard]] bool Exchange(size_t seat, bool anywhere, T& element, bool& starts) {
    bool taken = shelves_[seat].TakeElement(element);
    // Not a right of theirs: that leads to the queue too.
    for (size_t other = 0; anywhere && !taken && other < seats_; ++other) {
      taken = shelves_[other].TakeElement(element);
    }
    if (!taken) return false;
    shelves_[seat].AddRight();
    starts = PromiseIfMissing();
    return true;
  }

  // Elements wait that the item on `seat` would take next.
  [[nodiscard]] bool Waiting(size_t seat) const {
    return word_.load(std::memory_order_acquire) >= kPendingOne || !shelves_[seat].empty();
  }

  // Something may be there to claim: a hint, without a change.
  [[nodiscard]] bool MayClaim() const {
    return word_.load(std::memory_order_acquire) >= kPendingOne || AnythingKept();
  }

  // An item that found nothing. False: something came, and it goes on.
  [[nodiscard]] bool TryLeave() {
    uint64_t seen = word_.load(std::memory_order_acquire);
    do {
      if (seen >= kPendingOne) return false;
    } while (!word_.compare_exchange_weak(seen, seen - 1, std::memory_order_seq_cst,
                                          std::memory_order_acquire));
    if (!AnythingKept()) return true;
    // Somebody claimed for later, and may not have seen us leave. Back, unless others
    // drain in our place: they look too.
    return !UpdateIf(
                word_, [this](uint64_t w) { return Missing(w) > 0; },
                [](uint64_t w) { return w + 1; })
                .done;
  }

  // True once nothing is pending or drains: nothing announced later will run.
  [[nodiscard]] bool TryClose() {
    const auto close = UpdateIf(
        word_, [](uint64_t w) { return w == kNone; }, [](uint64_t w) { return w | kClosed; });
    return close.done || close.seen == (kNone | kClosed);
  }

 private:
  static constexpr uint64_t kDrainingMask = 0xffff;
  static constexpr uint64_t kNone = 0x4000;
  static constexpr uint64_t kClosed = uint64_t{1} << 16;
  static constexpr int kStartingShift = 17;
  static constexpr uint64_t kStartingOne = uint64_t{1} << kStartingShift;
  static constexpr uint64_t kStartingMask = 0xffff;
  static constexpr uint64_t kPendingOne = uint64_t{1} << 33;

  // Items that could be draining and are not.
  [[nodiscard]] uint64_t Missing(uint64_t w) const {
    const uint64_t draining = w & kDrainingMask;
    return draining < kNone + workers_ ? kNone + workers_ - draining : 0;
  }
  // Half of what would be fair now, so that all come to their end together.
  [[nodiscard]] uint64_t ShareOf(uint64_t pending) const {
    return std::clamp<uint64_t>(pending / (2 * workers_), 1, kMostClaims);
  }
  // An element of another seat's shelf, or one right.
  [[nodiscard]] Claimed FromOthers(size_t seat) {
    Claimed claimed{};
    for (size_t i = 1; i < seats_; ++i) {
      Shelf<T>& shelf = shelves_[(seat + i) % seats_];
      if (shelf.TakeElement(claimed.element)) return claimed;
      if ((claimed.rights = shelf.TakeRights(1)) > 0) return claimed;
    }
    return claimed;
  }
  [[nodiscard]] bool PromiseIfMissing() {
    if (Missing(word_.load(std::memory_order_seq_cst)) == 0) return false;
    return UpdateIf(
               word_,
               [this](uint64_t w) {
                 return Missing(w) > 0 && ((w >> kStartingShift) & kStartingMask) < kStartingMask;
               },
               [](uint64_t w) { return w + kStartingOne; })
        .done;
  }
  [[nodiscard]] bool AnythingKept() const {
    return std::any_of(&shelves_[0], &shelves_[seats_],
                       [](const Shelf<T>& shelf) { return !shelf.empty(); });
  }

  const size_t workers_;
  const size_t seats_;
  const std::unique_ptr<Shelf<T>[]> shelves_;
  alignas(kCacheLine) Atomic<uint64_t> word_{kNone};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_WORK_COUNT_H_
