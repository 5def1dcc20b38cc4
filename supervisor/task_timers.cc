#include "supervisor/task_timers.h"

#include "supervisor/actor.h"

namespace taskvisor::internal {

const TaskTimers::Page& TaskTimers::PageOf(const Timer& timer) {
  static_assert(sizeof(Page) == kPageSize && alignof(Page) == kPageSize);
  const auto address = reinterpret_cast<uintptr_t>(&timer);
  return *reinterpret_cast<const Page*>(address - address % kPageSize);
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
