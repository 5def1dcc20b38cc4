#ifndef TASKVISOR_BUS_RING_H_
#define TASKVISOR_BUS_RING_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "sched/atomic.h"

namespace taskvisor::internal {

// Ring<T>
//
// A bounded ring of numbered records: any thread publishes, one thread reads.
//
// One word is the whole admission:
//
//   | claimed : 32 | lost : 30 | closed : 1 | asleep : 1 |
//     claimed   positions given out
//     lost      records that found the ring full. They take a number too, so that a
//               reader sees the gap: the number of a record is claimed + lost, counted
//               in the order of the compare-and-swaps on this word
//     closed    nothing more is admitted, or numbered
//     asleep    the reader parks; whoever takes the bit away by publishing owes the
//               wake-up. The reader can set it only while every claimed position is
//               read, so neither side misses the other
//
// A position `p` lives in slot p mod slots:
//   publisher   claims p (room: p - head < capacity), writes the record, then
//               stamp.store(p + 1, release)          pairs with the reader's acquire
//   reader      sees stamp == p + 1 (acquire), uses the record in place, then
//               head.store(p + 1, release)           pairs with the publisher's acquire
// so a record is written only when nobody reads it, and read only when it is whole.
//
// Invariants
//   R1  claimed - head <= capacity
//   R2  slot p is written only by the thread that claimed p, after head > p - slots
//   R3  numbers are given in the order of the CAS: events of one thread, and of threads
//       ordered by a release/acquire hand-off, have increasing numbers
//
// Progress: Publish is lock-free (a retry means that another publish succeeded) and
// never waits, allocates or makes a system call. Reading waits for a publisher that
// stands between claim and stamp; other publishers do not, until the ring is full:
// then they count a loss and go on.
template <class T>
class Ring {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  enum class Published : uint8_t {
    kYes,
    kYesAndWake,  // the caller owes the reader a wake-up
    kLost,        // the ring was full; counted
    kClosed,
  };

  // `capacity` >= 1: records that may be unread. `start` is for tests of the wrap.
  explicit Ring(size_t capacity, uint32_t start = 0)
      : capacity_(static_cast<uint32_t>(std::clamp<size_t>(capacity, 1, kMaxCapacity))),
        mask_(std::bit_ceil(capacity_) - 1),
        slots_(std::make_unique<Slot[]>(size_t{mask_} + 1)),
        word_(uint64_t{start} << kClaimedShift),
        head_(start),
        position_(start) {
    for (uint32_t i = 0; i <= mask_; ++i) {
      // As if the lap before had been read: matches no position of the first lap.
      slots_[(start + i) & mask_].stamp.store(start + i - mask_, std::memory_order_relaxed);
    }
  }

  // fill(T&) writes the record in place; it must not throw. The record's old content is
  // unspecified.
  template <class Fill>
  Published Publish(Fill fill) {
    bool room = false;
    const auto claim = UpdateIf(
        word_, [](uint64_t w) { return (w & kClosed) == 0; },
        [&](uint64_t w) {
          // acquire: the reader is done with the slot we may get (R2).
          room = Claimed(w) - head_.load(std::memory_order_acquire) < capacity_;
          return room ? (w & ~kAsleep) + kClaimedOne : (w & ~kLostMask) | AddLost(w);
        });
    if (!claim) return Published::kClosed;
    if (!room) return Published::kLost;
    const uint32_t position = Claimed(claim.seen);
    Slot& slot = slots_[position & mask_];
    fill(slot.record);
    slot.lost_before = Lost(claim.seen);
    slot.stamp.store(position + 1, std::memory_order_release);
    return (claim.seen & kAsleep) != 0 ? Published::kYesAndWake : Published::kYes;
  }

  // No more records; the reader may still take what was claimed. Idempotent.
  void Close() { word_.fetch_or(kClosed, std::memory_order_acq_rel); }

  // --- the reader's side: one thread -------------------------------------------------

  struct Taken {
    T* record;        // null: nothing to take now
    uint64_t lost;    // numbers lost just before it
    uint64_t number;  // its number, from 1
  };

  // The next record, valid until Done().
  [[nodiscard]] Taken Take() {
    Slot& slot = slots_[position_ & mask_];
    if (slot.stamp.load(std::memory_order_acquire) != position_ + 1) return {nullptr, 0, 0};
    const uint64_t lost = AccountLost(slot.lost_before);
    return {&slot.record, lost, ++number_};
  }

  // The taken record is used up. acquire/release: see R2.
  void Done() { head_.store(++position_, std::memory_order_release); }

  // Losses after the last record, with nothing claimed behind them. Their numbers are
  // used up; `number()` is the last of them.
  [[nodiscard]] uint64_t TakeTrailingLosses() {
    const uint64_t word = word_.load(std::memory_order_acquire);
    return Claimed(word) == position_ ? AccountLost(Lost(word)) : 0;
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
    return Claimed(word_.load(std::memory_order_acquire)) != position_ &&
           slots_[position_ & mask_].stamp.load(std::memory_order_acquire) != position_ + 1;
  }

  // Gives a hole up and counts it as lost. REQUIRES: Close() was called, so that the
  // slot is never claimed again. Its late publisher writes where nobody looks.
  void SkipHole() {
    ++number_;
    head_.store(++position_, std::memory_order_release);
  }

  // Closed, and everything claimed was read.
  [[nodiscard]] bool Exhausted() const {
    const uint64_t word = word_.load(std::memory_order_acquire);
    return (word & kClosed) != 0 && Claimed(word) == position_ && Lost(word) == lost_seen_;
  }

  [[nodiscard]] bool closed() const {
    return (word_.load(std::memory_order_acquire) & kClosed) != 0;
  }

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
  static constexpr uint64_t kClaimedOne = uint64_t{1} << kClaimedShift;

  struct Slot {
    Atomic<uint32_t> stamp{0};
    uint32_t lost_before = 0;  // `lost` when this position was claimed
    T record;
  };

  static uint32_t Claimed(uint64_t word) { return static_cast<uint32_t>(word >> kClaimedShift); }
  static uint32_t Lost(uint64_t word) {
    return static_cast<uint32_t>((word & kLostMask) >> kLostShift);
  }
  static uint64_t AddLost(uint64_t word) {  // wraps inside its field
    return ((word & kLostMask) + (uint64_t{1} << kLostShift)) & kLostMask;
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
  const std::unique_ptr<Slot[]> slots_;
  alignas(kCacheLine) Atomic<uint64_t> word_;
  alignas(kCacheLine) Atomic<uint32_t> head_;
  // The reader's own.
  alignas(kCacheLine) uint32_t position_;
  uint32_t lost_seen_ = 0;
  uint64_t number_ = 0;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_RING_H_
