#include "sched/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace taskvisor::internal {

TimerWheel::TimerWheel(int64_t now) : tick_(TickOf(now)) {}

void TimerWheel::Link(Timer& timer) {
  Unlink(timer);
  // relaxed: the caller saw the armed word with acquire; Arm wrote this before it.
  const uint64_t tick = std::max(TickOf(timer.deadline.load(std::memory_order_relaxed)), tick_);
  const uint64_t differs = tick ^ tick_;
  const int top_bit = differs == 0 ? 0 : 63 - std::countl_zero(differs);
  const int level = std::min(top_bit / kDigitBits, kLevels - 1);
  const int slot = Digit(tick, level);

  auto& head = slots_[static_cast<size_t>(level)][static_cast<size_t>(slot)];
  timer.previous = nullptr;
  timer.next = head;
  if (head != nullptr) head->previous = &timer;
  head = &timer;
  timer.level = static_cast<int8_t>(level);
  timer.wheel_slot = static_cast<uint8_t>(slot);
  occupied_[static_cast<size_t>(level)] |= uint64_t{1} << slot;
}

void TimerWheel::Unlink(Timer& timer) {
  if (timer.level < 0) return;
  const auto level = static_cast<size_t>(timer.level);
  const auto slot = static_cast<size_t>(timer.wheel_slot);
  if (timer.next != nullptr) timer.next->previous = timer.previous;
  if (timer.previous != nullptr) {
    timer.previous->next = timer.next;
  } else {
    slots_[level][slot] = timer.next;
    if (timer.next == nullptr) occupied_[level] &= ~(uint64_t{1} << slot);
  }
  timer.level = -1;
}

void TimerWheel::Advance(int64_t now) {
  const uint64_t target = std::max(TickOf(now), tick_);
  ProcessSlot(0, Digit(tick_, 0), now);  // what shares its tick with `now`
  while (true) {
    const std::optional<uint64_t> next = NextOccupiedTick();
    if (!next.has_value() || *next > target || (*next == tick_ && tick_ == target)) break;
    tick_ = std::max(*next, tick_ + 1);
    for (int level = kLevels - 1; level >= 0; --level) {
      const uint64_t below = (uint64_t{1} << (kDigitBits * level)) - 1;
      if ((tick_ & below) == 0) ProcessSlot(level, Digit(tick_, level), now);
    }
  }
  tick_ = target;
}

std::optional<int64_t> TimerWheel::NextLook() const {
  const std::optional<uint64_t> tick = NextOccupiedTick();
  if (!tick.has_value()) return std::nullopt;
  const int64_t start = static_cast<int64_t>(*tick << kTickShift);
  if ((*tick >> kDigitBits) != (tick_ >> kDigitBits)) return start;
  int64_t earliest = INT64_MAX;
  for (const Timer* timer = slots_[0][static_cast<size_t>(Digit(*tick, 0))]; timer != nullptr;
       timer = timer->next) {
    earliest = std::min(earliest, timer->deadline.load(std::memory_order_relaxed));
  }
  // An owner may be about to re-arm a cancelled timer: its deadline then already shows the
  // new value, and hides what this slot was filed for. All of that is due within the tick.
  return std::min(earliest, start + (int64_t{1} << kTickShift) - 1);
}

std::optional<uint64_t> TimerWheel::NextOccupiedTick() const {
  for (int level = 0; level < kLevels; ++level) {
    const int here = Digit(tick_, level);
    const int first = level == 0 ? here : here + 1;  // a higher wheel's current slot is empty
    if (first >= kSlots) continue;
    const uint64_t ahead = occupied_[static_cast<size_t>(level)] & (~uint64_t{0} << first);
    if (ahead == 0) continue;
    const int shift = kDigitBits * level;
    const uint64_t base = tick_ >> (shift + kDigitBits) << (shift + kDigitBits);
    return base | (static_cast<uint64_t>(std::countr_zero(ahead)) << shift);
  }
  return std::nullopt;
}

void TimerWheel::ProcessSlot(int level, int slot, int64_t now) {
  // Take the whole list first: firing may file timers into this very slot.
  auto& head = slots_[static_cast<size_t>(level)][static_cast<size_t>(slot)];
  Timer* timer = head;
  head = nullptr;
  occupied_[static_cast<size_t>(level)] &= ~(uint64_t{1} << slot);
  while (timer != nullptr) {
    Timer& current = *timer;
    timer = current.next;
    current.level = -1;
    FireIfDue(current, now);
  }
}

void TimerWheel::FireIfDue(Timer& timer, int64_t now) {
  uint64_t seen = timer.word.load(std::memory_order_acquire);
  while ((seen & Timer::kArmed) != 0) {
    // In this order: see Timer. acquire: pairs with the release in Arm.
    const uint64_t tag = timer.tag.load(std::memory_order_acquire);
    const int64_t deadline = timer.deadline.load(std::memory_order_relaxed);
    if (deadline > now) return Link(timer);
    // acq_rel: keeps the two loads above before it (pairs with the acquires in Arm and
    // Cancel).
    if (timer.word.compare_exchange_weak(seen, seen & ~Timer::kArmed, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
      return timer.fire(timer, tag);
    }
  }
}

}  // namespace taskvisor::internal
