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
// Who may take how many elements of a pool's ready queue, and how many work items drain.
//
//   pushed ── Announce ──▶ pending ── Claim ──▶ credit of a seat ── Claim ──▶ taken
//                                                  └── Claim of a seat with nothing to do
//
// Word:  | pending : 47 | closed : 1 | draining : 16 |
//   pending    pushed and not yet claimed
//   closed     joined: what is announced now never runs
//   draining   items started and not yet out
//
// The word is what all pushers and all items contend for. So while all items drain, one of
// them claims several elements at once, as credits of its seat, and takes them one by one
// from a line of its own. A credit is a right to take, not an element: the queue stays the
// one order. Nothing is stranded behind a long body: whoever finds nothing pending uses up
// the credits of others before it leaves.
//
// seq_cst, in one pair: Claim adds credits and then reads `draining`; Leave lowers it and
// then reads the credits. With acquire and release both could read the old value, and
// credits would stay behind a body that runs for an hour, with no item awake to use them.
//
// Progress: all calls are lock-free.
class WorkCount {
 public:
  explicit WorkCount(size_t workers, size_t seats)
      : workers_(workers), seats_(seats), credits_(std::make_unique<Credits[]>(seats)) {}

  // `count` elements were pushed. The result: as many items are to be started; they count as
  // draining already.
  [[nodiscard]] uint64_t Announce(uint64_t count) {
    // The draining count is raised in the same step, so two threads never start one
    // item too many, and an item on its way out either saw this push or is replaced.
    uint64_t starts = 0;
    const auto announced = UpdateIf(
        word_, [](uint64_t w) { return (w & kClosed) == 0; },
        [&](uint64_t w) {
          starts = std::min(workers_ - Draining(w), count);
          return w + count * kPendingOne + starts;
        });
    return announced ? starts : 0;
  }

  struct Claimed {
    bool got;     // the caller owns one element: it takes it from the queue
    bool starts;  // and an item is to be started, which counts as draining already
  };
  // The item on `seat`.
  [[nodiscard]] Claimed Claim(size_t seat) {
    if (Use(credits_[seat].count)) return {true, false};
    uint64_t claims = 0;
    const auto claimed = UpdateIf(
        word_, [](uint64_t w) { return w >= kPendingOne; },
        [&](uint64_t w) {
          claims = Draining(w) < workers_ ? 1 : ShareOf(w / kPendingOne);
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
                word_, [this](uint64_t w) { return Draining(w) < workers_; },
                [](uint64_t w) { return w + 1; })
                .done;
  }

  // True once nothing is pending or drains: nothing announced later will run.
  [[nodiscard]] bool TryClose() {
    const auto close = UpdateIf(
        word_, [](uint64_t w) { return w == 0; }, [](uint64_t) { return kClosed; });
    return close.done || close.seen == kClosed;
  }

 private:
  struct alignas(kCacheLine) Credits {
    Atomic<uint64_t> count{0};
  };

  static constexpr uint64_t kDrainingMask = 0xffff;
  static constexpr uint64_t kClosed = 0x10000;
  static constexpr uint64_t kPendingOne = 0x20000;
  static constexpr uint64_t kMostClaims = 32;

  static uint64_t Draining(uint64_t w) { return w & kDrainingMask; }
  // Half of what would be fair now, so that all come to their end together.
  [[nodiscard]] uint64_t ShareOf(uint64_t pending) const {
    return std::clamp<uint64_t>(pending / (2 * workers_), 1, kMostClaims);
  }
  static bool Use(Atomic<uint64_t>& credits) {
    return UpdateIf(
               credits, [](uint64_t c) { return c > 0; }, [](uint64_t c) { return c - 1; })
        .done;
  }
  // True: an item has left meanwhile; the caller starts another, counted already.
  [[nodiscard]] bool Keep(size_t seat, uint64_t claims) {
    credits_[seat].count.fetch_add(claims, std::memory_order_seq_cst);
    if (Draining(word_.load(std::memory_order_seq_cst)) == workers_) return false;
    return UpdateIf(
               word_, [this](uint64_t w) { return Draining(w) < workers_; },
               [](uint64_t w) { return w + 1; })
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
  alignas(kCacheLine) Atomic<uint64_t> word_{0};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_WORK_COUNT_H_
