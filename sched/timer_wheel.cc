#include "sched/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace taskvisor::internal {

TimerWheel::TimerWheel(int64_t now, std::vector<DueTimer>* due) : tick_(TickOf(now)), due_(due) {}

void TimerWheel::Link(Timer& timer) {
  Unlink(timer);
  // relaxed: the caller saw the armed word with acquire; Arm wrote this before it.
  const uint64_t tick = std::max(TickOf(timer.deadline.load(std::memory_order_relaxed)), tick_);
  int level = 0;
  while (SlotAt(level + 1, tick) - SlotAt(level + 1, tick_) > 1) ++level;  // W1

  Wheel& wheel = wheels_[static_cast<size_t>(level)];
  const size_t place = PlaceOf(SlotAt(level, tick));
  Timer*& head = wheel.slots[place];
  timer.previous = nullptr;
  timer.next = head;
  if (head != nullptr) head->previous = &timer;
  head = &timer;
  timer.level = static_cast<int8_t>(level);
  timer.wheel_slot = static_cast<uint8_t>(place);
  wheel.occupied[place / kBankSlots] |= uint64_t{1} << (place % kBankSlots);
}

void TimerWheel::Unlink(Timer& timer) {
  if (timer.level < 0) return;
  const auto place = static_cast<size_t>(timer.wheel_slot);
  if (timer.next != nullptr) timer.next->previous = timer.previous;
  if (timer.previous != nullptr) {
    timer.previous->next = timer.next;
  } else {
    wheels_[static_cast<size_t>(timer.level)].slots[place] = timer.next;
    if (timer.next == nullptr) MarkEmpty(timer.level, place);
  }
  timer.level = -1;
}

bool TimerWheel::Advance(int64_t now) {
  const uint64_t target = std::max(TickOf(now), tick_);
  bool fired = Empty(0, tick_, now);  // what shares its tick with `now`
  while (tick_ < target) {
    tick_ = std::min(NextTickToStopAt().value_or(target), target);
    for (int level = kLevels - 1; level >= 0; --level) {  // W2
      fired |= Empty(level, SlotAt(level, tick_), now);
    }
  }
  MoveDown(now);
  return fired;
}

void TimerWheel::MoveDown(int64_t now) {
  int left = kStride;
  for (int level = kLevels - 1; level > 0; --level) {
    const size_t place = PlaceOf(SlotAt(level, tick_) + 1);
    Timer* const& head = wheels_[static_cast<size_t>(level)].slots[place];
    for (; head != nullptr && left > 0; --left) {
      Timer& timer = *head;
      Unlink(timer);
      static_cast<void>(FireIfDue(timer, now));  // not due; W1 has a lower wheel for it
    }
  }
}

std::optional<int64_t> TimerWheel::NextLook() const {
  int64_t look = std::numeric_limits<int64_t>::max();
  bool any = false;
  if (const auto tick = NextOccupied(0, tick_)) {
    any = true;
    look = EarliestIn(*tick);
  }
  for (int level = 1; level < kLevels; ++level) {
    const auto slot = NextOccupied(level, SlotAt(level, tick_) + 1);
    if (!slot.has_value()) continue;
    any = true;  // it may come down as soon as the slot before it begins
    look = std::min(look, static_cast<int64_t>(StartOf(level, *slot - 1) << kTickShift));
  }
  return any ? std::optional(look) : std::nullopt;
}

int64_t TimerWheel::EarliestIn(uint64_t tick) const {
  int64_t earliest = std::numeric_limits<int64_t>::max();
  for (const Timer* timer = wheels_[0].slots[PlaceOf(tick)]; timer != nullptr;
       timer = timer->next) {
    earliest = std::min(earliest, timer->deadline.load(std::memory_order_relaxed));
  }
  // An owner may be about to re-arm a cancelled timer: its deadline then already shows the
  // new value, and hides what this slot was filed for. All of that is due within the tick.
  return std::min(earliest, static_cast<int64_t>(((tick + 1) << kTickShift) - 1));
}

std::optional<uint64_t> TimerWheel::NextTickToStopAt() const {
  std::optional<uint64_t> next = NextOccupied(0, tick_ + 1);
  for (int level = 1; level < kLevels; ++level) {
    const auto slot = NextOccupied(level, SlotAt(level, tick_) + 1);
    if (!slot.has_value()) continue;
    next = std::min(next.value_or(StartOf(level, *slot)), StartOf(level, *slot));
  }
  return next;
}

std::optional<uint64_t> TimerWheel::NextOccupied(int level, uint64_t from) const {
  const Wheel& wheel = wheels_[static_cast<size_t>(level)];
  const uint64_t last_bank = SlotAt(level + 1, tick_) + 1;
  uint64_t ahead = ~uint64_t{0} << (from % kBankSlots);
  for (uint64_t bank = from / kBankSlots; bank <= last_bank; ++bank) {
    const uint64_t found = wheel.occupied[bank % 2] & ahead;
    if (found != 0) return bank * kBankSlots + static_cast<uint64_t>(std::countr_zero(found));
    ahead = ~uint64_t{0};
  }
  return std::nullopt;
}

bool TimerWheel::Empty(int level, uint64_t slot, int64_t now) {
  const size_t place = PlaceOf(slot);
  // Take the list first: a deadline later in this tick is filed into this very slot again.
  Timer* timer = std::exchange(wheels_[static_cast<size_t>(level)].slots[place], nullptr);
  MarkEmpty(level, place);
  bool fired = false;
  while (timer != nullptr) {
    Timer& current = *timer;
    timer = current.next;
    current.level = -1;
    fired |= FireIfDue(current, now);
  }
  return fired;
}

bool TimerWheel::FireIfDue(Timer& timer, int64_t now) {
  uint64_t seen = timer.word.load(std::memory_order_acquire);
  while ((seen & Timer::kArmed) != 0) {
    // In this order: see Timer. acquire: pairs with the release in Arm.
    const uint64_t tag = timer.tag.load(std::memory_order_acquire);
    const int64_t deadline = timer.deadline.load(std::memory_order_relaxed);
    if (deadline > now) return Link(timer), false;
    // acq_rel: keeps the two loads above before it (pairs with the acquires in Arm and
    // Cancel).
    if (timer.word.compare_exchange_weak(seen, seen & ~Timer::kArmed, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
      due_ == nullptr ? timer.fire(timer, tag) : due_->push_back({&timer, tag});
      return true;
    }
  }
  return false;
}

}  // namespace taskvisor::internal
