#include "supervisor/task_timers.h"

#include <new>

#include "supervisor/actor.h"

namespace taskvisor::internal {

const TaskTimers::Page& TaskTimers::PageOf(const Timer& timer) {
  static_assert(sizeof(Page) == kPageSize && alignof(Page) == kPageSize);
  const auto address = reinterpret_cast<uintptr_t>(&timer);
  return *reinterpret_cast<const Page*>(address - address % kPageSize);
}

Timer& TaskTimers::At(uint32_t slot) {
  Page& page = pages_[slot / kTimers];
  Timer& timer = page.timers[slot % kTimers];
  if (timer.fire != nullptr) return timer;
  // Still zero bytes. relaxed: whoever arms one of this page first says the same; the timer thread
  // learns it with the timer.
  page.owner.store(this, std::memory_order_relaxed);
  return *new (&timer) Timer(&OnFire);
}

uint32_t TaskTimers::SlotOf(const Timer& timer) {
  const Page& page = PageOf(timer);
  const Page& first = page.owner.load(std::memory_order_relaxed)->pages_[0];
  const auto before = static_cast<uint32_t>(&page - &first) * kTimers;
  return before + static_cast<uint32_t>(&timer - page.timers.data());
}

void TaskTimers::OnFire(Timer& timer, uint64_t tag) {
  TaskTimers* const owner = PageOf(timer).owner.load(std::memory_order_relaxed);
  owner->actor_.OnTimer(SlotOf(timer), static_cast<Use>(tag & 3), tag >> 2);
}

}  // namespace taskvisor::internal
