#ifndef TASKVISOR_BUS_RING_H_
#define TASKVISOR_BUS_RING_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>

#include "bus/slot.h"
#include "sched/atomic.h"

namespace taskvisor::internal {

// Ring<T>
//
// A bounded ring of numbered records: any thread publishes, one thread reads. A record is
// a T with its text; it takes one slot, or several neighbours if its text is long. A run
// is several records published with one claim.
//
// One word is the whole admission:
//
//   | claimed : 32 | lost : 30 | closed : 1 | asleep : 1 |
//     claimed   slots given out, ever: the next position
//     lost      records that found the ring full. They take a number too: the reader
//               counts records and losses in the order of the changes of this word
//     closed    nothing more is admitted, or numbered; what is claimed later is void
//     asleep    the reader parks. It sets the bit only while every claimed position is
//               read; whoever changes the word and sees the bit clears it when the record
//               is there, and the one whose clearing finds it set owes the wake-up
//
// Two ways to claim. Far from full, a blind fetch_add: publishers share one read-mostly
// line, the gate, and look at it only to be sure that they are far from full.
//
//               in flight > fast_limit               in flight < fast_limit / 2
//      open ────────────────────────────▶ careful ────────────────────────────▶ open
//      fetch_add                          compare-and-swap, exact: admits while
//                                         fewer than `capacity` slots are in flight
//
//   gate:  | head as last looked up : 32 | careful : 1 |
//
// Publishers that read `open` just before it changed still add, and a publisher that was
// stopped before it stored `open` opens a gate that others had closed; so may every other
// thread then add once more. The slots beyond fast_limit are for them. Were they ever too
// few, the publisher yields until the reader has made room, rather than touch a slot that
// is in use: with so many threads stopped between two instructions, and only then, it
// waits.
//
// A position `p` lives in slot p mod slots:
//   publisher   claims p, writes the record, then
//               stamp.store(p + 1, release)          pairs with the reader's acquire
//   reader      sees stamp == p + 1 (acquire), uses the record in place, then
//               head.store(p + slots, release)       pairs with the publisher's acquire,
//                                                    of head itself or, through another
//                                                    publisher's release, of the gate
// so a record is written only when nobody reads it, and read only when it is whole.
//
// Invariants
//   R1  a claim's slots are written after head > its end - slots
//   R2  slot p is written only by the thread that claimed p
//   R3  numbers are given in the order of the changes of the word: records of one thread,
//       and of threads ordered by a release/acquire hand-off, have increasing numbers
//   R4  read + lost == published, and each gap is where its losses were
//
// Progress: Publish never allocates or makes a system call. Open it is wait-free but for
// the case above; careful it is lock-free (a retry means that another publish succeeded).
// Reading waits for a publisher that stands between claim and stamp, and sleeps on while
// the one that owes the wake-up is stopped before it; other publishers do not wait for
// either, until the ring is full: then they count a loss and go on.
template <class T>
class Ring {
 public:
  enum class Published : uint8_t {
    kYes,
    kYesAndWake,  // the caller owes the reader a wake-up
    kLost,        // the ring was full; counted
    kLostAndWake,
    kClosed,
  };
  static constexpr bool OwesWakeUp(Published published) {
    return published == Published::kYesAndWake || published == Published::kLostAndWake;
  }

  static constexpr uint32_t kAuto = ~uint32_t{0};
  struct Options {
    uint32_t start = 0;  // first position: for tests of the wrap
    // Slots beyond `capacity`, for records of several slots and for blind claims.
    uint32_t spare = 64;
    uint32_t fast_limit = kAuto;  // 0: always careful; kAuto: capacity / 2, 0 below 64
  };

  // `capacity` >= 1: slots that may be in use when a record is admitted.
  explicit Ring(size_t capacity) : Ring(capacity, Options()) {}
  Ring(size_t capacity, Options options)
      : capacity_(static_cast<uint32_t>(std::clamp<size_t>(capacity, 1, kMaxCapacity))),
        mask_(std::bit_ceil(capacity_ + options.spare) - 1),
        fast_limit_(FastLimit(capacity_, options.fast_limit)),
        slots_(std::make_unique<Slot<T>[]>(size_t{mask_} + 1)),
        word_(uint64_t{options.start} << kClaimedShift),
        gate_(Gate(options.start, fast_limit_ == 0)),
        head_(options.start),
        position_(options.start) {
    for (uint32_t i = 0; i <= mask_; ++i) {
      // As if the lap before had been read: matches no position of the first lap.
      slots_[(options.start + i) & mask_].stamp.store(options.start + i - mask_,
                                                      std::memory_order_relaxed);
    }
  }

  // fill(T&) writes a record without text, in place; it must not throw. The record's old
  // content is unspecified.
  template <class Fill>
  Published Publish(Fill fill) {
    return PublishRun(std::array<uint32_t, 1>{0},
                      [&](size_t, T& record, SlotText<T>&) { fill(record); });
  }

  // kRun records as one claim, all or none of them: record i has text_sizes[i] bytes of
  // text. fill(i, T&, SlotText<T>&) writes the record, and appends exactly its text.
  template <size_t kRun, class Fill>
  Published PublishRun(const std::array<uint32_t, kRun>& text_sizes, Fill fill) {
    return Write(text_sizes, fill, [this](uint32_t slots) { return ClaimSlots(slots, kRun); });
  }

  // The same for the reader, who must not wait for itself.
  template <size_t kRun, class Fill>
  Published PublishAsReader(const std::array<uint32_t, kRun>& text_sizes, Fill fill) {
    return Write(text_sizes, fill, [this](uint32_t slots) { return ClaimExactly(slots, kRun); });
  }

  // No more records; the reader may still take what was claimed. Idempotent.
  void Close() {
    const uint64_t before = word_.fetch_or(kClosed, std::memory_order_acq_rel);
    // release: who sees where the end is, sees the bit too.
    if ((before & kClosed) == 0) end_.store(kHasEnd | Claimed(before), std::memory_order_release);
  }

  // --- the reader's side: one thread -------------------------------------------------

  struct Taken {
    T* record;        // null: nothing to take now
    uint64_t lost;    // numbers lost just before it
    uint64_t number;  // its number, from 1
  };

  // The next record, valid until Done().
  [[nodiscard]] Taken Take() {
    Slot<T>& slot = slots_[position_ & mask_];
    if (slot.stamp.load(std::memory_order_acquire) != position_ + 1) return {nullptr, 0, 0};
    const uint64_t lost = AccountLost(slot.lost_before);
    return {&slot.record, lost, ++number_};
  }

  // Copies the text of the taken record, `size` bytes, to `to`.
  void CopyText(char* to, size_t size) const {
    SlotText<T>(slots_.get(), mask_, position_).CopyTo(to, size);
  }

  // The taken record, with text_size bytes of text, is used up.
  void Done(size_t text_size = 0) {
    position_ += Slot<T>::SpanOf(text_size);
    // Once a hole was skipped its slots may still be written to: never given out again.
    if (!skipping_.load(std::memory_order_relaxed)) {
      head_.store(position_, std::memory_order_release);
    }
  }

  // Losses after the last record, with nothing claimed behind them. Their numbers are
  // used up; `number()` is the last of them.
  [[nodiscard]] uint64_t TakeTrailingLosses() {
    const uint64_t word = word_.load(std::memory_order_acquire);
    return Last(word) == position_ ? AccountLost(Lost(word)) : 0;
  }

  // Losses are likely. A hint: TrySleep knows.
  [[nodiscard]] bool Careful() const {
    return (gate_.load(std::memory_order_relaxed) & kCareful) != 0;
  }

  // True: the reader may park, the next publisher wakes it. False: there is something
  // to do (a record, a hole, a loss, or the end).
  [[nodiscard]] bool TrySleep() {
    return UpdateIf(
               word_,
               [this](uint64_t w) {
                 return Claimed(w) == position_ && Lost(w) == lost_seen_ && (w & kClosed) == 0;
               },
               [](uint64_t w) { return w | kAsleep; })
        .done;
  }

  // A publisher stands between claim and stamp at the reader's position.
  [[nodiscard]] bool AtHole() const {
    return Last(word_.load(std::memory_order_acquire)) != position_ &&
           slots_[position_ & mask_].stamp.load(std::memory_order_acquire) != position_ + 1;
  }

  // Gives a hole of one slot up and counts it as one lost; of a record that takes several
  // slots nothing is known, and each counts. REQUIRES: Close() was called, so that no
  // further claim is good; the late publisher writes where nobody looks.
  void SkipHole() {
    // release: pairs with the acquire of a publisher that waits for room.
    skipping_.store(true, std::memory_order_release);
    ++number_;
    ++position_;
  }

  // Closed, and everything claimed before that was read.
  [[nodiscard]] bool Exhausted() const {
    return end_.load(std::memory_order_acquire) == (kHasEnd | position_) &&
           Lost(word_.load(std::memory_order_acquire)) == lost_seen_;
  }

  [[nodiscard]] bool closed() const { return end_.load(std::memory_order_acquire) != 0; }

  // A number for a record that does not come from the ring. REQUIRES: closed.
  uint64_t TakeNumber() { return ++number_; }

  // The last number given out by the reader.
  [[nodiscard]] uint64_t number() const { return number_; }
  [[nodiscard]] size_t capacity() const { return capacity_; }

 private:
  static constexpr size_t kMaxCapacity = size_t{1} << 24;
  static constexpr uint64_t kAsleep = 1;
  static constexpr uint64_t kClosed = 2;
  static constexpr int kLostShift = 2;
  static constexpr int kClaimedShift = 32;
  static constexpr uint64_t kLostMask = uint64_t{0x3fffffff} << kLostShift;
  static constexpr uint64_t kCareful = 1;                 // of the gate
  static constexpr uint64_t kHasEnd = uint64_t{1} << 32;  // of the end

  struct Claim {
    Published refused;  // kYes: not refused
    uint32_t position;
    uint64_t seen;  // the word before the claim
  };

  static uint32_t FastLimit(uint32_t capacity, uint32_t asked) {
    if (asked != kAuto) return asked;
    return capacity < 64 ? 0 : capacity / 2;
  }
  static uint32_t Claimed(uint64_t word) { return static_cast<uint32_t>(word >> kClaimedShift); }
  static uint32_t Lost(uint64_t word) {
    return static_cast<uint32_t>((word & kLostMask) >> kLostShift);
  }
  static uint64_t AddLost(uint64_t word, uint64_t records) {  // wraps inside its field
    const uint64_t lost = ((word & kLostMask) + (records << kLostShift)) & kLostMask;
    return (word & ~kLostMask) | lost;
  }
  static uint64_t Gate(uint32_t head, bool careful) {
    return (uint64_t{head} << 32) | (careful ? kCareful : 0);
  }

  template <size_t kRun, class Fill, class ClaimThem>
  Published Write(const std::array<uint32_t, kRun>& text_sizes, Fill fill, ClaimThem claim_them) {
    std::array<uint32_t, kRun> spans{};
    uint32_t slots = 0;
    for (size_t i = 0; i < kRun; ++i) slots += spans[i] = Slot<T>::SpanOf(text_sizes[i]);
    const Claim claim = claim_them(slots);
    if (claim.refused == Published::kClosed) return Published::kClosed;
    if (claim.refused == Published::kLost) {
      return ClearAsleep(claim.seen) ? Published::kLostAndWake : Published::kLost;
    }
    uint32_t position = claim.position;
    for (size_t i = 0; i < kRun; ++i) {
      Slot<T>& slot = slots_[position & mask_];
      SlotText<T> text(slots_.get(), mask_, position);
      fill(i, slot.record, text);
      slot.lost_before = Lost(claim.seen);
      slot.stamp.store(position + 1, std::memory_order_release);
      position += spans[i];
    }
    return ClearAsleep(claim.seen) ? Published::kYesAndWake : Published::kYes;
  }

  // Also after a loss: the reader may have emptied the ring and parked since we found it
  // full, and a word with the same bits does not tell us.
  bool ClearAsleep(uint64_t seen) {
    if ((seen & kAsleep) == 0) return false;
    return (word_.fetch_and(~kAsleep, std::memory_order_acq_rel) & kAsleep) != 0;
  }

  Claim ClaimSlots(uint32_t slots, uint64_t records) {
    // acquire: see R1; the gate's head was looked up by another publisher.
    const uint64_t gate = gate_.load(std::memory_order_acquire);
    if ((gate & kCareful) != 0) return ClaimExactly(slots, records);
    const uint64_t seen =
        word_.fetch_add(uint64_t{slots} << kClaimedShift, std::memory_order_acq_rel);
    if ((seen & kClosed) != 0) return {Published::kClosed, 0, seen};
    const uint32_t end = Claimed(seen) + slots;
    if (end - static_cast<uint32_t>(gate >> 32) > fast_limit_ && !LookUpHead(end)) {
      return {Published::kClosed, 0, seen};
    }
    return {Published::kYes, Claimed(seen), seen};
  }

  // The gate's head is old, or the ring fills up. True when there is room up to `end`;
  // false if the ring was closed and the reader gave us up.
  [[nodiscard]] bool LookUpHead(uint32_t end) {
    uint32_t head = head_.load(std::memory_order_acquire);
    gate_.store(Gate(head, end - head > fast_limit_), std::memory_order_release);
    while (end - head > mask_ + 1) {
      if (skipping_.load(std::memory_order_acquire)) return false;
      std::this_thread::yield();
      head = head_.load(std::memory_order_acquire);
    }
    return true;
  }

  Claim ClaimExactly(uint32_t slots, uint64_t records) {
    bool room = false;
    uint32_t head = 0;
    const auto claim = UpdateIf(
        word_, [](uint64_t w) { return (w & kClosed) == 0; },
        [&](uint64_t w) {
          head = head_.load(std::memory_order_acquire);  // see R1
          const uint32_t used = Claimed(w) - head;
          room = used < capacity_ && used + slots <= mask_ + 1;
          return room ? w + (uint64_t{slots} << kClaimedShift) : AddLost(w, records);
        });
    if (!claim) return {Published::kClosed, 0, claim.seen};
    if (!room) return {Published::kLost, 0, claim.seen};
    const uint32_t position = Claimed(claim.seen);
    if (position - head < fast_limit_ / 2) {
      gate_.store(Gate(head, false), std::memory_order_release);
    }
    return {Published::kYes, position, claim.seen};
  }

  // Where the reader's work ends for now: void claims are behind the end.
  [[nodiscard]] uint32_t Last(uint64_t word) const {
    const uint64_t end = end_.load(std::memory_order_acquire);
    return end != 0 ? static_cast<uint32_t>(end) : Claimed(word);
  }

  // The counter is 30 bits wide: exact as long as fewer than 2^30 records are lost
  // between two that are read.
  uint64_t AccountLost(uint32_t lost_now) {
    const uint64_t lost = (lost_now - lost_seen_) & 0x3fffffff;
    lost_seen_ = lost_now;
    number_ += lost;
    return lost;
  }

  const uint32_t capacity_;
  const uint32_t mask_;
  const uint32_t fast_limit_;
  const std::unique_ptr<Slot<T>[]> slots_;
  alignas(kCacheLine) Atomic<uint64_t> word_;
  alignas(kCacheLine) Atomic<uint64_t> gate_;
  Atomic<uint64_t> end_{0};       // set once, when the ring is closed
  Atomic<bool> skipping_{false};  // set once, by the reader: head stands still
  // Written by the reader for every record; publishers look rarely.
  alignas(kCacheLine) Atomic<uint32_t> head_;
  uint32_t position_;
  uint32_t lost_seen_ = 0;
  uint64_t number_ = 0;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_RING_H_
