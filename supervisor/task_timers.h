#ifndef TASKVISOR_SUPERVISOR_TASK_TIMERS_H_
#define TASKVISOR_SUPERVISOR_TASK_TIMERS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

#include "sched/atomic.h"
#include "sched/timer.h"
#include "sched/timer_queue.h"
#include "sched/zero_pages.h"

namespace taskvisor::internal {

class Actor;

// TaskTimers
//
// A timer for each slot of the registry, in memory of its own: most tasks never arm one, and what
// was never armed takes up no memory.
//
// It is one timer for three uses: the attempt's timeout, the task's delay, or its grace. The tag
// says which, and for which epoch: one that is out of date does nothing, so no use is ever
// cancelled, only replaced.
//
// Progress: as TimerQueue::Arm. Nothing here allocates but the constructor, which takes address
// space.
class TaskTimers {
 public:
  // What a timer that fires was armed for.
  enum class Use : uint64_t { kTimeout, kDelay, kGrace };

  // What fires goes to actor.OnTimer.
  TaskTimers(TimerQueue& queue, Actor& actor, uint32_t slots)
      : queue_(queue), actor_(actor), pages_(slots / kTimers + 1) {}

  // REQUIRES: the caller is alone with the slot's timer. See TimerQueue::Arm.
  void Arm(uint32_t slot, TimePoint at, Use use, uint64_t epoch) {
    queue_.Arm(At(slot), at, (epoch << 2) | static_cast<uint64_t>(use));
  }

  [[nodiscard]] TimerQueue& queue() { return queue_; }

  // Of a timer that fires.
  [[nodiscard]] static uint32_t SlotOf(const Timer& timer);

 private:
  // Whose timer it is, is told by where it is: a line at the beginning of its page says so.
  static constexpr size_t kPageSize = 4096;
  static constexpr uint32_t kTimers = kPageSize / kCacheLine - 1;
  struct alignas(kPageSize) Page {
    Atomic<TaskTimers*> owner;
    alignas(kCacheLine) std::array<Timer, kTimers> timers;
  };

  static void OnFire(Timer& timer, uint64_t tag);
  static const Page& PageOf(const Timer& timer);
  Timer& At(uint32_t slot) {
    Page& page = pages_[slot / kTimers];
    Timer& timer = page.timers[slot % kTimers];
    if (timer.fire != nullptr) return timer;
    // Still zero bytes. relaxed: whoever arms one of this page first says the same; the timer
    // thread learns it with the timer.
    page.owner.store(this, std::memory_order_relaxed);
    return *new (&timer) Timer(&OnFire);
  }

  TimerQueue& queue_;
  Actor& actor_;
  const ZeroArray<Page> pages_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TASK_TIMERS_H_
