#ifndef TASKVISOR_SCHED_WORK_COUNT_H_
#define TASKVISOR_SCHED_WORK_COUNT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"

namespace taskvisor::internal {

// WorkCount
//
// Who may take how many elements of a pool's ready queue, and how many work items drain them.
//
//   pushed ── Announce ──▶ pending ── Claim ──▶ credit of a seat ── Claim ──▶ taken
//                                                  └── Claim of a seat with nothing to do
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
// The word is what all pushers and all items contend for. So while all items drain, one of
// them claims several elements at once, as credits of its seat, and takes them one by one
// from a line of its own. A credit is a right to take, not an element: the queue stays the
// one order. Nothing is stranded behind a long body: whoever finds nothing pending uses up
// the credits of others before it leaves.
//
// seq_cst, in one pair: Claim adds credits and then reads `draining`; TryLeave lowers it and
// then reads the credits. With acquire and release both could read the old value, and
// credits would stay behind a body that runs for an hour, with no item awake to use them.
//
// Progress: all calls are lock-free.
class WorkCount {
 public:
  static constexpr size_t kMaxWorkers = 0x4000;

  explicit WorkCount(size_t workers, size_t seats)
      : workers_(workers), seats_(seats), credits_(std::make_unique<Credits[]>(seats)) {}

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

  struct Claimed {
    bool got;     // the caller owns one element: it takes it from the queue
    bool starts;  // and promises a start, as by Announce
  };
  // The item on `seat`.
  [[nodiscard]] Claimed Claim(size_t seat) {
    if (Use(credits_[seat].count)) return {true, false};
    uint64_t claims = 0;
    const auto claimed = UpdateIf(
        word_, [](uint64_t w) { return w >= kPendingOne; },
        [&](uint64_t w) {
          claims = Missing(w) > 0 ? 1 : ShareOf(w / kPendingOne);
          return w - claims * kPendingOne;
        });
    if (claimed) return {true, claims > 1 && Keep(seat, claims - 1)};
    for (size_t other = 0; other < seats_; ++other) {
      if (Use(credits_[other].count)) return {true, false};
    }
    return {false, false};
  }

  // Elements wait that the item on `seat` would take next.
  [[nodiscard]] bool Waiting(size_t seat) const {
    return word_.load(std::memory_order_acquire) >= kPendingOne ||
           credits_[seat].count.load(std::memory_order_relaxed) > 0;
  }

  // Something may be there to claim: a hint, without a change.
  [[nodiscard]] bool MayClaim() const {
    return word_.load(std::memory_order_acquire) >= kPendingOne || AnyCredit();
  }

  // An item that found nothing. False: something came, and it goes on.
  [[nodiscard]] bool TryLeave() {
    uint64_t seen = word_.load(std::memory_order_acquire);
    do {
      if (seen >= kPendingOne) return false;
    } while (!word_.compare_exchange_weak(seen, seen - 1, std::memory_order_seq_cst,
                                          std::memory_order_acquire));
    if (!AnyCredit()) return true;
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
  struct alignas(kCacheLine) Credits {
    Atomic<uint64_t> count{0};
  };

  static constexpr uint64_t kDrainingMask = 0xffff;
  static constexpr uint64_t kNone = 0x4000;
  static constexpr uint64_t kClosed = uint64_t{1} << 16;
  static constexpr int kStartingShift = 17;
  static constexpr uint64_t kStartingOne = uint64_t{1} << kStartingShift;
  static constexpr uint64_t kStartingMask = 0xffff;
  static constexpr uint64_t kPendingOne = uint64_t{1} << 33;
  static constexpr uint64_t kMostClaims = 32;

  // Items that could be draining and are not.
  [[nodiscard]] uint64_t Missing(uint64_t w) const {
    const uint64_t draining = w & kDrainingMask;
    return draining < kNone + workers_ ? kNone + workers_ - draining : 0;
  }
  // Half of what would be fair now, so that all come to their end together.
  [[nodiscard]] uint64_t ShareOf(uint64_t pending) const {
    return std::clamp<uint64_t>(pending / (2 * workers_), 1, kMostClaims);
  }
  static bool Use(Atomic<uint64_t>& credits) {
    return UpdateIf(
               credits, [](uint64_t c) { return c > 0; }, [](uint64_t c) { return c - 1; })
        .done;
  }
  // True: not all items drain, one may have left meanwhile; the caller has promised a start.
  [[nodiscard]] bool Keep(size_t seat, uint64_t claims) {
    credits_[seat].count.fetch_add(claims, std::memory_order_seq_cst);
    if (Missing(word_.load(std::memory_order_seq_cst)) == 0) return false;
    return UpdateIf(
               word_,
               [this](uint64_t w) {
                 return Missing(w) > 0 && ((w >> kStartingShift) & kStartingMask) < kStartingMask;
               },
               [](uint64_t w) { return w + kStartingOne; })
        .done;
  }
  [[nodiscard]] bool AnyCredit() const {
    for (size_t seat = 0; seat < seats_; ++seat) {
      if (credits_[seat].count.load(std::memory_order_seq_cst) > 0) return true;
    }
    return false;
  }

  const size_t workers_;
  const size_t seats_;
  const std::unique_ptr<Credits[]> credits_;
  alignas(kCacheLine) Atomic<uint64_t> word_{kNone};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_WORK_COUNT_H_
