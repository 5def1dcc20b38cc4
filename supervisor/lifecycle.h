#ifndef TASKVISOR_SUPERVISOR_LIFECYCLE_H_
#define TASKVISOR_SUPERVISOR_LIFECYCLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/prefetch.h"

namespace taskvisor::internal {

// The gate of a supervisor and the count of what is inside.
//
//   open ── Close, or CloseIfEmpty ──▶ closed, for ever
//
// Members are those who have entered less those who have left. Who leaves counts at a
// place of its own, so that workers which end tasks do not contend with each other nor
// with who adds tasks: a worker's seat has a place, all other threads share one. And who adds tasks
// one by one is admitted for several, and keeps the rest as credits, in a word of its own:
//
//   members = entered - credits - gone          gone = left + returned
//
//   credits of a thread:  0 ── admitted for a block ──▶ size - 1 ── one enters ──▶ ... ──▶ 0
//                         ▲                                │                        │
//                         └──── Revoke, by anybody: they are returned as one step ──┘
//
// Word:  | entered : 63 | closed : 1 |
//   entered  tasks registered or being added, ever, and credits. Who takes it from here is counted
//            before the gate closed, or not at all. Who uses a credit looks afterwards whether the
//            gate is closed, and leaves again if so: whoever closed it counts it as a member until
//            then, or came too late for it
// Credits: | blocks brought, ever, mod 256 : 8 | returned, ever : 40 | credits : 16 |
// Watched: | empty : 1 | room : 1 |
//   room     somebody waits for room: the next to leave takes the bit and notifies
//   empty    somebody waits until all have left: the last one takes the bit and notifies
//
// Invariants
//   L1  entered - gone <= max. What is gone only grows, so any sum of it, however old, is safe
//   L2  members(), which adds up what has left, then the credits, then reads the word, is not less
//       than the members were when it began with the credits: "nobody" is true. It may count
//       somebody who has just left, and credits that are on their way
//   L3  refused as full is who has found, while the word, what is gone and the blocks brought did
//       not change, that there are no credits: then it was full at that moment. (While the word
//       does not change no more blocks are brought than there are threads that may have one.)
//   L4  between a block and its credits, two steps of one thread, the block's places count as
//       taken. When they come, who waits for room is told. Near the limit there are no blocks
//   L5  once it is closed and empty it stays empty: who closes it returns all credits, and so does
//       who brings some and finds it closed
//
// seq_cst: a store-load pair between who leaves, or brings credits (counts, then looks whether
// somebody watches), and who waits (says that it watches, then adds up), and one between who uses a
// credit (then looks whether the gate is closed) and who closes it (then adds up). With acquire and
// release both could miss the other (the store-buffer litmus test): a waiter would sleep for ever,
// a task would enter unseen.
class Lifecycle {
 public:
  enum class Entered : uint8_t { kYes, kFull, kClosed };
  static constexpr size_t kOutside = 0;  // the place of who has none

  // Of a thread that adds tasks.
  struct Credits {
    [[nodiscard]] uint64_t count() const { return CreditsIn(word.load(std::memory_order_acquire)); }

    Atomic<uint64_t> word{0};
    uint64_t end = 0;  // the owner's: the ordinal behind the block's last
  };
  // Blocks are given out only while so many more could be.
  struct Blocks {
    uint64_t size = 16;
    uint64_t slack = 4096;
  };

  // places: of seats, beside kOutside. `adders`: the credits of each that has some.
  explicit Lifecycle(uint64_t max, size_t places = 0) : Lifecycle(max, places, {}, Blocks()) {}
  Lifecycle(uint64_t max, size_t places, std::vector<Credits*> adders, Blocks blocks)
      : max_(max),
        blocks_(blocks),
        places_(places + 1),
        left_(std::make_unique<Left[]>(places_)),
        adders_(std::move(adders)) {}

  // All `count` or none. `ordinal`: a number of the first of these, from 1 on; the others follow.
  // `mine`: the calling thread's credits, or null.
  [[nodiscard]] Entered Enter(uint64_t count, uint64_t* ordinal = nullptr,
                              Credits* mine = nullptr) {
    if (mine == nullptr || count != 1) return EnterByWord(count, ordinal);
    if (const uint64_t credits = TakeOne(*mine); credits > 0) {
      if (ordinal != nullptr) *ordinal = mine->end - credits;
      if (!closed()) return Entered::kYes;
      Leave(1);
      return Entered::kClosed;
    }
    if (HasSlack()) {
      uint64_t first = 0;
      const Entered entered = EnterByWord(blocks_.size, &first);
      if (entered == Entered::kYes) {
        BringCredits(*mine, first);
        if (ordinal != nullptr) *ordinal = first;
      }
      if (entered != Entered::kFull) return entered;
    }
    return EnterByWord(1, ordinal);
  }

  void Leave(uint64_t count) {
    left_[kOutside].count.fetch_add(count, std::memory_order_seq_cst);
    TellOfRoom();
    TellIfEmpty();
  }

  // The same for one task, at the place of a seat, 1 .. places. Who waits for emptiness is
  // not told: the caller calls TellIfEmpty before it rests.
  void LeaveAt(size_t place) {
    left_[place].count.fetch_add(1, std::memory_order_seq_cst);
    TellOfRoom();
  }
  void TellIfEmpty() {
    if ((watched_.load(std::memory_order_seq_cst) & kEmptyWatched) == 0 || members() != 0) return;
    if ((watched_.fetch_and(~kWatched, std::memory_order_acq_rel) & kWatched) != 0) {
      changed_.Notify();
    }
  }

  // True for the one that closed it. seq_cst: see ActorState::Commit.
  bool Close() {
    const uint64_t seen = word_.fetch_or(kClosed, std::memory_order_seq_cst);
    static_cast<void>(Revoke());
    changed_.Notify();
    return !Closed(seen);
  }
  [[nodiscard]] bool CloseIfEmpty() {
    // Then the word is as much as is gone only if nobody has a credit, and nobody gets one without
    // a change of the word.
    static_cast<void>(Revoke());
    const uint64_t gone = AddUp().gone;
    const auto update = UpdateIf(
        word_, [=](uint64_t w) { return !Closed(w) && Count(w) == gone; },
        [](uint64_t w) { return w | kClosed; });
    if (update) changed_.Notify();
    return update.done;
  }

  [[nodiscard]] bool closed() const { return Closed(word_.load(std::memory_order_seq_cst)); }
  [[nodiscard]] uint64_t members() const {
    const Sums sums = AddUp();
    return Count(word_.load(std::memory_order_seq_cst)) - sums.credits - sums.gone;
  }
  [[nodiscard]] bool HasRoom(uint64_t count) const { return members() + count <= max_; }

  // Call inside the condition of a wait on changed(), before looking: Close, and the
  // Leave that may make the condition true, then notify.
  void WatchRoom() { watched_.fetch_or(kRoomWatched, std::memory_order_seq_cst); }
  void WatchEmpty() { watched_.fetch_or(kEmptyWatched, std::memory_order_seq_cst); }
  [[nodiscard]] EventCount& changed() { return changed_; }

 private:
  struct alignas(kCacheLine) Left {
    Atomic<uint64_t> count{0};
  };

  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kEnteredOne = 2;
  static constexpr uint64_t kReturnedOne = uint64_t{1} << 16;
  static constexpr uint64_t kBroughtOne = uint64_t{1} << 56;
  static constexpr uint32_t kRoomWatched = 1;
  static constexpr uint32_t kEmptyWatched = 2;
  static constexpr uint32_t kWatched = kRoomWatched | kEmptyWatched;

  static bool Closed(uint64_t w) { return (w & kClosed) != 0; }
  static uint64_t Count(uint64_t w) { return w / kEnteredOne; }
  static uint64_t CreditsIn(uint64_t word) { return word % kReturnedOne; }
  static uint64_t ReturnedIn(uint64_t word) { return word % kBroughtOne / kReturnedOne; }
  static uint64_t BroughtIn(uint64_t word) { return word / kBroughtOne; }
  static bool HasCredits(uint64_t word) { return CreditsIn(word) > 0; }

  [[nodiscard]] Entered EnterByWord(uint64_t count, uint64_t* ordinal) {
    PrefetchForWrite(&word_);  // else the line comes over twice, the first time to be read only
    uint64_t seen = word_.load(std::memory_order_acquire);
    // acquire: who enters into what another one left sees what that one did.
    uint64_t gone = gone_seen_.load(std::memory_order_acquire);
    while (!Closed(seen)) {
      if (Count(seen) + count <= max_ + gone) {
        if (word_.compare_exchange_weak(seen, seen + count * kEnteredOne, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
          if (ordinal != nullptr) *ordinal = Count(seen) + 1;
          return Entered::kYes;
        }
      } else if (LookAgain(seen, gone)) {
        return Entered::kFull;
      }
    }
    return Entered::kClosed;
  }
  // There seemed to be no room. True: there was none (L3); else what has changed is in `seen` and
  // `gone`.
  [[nodiscard]] bool LookAgain(uint64_t& seen, uint64_t& gone) {
    const Sums sums = AddUp();
    if (sums.gone != gone) {
      gone_seen_.store(gone = sums.gone, std::memory_order_release);
      return false;
    }
    if (Revoke()) return false;
    const uint64_t before = std::exchange(seen, word_.load(std::memory_order_acquire));
    return seen == before && AddUp() == sums;
  }

  // A block may be given out.
  [[nodiscard]] bool HasSlack() const {
    // relaxed: a hint
    return Count(word_.load(std::memory_order_relaxed)) + blocks_.size + blocks_.slack <=
           max_ + gone_seen_.load(std::memory_order_relaxed);
  }
  // Of a block of which one has entered. REQUIRES: it has none.
  void BringCredits(Credits& mine, uint64_t first) {
    mine.end = first + blocks_.size;
    mine.word.fetch_add(kBroughtOne + blocks_.size - 1, std::memory_order_seq_cst);
    if (closed()) static_cast<void>(Revoke());
    TellOfRoom();  // who has added up before may wait for just these places
  }
  // How many there were; one is taken. 0: none.
  static uint64_t TakeOne(Credits& mine) {
    const auto taken = UpdateIf(
        mine.word, HasCredits, [](uint64_t word) { return word - 1; }, std::memory_order_seq_cst);
    return taken ? CreditsIn(taken.seen) : 0;
  }
  // Returns all credits. False: there were none.
  bool Revoke() {
    bool some = false;
    for (Credits* const adder : adders_) {
      // seq_cst: who brings some, and looks then whether the gate is closed.
      if (!HasCredits(adder->word.load(std::memory_order_seq_cst))) continue;
      const auto returned = UpdateIf(
          adder->word, HasCredits,
          [](uint64_t word) { return word + CreditsIn(word) * (kReturnedOne - 1); },
          std::memory_order_seq_cst);
      some |= returned.done;
    }
    return some;
  }

  [[nodiscard]] uint64_t LeftByAll() const {
    uint64_t left = 0;
    for (size_t i = 0; i < places_; ++i) left += left_[i].count.load(std::memory_order_seq_cst);
    return left;
  }
  struct Sums {
    uint64_t gone;
    uint64_t credits;
    uint64_t brought;
    bool operator==(const Sums&) const = default;
  };
  [[nodiscard]] Sums AddUp() const {
    Sums sums{LeftByAll(), 0, 0};
    for (const Credits* const adder : adders_) {
      const uint64_t word = adder->word.load(std::memory_order_seq_cst);
      sums.gone += ReturnedIn(word);
      sums.credits += CreditsIn(word);
      sums.brought += BroughtIn(word);
    }
    return sums;
  }
  void TellOfRoom() {
    if ((watched_.load(std::memory_order_seq_cst) & kRoomWatched) == 0) return;
    if ((watched_.fetch_and(~kRoomWatched, std::memory_order_acq_rel) & kRoomWatched) != 0) {
      changed_.Notify();
    }
  }

  const uint64_t max_;
  const Blocks blocks_;
  const size_t places_;
  const std::unique_ptr<Left[]> left_;
  const std::vector<Credits*> adders_;
  // Read by all who leave, written only when somebody begins to wait.
  alignas(kCacheLine) Atomic<uint32_t> watched_{0};
  // Of who enters. At least so many are gone.
  alignas(kCacheLine) Atomic<uint64_t> word_{0};
  Atomic<uint64_t> gone_seen_{0};
  alignas(kCacheLine) EventCount changed_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_LIFECYCLE_H_
