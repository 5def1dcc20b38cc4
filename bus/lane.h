#ifndef TASKVISOR_BUS_LANE_H_
#define TASKVISOR_BUS_LANE_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "bus/loss_count.h"
#include "bus/slot.h"
#include "sched/atomic.h"
#include "sched/prefetch.h"
#include "sched/zero_pages.h"

namespace taskvisor::internal {

// Lane<T>
//
// What one thread publishes and the reader takes: a bounded queue of records with their
// tickets, in the order of both. One owner at a time, one reader at a time.
//
// Position `p` lives in slot p mod slots:
//   owner    writes the record, then
//            stamp.store(ticket, release)       pairs with the reader's acquire in Next
//   reader   uses the record in place, then
//            head.store(p + span, release)      pairs with the owner's acquire in LookAtHead;
//                                               not after each: see TellRoom
// so a record is written only when nobody reads it, and read only when it is whole. A stamp
// is news if its ticket is above the last one that was taken from this lane: what an
// earlier lap left in a slot is always below it.
//
// Progress: every call is wait-free. Nothing here allocates but the constructor, which
// takes address space only: slots take up memory as the first lap comes to them, kStep at a time.
template <class T>
class Lane {
 public:
  // `capacity` >= 1: slots that may be in use when a record is admitted; in use are, while the
  // reader is at it, up to a 64th of them that it is past. There are at least `min_slots`, so that
  // a long record fits a short lane. Check `ok` before any other call.
  Lane(uint32_t capacity, uint32_t min_slots, uint32_t start)
      : mask_(std::bit_ceil(std::max(capacity, min_slots)) - 1),
        capacity_(capacity),
        stride_(std::clamp<uint32_t>(capacity / 64, 1, 64)),
        memory_((size_t{mask_} + 1 + kAhead) * sizeof(Slot<T>)),
        // Zero bytes are a slot that no ticket was ever stamped on.
        slots_(static_cast<Slot<T>*>(memory_.data())),
        tail_(start),
        limit_(start),
        taken_up_(start),
        head_(start),
        position_(start),
        room_told_(start) {}

  [[nodiscard]] bool ok() const { return slots_ != nullptr; }

  // --- the owner's side ----------------------------------------------------------------

  // Where the owner writes next, looked up before it draws its ticket: what comes after the
  // drawing are mostly stores.
  struct Place {
    Slot<T>* slot;  // null: no room
    uint32_t tail;
    uint32_t lossy;  // Slot's bit: it tells of losses
  };
  [[nodiscard]] Place Look(uint32_t slots) {
    const auto room = static_cast<int32_t>(limit_ - tail_);
    if (room < static_cast<int32_t>(slots)) [[unlikely]]
      return LookAtHead(slots);
    Slot<T>* const slot = &slots_[tail_ & mask_];
    PrefetchForWrite(slot + kAhead);
    return {slot, tail_, 0};
  }

  // Writes records with the tickets from the one of `stamp` on. REQUIRES: there is room, and no
  // Write or Lose came after that Look.
  template <size_t kRun, class Fill>
  [[gnu::always_inline]] void Write(Place place, uint64_t stamp,
                                    const std::array<uint32_t, kRun>& spans, Fill& fill) {
    const auto write = [&](auto i) __attribute__((always_inline)) {
      SlotText<T> text(slots_, mask_, place.tail);
      fill(i, place.slot->record, text);
      place.slot->stamp.store((stamp + (i << Slot<T>::kTicketShift)) | (i == 0 ? place.lossy : 0),
                              std::memory_order_release);
      place.tail += spans[i];
      if (i + 1 < kRun) place.slot = &slots_[place.tail & mask_];
    };
    // Not a loop: `i` is a constant, and so is what `fill` does for it.
    [&]<size_t... kIs>(std::index_sequence<kIs...>) __attribute__((always_inline)) {
      (write(std::integral_constant<size_t, kIs>()), ...);
    }
    (std::make_index_sequence<kRun>());
    tail_ = place.tail;
  }

  // False: sealed.
  [[nodiscard]] bool Lose(uint64_t records) {
    lossy_ = Slot<T>::kLossy;
    limit_ = tail_;  // the next Look tells of it
    return losses_.Add(records);
  }

  // --- the reader's side ---------------------------------------------------------------

  // The ticket of the next record, 0 if there is none yet.
  [[nodiscard]] uint64_t Next() const {
    const uint64_t stamp = slots_[position_ & mask_].stamp.load(std::memory_order_acquire);
    const uint64_t ticket = stamp >> Slot<T>::kTicketShift;
    return ticket > last_ ? ticket : 0;
  }

  // REQUIRES, down to Pass: Next() is not 0.
  [[nodiscard]] T& record() { return slots_[position_ & mask_].record; }

  // Records lost just before this one; told once.
  [[nodiscard]] uint64_t TakeLostBefore() {
    const Slot<T>& slot = slots_[position_ & mask_];
    if ((slot.stamp.load(std::memory_order_relaxed) & Slot<T>::kLossy) == 0) return 0;
    uint64_t lost = 0;
    std::memcpy(&lost, slot.lost_before, sizeof(lost));
    return Account(lost);
  }

  void CopyText(char* to, size_t size) const {
    SlotText<T>(slots_, mask_, position_).CopyTo(to, size);
  }

  // The record with this ticket is used up.
  void Pass(uint64_t ticket, uint32_t span) {
    last_ = ticket;
    position_ += span;
    if (position_ - room_told_ >= stride_) TellRoom();
  }
  // The owner learns of the room behind the reader: by strides, and when nothing more is taken for
  // now. An owner that finds none looks at the head each time, and would take its line away from
  // the reader, and get it back, for each record.
  void TellRoom() {
    room_told_ = position_;
    head_.store(position_, std::memory_order_release);
  }

  // Records lost after all that was taken, with nothing behind them; told once. `over`: nothing
  // more is taken, whatever is behind them.
  [[nodiscard]] uint64_t TakeTrailingLosses(bool over) {
    // The losses first, and once: what was stamped before them then shows in Next.
    const uint64_t lost = losses_.count();
    return lost != lost_seen_ && (over || Next() == 0) ? Account(lost) : 0;
  }
  // There are losses that were not told.
  [[nodiscard]] bool HasLosses() const { return losses_.count() != lost_seen_; }
  void SealLosses() { losses_.Seal(); }

 private:
  // So many slots ahead of the tail are called for: far enough for a line that the reader
  // has in its cache to come over meanwhile. Behind the last slot there are as many that nobody
  // uses.
  static constexpr uint32_t kAhead = 32;
  // Slots that take up memory together: 32 KiB.
  static constexpr uint32_t kStep = 256;

  [[gnu::noinline]] Place LookAtHead(uint32_t slots) {
    const uint32_t head = head_.load(std::memory_order_acquire);
    const uint32_t used = tail_ - head;
    if (used >= capacity_ || used + slots > mask_ + 1) return {nullptr, tail_, 0};
    limit_ = head + capacity_;
    if (first_lap_ > 0) TakeUp(slots);
    Slot<T>* const slot = &slots_[tail_ & mask_];
    if (lossy_ != 0) {
      const uint64_t lost = losses_.mine();
      std::memcpy(slot->lost_before, &lost, sizeof(lost));
    }
    return {slot, tail_, std::exchange(lossy_, 0)};
  }

  // The first lap: the next `slots` have memory, and the owner comes back where that ends.
  void TakeUp(uint32_t slots) {
    while (first_lap_ > 0 && taken_up_ - tail_ < slots) {
      const uint32_t first = taken_up_ & mask_;
      const uint32_t step = std::min({kStep, first_lap_, mask_ + 1 - first});
      memory_.TakeUp(size_t{first} * sizeof(Slot<T>), size_t{step} * sizeof(Slot<T>));
      taken_up_ += step;
      first_lap_ -= step;
    }
    if (first_lap_ > 0) limit_ = tail_ + std::min(limit_ - tail_, taken_up_ - tail_);
  }

  uint64_t Account(uint64_t lost) {
    const uint64_t news = lost - lost_seen_;
    lost_seen_ = lost;
    return news;
  }

  const uint32_t mask_;
  const uint32_t capacity_;
  const uint32_t stride_;
  const ZeroPages memory_;
  Slot<T>* const slots_;
  // The owner's line.
  alignas(2 * kCacheLine) uint32_t tail_;
  uint32_t limit_;                  // up to there it needs no look at head_
  uint32_t lossy_ = 0;              // kLossy: the next record tells of losses
  uint32_t taken_up_;               // where the memory that was taken up ends
  uint32_t first_lap_ = mask_ + 1;  // slots that have none yet
  // A line of its own, which the reader looks at after each pass: it is written only at a loss.
  alignas(2 * kCacheLine) LossCount losses_;
  // The owner looks when it seems full.
  alignas(2 * kCacheLine) Atomic<uint32_t> head_;
  // The reader's line.
  alignas(2 * kCacheLine) uint32_t position_;
  uint32_t room_told_;
  uint64_t last_ = 0;
  uint64_t lost_seen_ = 0;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_LANE_H_
