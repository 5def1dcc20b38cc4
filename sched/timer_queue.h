#ifndef TASKVISOR_SCHED_TIMER_QUEUE_H_
#define TASKVISOR_SCHED_TIMER_QUEUE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "taskvisor/clock.h"

namespace taskvisor::internal {

// TimerQueue
//
// One thread and one wheel for all timers of a supervisor. Owners never touch the
// wheel: Arm pushes the timer into an inbox (once, until the thread has looked), and
// Cancel is one bit of the timer's own word.
//
// Inbox word: | first timer (pointer) : 63 | asleep : 1 |. The thread sets `asleep`
// only over an empty inbox, after it has published when it will wake; whoever brings
// an earlier deadline takes the bit away and owes the wake-up. One word, so neither
// can miss the other.
//
// Progress: Arm and Cancel are lock-free (a futex wake when the deadline is the
// earliest). Firing waits for the timer thread.
//
// Never fires early. After a firing the thread rests for kGather, so that one wake-up
// serves many: to sleep and wake costs ten times what a firing costs. So a timer is late by
// the rest that it falls into, by what is fired and moved down before it, and by what the
// machine takes to let the thread on a core (timer slack is set to 1 ns). But for the
// machine's share that stays within kResolution, as long as no more than some hundred
// timers come due in any millisecond.
//
// Memory order: what the owner did before Arm is visible to the firing.
class TimerQueue {
 public:
  static constexpr Duration kResolution = std::chrono::milliseconds(1);
  static constexpr Duration kGather = std::chrono::microseconds(100);

  // `executor`: of the thread; what it fires at one time then comes in an order that it chooses.
  explicit TimerQueue(std::shared_ptr<Clock> clock, Executor* executor = nullptr);
  ~TimerQueue();  // Stop()

  // Throws if the system has no thread for it; nothing is started then.
  void Start();
  // Joins the thread; armed timers never fire, arming is still allowed (and useless).
  // Idempotent, one caller, not the timer thread.
  void Stop();

  // Fires at `deadline` with `tag`, once. REQUIRES: no other Arm or Cancel of this timer
  // at the same time. One that is armed is armed anew: during the call it may fire with
  // its old tag (also early), and with the new one if that is due, which then fires again.
  void Arm(Timer& timer, TimePoint deadline, uint64_t tag);

  // True if that arming will not fire; false if it was not armed or has fired (its
  // callback may still be running: the tag tells it whether it is out of date).
  bool Cancel(Timer& timer);

  [[nodiscard]] Clock& clock() const { return *clock_; }

 private:
  static constexpr uintptr_t kAsleep = 1;

  void Push(Timer& timer, int64_t deadline);
  void WakeFor(int64_t deadline);
  void Loop();
  void TakeInbox(class TimerWheel& wheel);
  void FireInAnyOrder(std::vector<DueTimer>& due);
  [[nodiscard]] int64_t NowTicks() const { return clock_->Now().time_since_epoch().count(); }

  const std::shared_ptr<Clock> clock_;
  Executor* const executor_;
  EventCount events_;
  alignas(kCacheLine) Atomic<uintptr_t> inbox_{0};
  Atomic<int64_t> wakes_at_{INT64_MAX};
  Atomic<bool> stop_{false};
  Thread thread_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_TIMER_QUEUE_H_
