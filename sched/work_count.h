#ifndef TASKVISOR_SCHED_WORK_COUNT_H_
#define TASKVISOR_SCHED_WORK_COUNT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"
#include "sched/prefetch.h"

namespace taskvisor::internal {

// WorkCount
//
// Who may take how many elements of a pool's ready queue, and how many work items drain them.
//
//   pushed ── Announce ──▶ pending ── Claim ──▶ credit of a seat ── Claim ──▶ taken
//                                                  └── Claim of a seat with nothing to do
//
//   item:  promised ── Started ──▶ draining ── TryLeave ──▶ out
//             └─ TryCallOff: none is needed any more
//
// Word:  | pending : 28 | batch : 10 | starting : 12 | closed : 1 | draining + kNone : 13 |
//   pending    pushed and not yet claimed
//   batch      which seat claimed several at once last, and which of its batches that was
//   starting   promised starts: their threads have yet to send an item
//   closed     joined: what is announced now never runs
//   draining   items that were sent and that are not yet out. An item that leaves
//              before its starter has counted it takes this below kNone for a moment
//
// A promise does not count as draining: a thread that is stopped before it keeps it would
// otherwise leave the pool short of an item, or without any. The price is that threads which
// submit at once may start a few items too many; these find nothing to do.
//
// The word is what all pushers and all items contend for. So while all items drain, one of
// them claims several elements at once, as credits of its seat, and uses them one by one from
// a line of its own. A credit is a right to take, not an element. Nothing is stranded behind a
// long body: whoever finds nothing pending uses up the credits of others before it leaves.
//
// Nor behind a thread that is stopped while it claims: it announces its credits first, as
// promised ones that nobody may use, and names itself in the step that claims them. From
// that step on anybody can turn the promise into credits (Settle).
//
//   Credits of a seat:  | version : 32 | batch : 1 | promised : 8 | count : 23 |
//     C1  while promised > 0: the claim was made if the word's `batch` names this seat and the
//         same batch bit, else it is still to come. (The bit changes from batch to batch of a
//         seat: a promise never has that of the batch before it.)
//     C2  before another batch takes its place in the word, the last one is settled
//         (but see C4)
//     C3  the version changes with every promise and settlement, so who is late fails
//
//     C4  a claim can take a word for the one it has settled that is only equal to it: as much
//         pending, as many items, and the same seat's batch after the next. So the claimer of
//         a batch settles it too, without asking the word: nothing is lost. Only if that thread
//         is stopped just then, and all this came together, do its credits wait for it.
//
// seq_cst, in one pair: Claim adds credits and then reads `draining`; TryLeave lowers it and
// then reads the credits. With acquire and release both could
// read the old value, and credits would stay behind a body that runs for an hour, with no item
// awake to use them.
//
// Progress: all calls are lock-free.
class WorkCount {
 public:
  static constexpr size_t kMaxWorkers = 0x1ff;  // `batch` tells so many seats apart

  // Seats: as many as workers.
  explicit WorkCount(size_t workers)
      : workers_(workers), credits_(std::make_unique<Credits[]>(workers)) {}

  // `count` elements were pushed. True: a start is promised by the caller, who keeps it or calls
  // it off. It holds one promise at a time: see PromiseMore.
  [[nodiscard]] bool Announce(uint64_t count) {
    // In one step, so that an item on its way out either saw this push or is replaced.
    PrefetchForWrite(&word_);  // else the line comes over twice, the first time to be read only
    bool starts = false;
    const auto announced = UpdateIf(
        word_, [](uint64_t w) { return (w & kClosed) == 0; },
        [&](uint64_t w) {
          starts = MayPromise(w);
          return w + count * kPendingOne + (starts ? kStartingOne : 0);
        });
    return announced.done && starts;
  }

  // By who has kept or called off a start for several elements. True: another one is promised,
  // since more is pending and items are missing.
  [[nodiscard]] bool PromiseMore() { return TryPromise(kPendingOne); }

  // True: others were faster, and the promise is off. `workers` items drain then, and none
  // of them leaves over what this thread has pushed.
  [[nodiscard]] bool TryCallOff() {
    return UpdateIf(
               word_, [this](uint64_t w) { return Missing(w) == 0; },
               [](uint64_t w) { return w - kStartingOne; })
        .done;
  }

  // The promise is kept: the item is sent. True: it is out already, and nothing is left to
  // do; who joins is to be told.
  [[nodiscard]] bool Started() {
    // acq_rel: Join judges the word that this leaves.
    return IsOver(word_.fetch_add(1 - kStartingOne, std::memory_order_acq_rel) + 1 - kStartingOne);
  }

  struct Claimed {
    bool got;     // the caller owns one element: it takes it from the queue
    bool starts;  // and promises a start, as by Announce
  };
  // The item on `seat`.
  [[nodiscard]] Claimed Claim(size_t seat) {
    if (Use(credits_[seat].word)) return {true, false};
    const Batch own = NextBatchOf(seat);
    bool promised = false;
    uint64_t seen = word_.load(std::memory_order_acquire);
    while (seen >= kPendingOne) {
      const uint64_t claims = SharesOf(seen);
      uint64_t next = seen - claims * kPendingOne;
      if (claims > 1) {
        Settle(seen);
        Promise(own, claims - 1);
        promised = true;
        next = (next & ~kBatchMask) | own.InWord();
      }
      // acq_rel: the promise is seen by who sees the batch.
      if (!word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
        continue;
      }
      if (claims > 1) return {true, Keep(own)};
      if (promised) CallBack(own);
      return {true, false};
    }
    if (promised) CallBack(own);
    return {UseAny(), false};
  }

  // Elements wait that the item on `seat` would take next.
  [[nodiscard]] bool Waiting(size_t seat) const {
    return word_.load(std::memory_order_acquire) >= kPendingOne ||
           (credits_[seat].word.load(std::memory_order_relaxed) & kCountMask) > 0;
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
      // seq_cst: see WorkCount, as below.
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
        word_, [](uint64_t w) { return IsOver(w); }, [](uint64_t w) { return w | kClosed; });
    return close.done || IsOver(close.seen & ~kClosed);
  }

 private:
  struct alignas(kCacheLine) Credits {
    Atomic<uint64_t> word{0};
  };
  // One of the two that a seat's batches are by turns.
  struct Batch {
    size_t seat;
    bool bit;
    [[nodiscard]] uint64_t InWord() const {
      return ((seat + 1) << 1 | static_cast<uint64_t>(bit)) << kBatchShift;
    }
  };

  static constexpr uint64_t kDrainingMask = 0x1fff;
  static constexpr uint64_t kNone = 0x1000;
  static constexpr uint64_t kClosed = uint64_t{1} << 13;
  static constexpr int kStartingShift = 14;
  static constexpr uint64_t kStartingOne = uint64_t{1} << kStartingShift;
  static constexpr uint64_t kStartingMask = 0xfff;
  static constexpr int kBatchShift = 26;
  static constexpr uint64_t kBatchMask = uint64_t{0x3ff} << kBatchShift;
  static constexpr uint64_t kPendingOne = uint64_t{1} << 36;
  static constexpr uint64_t kMostClaims = 32;

  static constexpr uint64_t kCountMask = 0x7fffff;
  static constexpr int kPromisedShift = 23;
  static constexpr uint64_t kPromisedMask = uint64_t{0xff} << kPromisedShift;
  static constexpr uint64_t kBatchBit = uint64_t{1} << 31;
  static constexpr uint64_t kVersionOne = uint64_t{1} << 32;

  // Nothing pending, promised or draining. The last batch stays in the word.
  static bool IsOver(uint64_t w) { return (w & ~kBatchMask) == kNone; }
  // Items that could be draining and are not.
  [[nodiscard]] uint64_t Missing(uint64_t w) const {
    const uint64_t draining = w & kDrainingMask;
    return draining < kNone + workers_ ? kNone + workers_ - draining : 0;
  }
  // An item is missing, and there is room for a promise. A promise is made only while fewer than
  // workers_ drain, and items that leave make none: so draining and starting together are never
  // more than kStartingMask, and the field of `draining` stays between 1 and 2 * kNone - 1.
  [[nodiscard]] bool MayPromise(uint64_t w) const {
    return Missing(w) > 0 && ((w >> kStartingShift) & kStartingMask) < kStartingMask - workers_;
  }
  // Half of what would be fair now, so that all come to their end together.
  [[nodiscard]] uint64_t SharesOf(uint64_t w) const {
    if (Missing(w) > 0) return 1;
    return std::clamp<uint64_t>(w / kPendingOne / (2 * workers_), 1, kMostClaims);
  }
  static bool Use(Atomic<uint64_t>& credits) {
    return UpdateIf(
               credits, [](uint64_t c) { return (c & kCountMask) > 0; },
               [](uint64_t c) { return c - 1; })
        .done;
  }
  // Makes one promise more if an item is missing, and the word is `least` or more.
  [[nodiscard]] bool TryPromise(uint64_t least = 0) {
    return UpdateIf(
               word_, [=, this](uint64_t w) { return w >= least && MayPromise(w); },
               [](uint64_t w) { return w + kStartingOne; })
        .done;
  }
  // True: not all items drain, one may have left meanwhile; the caller has promised a start.
  // seq_cst: see WorkCount.
  [[nodiscard]] bool PromiseIfMissing() {
    return Missing(word_.load(std::memory_order_seq_cst)) > 0 && TryPromise();
  }
  // A credit of anybody's.
  [[nodiscard]] bool UseAny() {
    Settle(word_.load(std::memory_order_acquire));
    for (size_t seat = 0; seat < workers_; ++seat) {
      if (Use(credits_[seat].word)) return true;
    }
    return false;
  }

  // Only the item on the seat changes the bit, so it is its own here.
  [[nodiscard]] Batch NextBatchOf(size_t seat) const {
    // relaxed: the last item on the seat handed it over.
    return {seat, (credits_[seat].word.load(std::memory_order_relaxed) & kBatchBit) == 0};
  }
  // In place of what may be promised for this batch already.
  void Promise(Batch own, uint64_t credits) {
    static_cast<void>(UpdateIf(
        credits_[own.seat].word, [](uint64_t) { return true; },
        [=](uint64_t c) {
          const uint64_t bare = (c & ~(kPromisedMask | kBatchBit)) + kVersionOne;
          return bare | credits << kPromisedShift | (own.bit ? kBatchBit : 0);
        }));
  }
  // The batch is not claimed after all; the next one is of the same bit.
  void CallBack(Batch own) { Promise({own.seat, !own.bit}, 0); }

  // Where the batch of `w` stands; null: there was none.
  [[nodiscard]] Atomic<uint64_t>* CreditsOf(uint64_t w) const {
    const uint64_t seat = (w & kBatchMask) >> (kBatchShift + 1);
    return seat == 0 ? nullptr : &credits_[seat - 1].word;
  }
  // The promise of credits `c` is of the batch of `w`.
  static bool IsOf(uint64_t c, uint64_t w) {
    return (c & kPromisedMask) != 0 && ((c & kBatchBit) != 0) == ((w >> kBatchShift & 1) != 0);
  }
  static uint64_t Settled(uint64_t c) {
    const uint64_t promised = (c & kPromisedMask) >> kPromisedShift;
    return (c & ~kPromisedMask) + promised + kVersionOne;
  }
  // The last batch of `w` has its credits when this returns, or is not the last any more. seq_cst:
  // see WorkCount.
  void Settle(uint64_t w) {
    Atomic<uint64_t>* const credits = CreditsOf(w);
    if (credits == nullptr) return;
    uint64_t c = credits->load(std::memory_order_acquire);
    while (IsOf(c, w)) {
      // Read after `c`: if the batch is still the last one now, the promise is of it (C1).
      const uint64_t now = word_.load(std::memory_order_acquire);
      if ((now & kBatchMask) != (w & kBatchMask)) return;
      if (credits->compare_exchange_weak(c, Settled(c), std::memory_order_seq_cst,
                                         std::memory_order_acquire)) {
        return;
      }
    }
  }
  // After the claim of a batch: who made it knows that, whatever the word says by now (C4).
  // True: as PromiseIfMissing. seq_cst: see WorkCount.
  [[nodiscard]] bool Keep(Batch own) {
    Atomic<uint64_t>& credits = credits_[own.seat].word;
    uint64_t c = credits.load(std::memory_order_acquire);
    while (IsOf(c, own.InWord()) &&
           !credits.compare_exchange_weak(c, Settled(c), std::memory_order_seq_cst,
                                          std::memory_order_acquire)) {
    }
    return PromiseIfMissing();
  }
  // seq_cst: see WorkCount.
  [[nodiscard]] bool AnyCredit() const {
    const uint64_t w = word_.load(std::memory_order_seq_cst);
    const Atomic<uint64_t>* const last = CreditsOf(w);
    if (last != nullptr && IsOf(last->load(std::memory_order_seq_cst), w)) return true;
    for (size_t seat = 0; seat < workers_; ++seat) {
      if ((credits_[seat].word.load(std::memory_order_seq_cst) & kCountMask) > 0) return true;
    }
    return false;
  }

  const size_t workers_;
  const std::unique_ptr<Credits[]> credits_;
  alignas(kCacheLine) Atomic<uint64_t> word_{kNone};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_WORK_COUNT_H_
