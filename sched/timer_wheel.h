#ifndef TASKVISOR_SCHED_TIMER_WHEEL_H_
#define TASKVISOR_SCHED_TIMER_WHEEL_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "sched/timer.h"

namespace taskvisor::internal {

// TimerWheel
//
// Timers sorted into 8 wheels by how far away they are. A tick is 2^16 ns (65 us); a slot
// of wheel `l` spans 64^l ticks. Deadlines are kept to the nanosecond: a slot only says
// where to look, so nothing fires early.
//
// A wheel has 128 slots: one bank of 64 for the slot of the wheel above that is now, one
// for the slot after it. So the timers of an upper slot can move down at any time during
// the slot before, kStride at a time between two looks at what is due, and a slot of a
// million timers makes nobody late:
//
//                       now
//   wheel 1    ├──────────╿─────────┼── moves down ────┼──── stays ───────┤
//   wheel 0    ├┬┬┬┬┬┬┬┬┬┬╿┬┬┬┬┬┬┬┬┬┼┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┬┤
//                this bank              the other bank
//
// Invariants, with slot(l, t) = t / 64^l:
//   W1  a timer at tick `t` hangs in wheel `l` only if slot(l + 1, t) is slot(l + 1, now)
//       or the next one; Link takes the lowest such wheel
//   W2  no wheel above 0 has timers in slot(l, now): what has not moved down by itself
//       does so before `now` enters its slot
//
// Owned by one thread (the timer thread). Link and Unlink are O(1); Advance costs
// per due or moved timer, not per tick.
class TimerWheel {
 public:
  // `due`: gets what would fire, for the caller to fire in an order of its own; null: it fires.
  explicit TimerWheel(int64_t now, std::vector<DueTimer>* due = nullptr);

  // Files an armed timer by its deadline (again, if it was filed).
  void Link(Timer& timer);
  void Unlink(Timer& timer);

  // Moves to `now` and fires what is due, in no order within one tick; then moves at most
  // kStride timers down that are not due yet. A timer found cancelled on the way is dropped.
  // True if one fired.
  bool Advance(int64_t now);

  // When to call Advance next; nothing if nothing is filed. Never later than the
  // earliest deadline; may be earlier (a slot may come down), and in the past as long as
  // a slot that may come down has not.
  [[nodiscard]] std::optional<int64_t> NextLook() const;

 private:
  static constexpr int kLevels = 8;
  static constexpr int kDigitBits = 6;
  static constexpr int kBankSlots = 1 << kDigitBits;
  static constexpr int kTickShift = 16;
  static constexpr int kStride = 64;  // ~10 us where every timer is a cache miss
  // The highest wheel's bank spans all of time: W1 finds a wheel for every timer.
  static_assert(kTickShift + kDigitBits * kLevels >= 63);

  struct Wheel {
    std::array<uint64_t, 2> occupied{};  // a bit for each slot, by bank
    std::array<Timer*, size_t{2} * kBankSlots> slots{};
  };

  static uint64_t TickOf(int64_t time) {
    return time <= 0 ? 0 : static_cast<uint64_t>(time) >> kTickShift;
  }
  static uint64_t SlotAt(int level, uint64_t tick) { return tick >> (kDigitBits * level); }
  static uint64_t StartOf(int level, uint64_t slot) { return slot << (kDigitBits * level); }
  static size_t PlaceOf(uint64_t slot) { return slot % (size_t{2} * kBankSlots); }
  void MarkEmpty(int level, size_t place) {
    wheels_[static_cast<size_t>(level)].occupied[place / kBankSlots] &=
        ~(uint64_t{1} << (place % kBankSlots));
  }

  // The first slot from `from` on, at most to the end of the banks, that has timers.
  // REQUIRES: `from` lies in the bank that is now, or begins the other.
  [[nodiscard]] std::optional<uint64_t> NextOccupied(int level, uint64_t from) const;
  [[nodiscard]] std::optional<uint64_t> NextTickToStopAt() const;
  [[nodiscard]] int64_t EarliestIn(uint64_t tick) const;

  // Takes all timers out of a slot: those that are due fire, the others are filed anew. True
  // if one fired.
  bool Empty(int level, uint64_t slot, int64_t now);
  // The same with at most kStride timers of slots that come next.
  void MoveDown(int64_t now);
  bool FireIfDue(Timer& timer, int64_t now);

  uint64_t tick_;
  std::vector<DueTimer>* const due_;
  std::array<Wheel, kLevels> wheels_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_TIMER_WHEEL_H_
