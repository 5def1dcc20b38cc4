#ifndef TASKVISOR_SCHED_TIMER_WHEEL_H_
#define TASKVISOR_SCHED_TIMER_WHEEL_H_

#include <array>
#include <cstdint>
#include <optional>

#include "sched/timer.h"

namespace taskvisor::internal {

// TimerWheel
//
// Timers sorted into 8 wheels of 64 slots by how far away they are. A tick is 2^16 ns
// (65 us); a slot of wheel `l` spans 64^l ticks. Deadlines are kept to the
// nanosecond: a slot only says where to look, so nothing fires early, and nothing
// late by more than the thread needs to wake up.
//
// A timer at tick `t` hangs in the wheel of the highest 6-bit digit in which `t`
// differs from `now`'s tick. When the wheel reaches the first tick of a slot of a
// higher wheel, that slot's timers move down.
//
// Owned by one thread (the timer thread). Link and Unlink are O(1); Advance costs
// per due or moved timer, not per tick.
class TimerWheel {
 public:
  explicit TimerWheel(int64_t now);

  // Files an armed timer by its deadline (again, if it was filed).
  void Link(Timer& timer);
  void Unlink(Timer& timer);

  // Moves to `now` and fires what is due, in no order within one tick. A timer found
  // cancelled on the way is dropped.
  void Advance(int64_t now);

  // When to call Advance next; nothing if nothing is filed. Never later than the
  // earliest deadline; may be earlier (a slot of a higher wheel comes down).
  [[nodiscard]] std::optional<int64_t> NextLook() const;

 private:
  static constexpr int kLevels = 8;
  static constexpr int kDigitBits = 6;
  static constexpr int kSlots = 1 << kDigitBits;
  static constexpr int kTickShift = 16;

  static uint64_t TickOf(int64_t time) {
    return time <= 0 ? 0 : static_cast<uint64_t>(time) >> kTickShift;
  }
  static int Digit(uint64_t tick, int level) {
    return static_cast<int>((tick >> (kDigitBits * level)) & (kSlots - 1));
  }
  [[nodiscard]] std::optional<uint64_t> NextOccupiedTick() const;
  void ProcessSlot(int level, int slot, int64_t now);
  void FireIfDue(Timer& timer, int64_t now);

  uint64_t tick_;
  std::array<uint64_t, kLevels> occupied_{};
  std::array<std::array<Timer*, kSlots>, kLevels> slots_{};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_TIMER_WHEEL_H_
