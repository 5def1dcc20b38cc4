#ifndef TASKVISOR_SCHED_EVENT_COUNT_H_
#define TASKVISOR_SCHED_EVENT_COUNT_H_

#include <chrono>
#include <cstdint>
#include <utility>

#include "sched/atomic.h"
#include "sched/executor.h"
#include "sched/futex.h"

namespace taskvisor::internal {

// EventCount
//
// Park until some condition, kept elsewhere, may have become true.
//
//   waiter                                   notifier
//   while (!condition()) {                   make the condition true
//     Key key = events.PrepareWait();        events.Notify();
//     if (condition()) break;
//     events.Wait(key);
//   }
//
// No wake-up is lost: PrepareWait and Notify are read-modify-writes of one word, so
// one comes first. If Notify does, PrepareWait's acquire pairs with its release and
// the second look sees the condition; if PrepareWait does, Notify sees the waiting
// bit, changes the word and wakes. No seq_cst is needed for that.
//
// Word:  | epoch : 30 | observed : 1 | waiting : 1 |. Wake-ups may be spurious: always loop.
// `observed` stays: there are others to tell, of whom the notifier knows (see Observe).
// Notify and PrepareWait are wait-free; Notify makes a system call only if somebody
// waits, and then wakes all.
class EventCount {
 public:
  using Key = uint32_t;

  [[nodiscard]] Key PrepareWait() {
    return word_.fetch_or(kWaiting, std::memory_order_acq_rel) | kWaiting;
  }

  void Wait(Key key) { WaitUntil(key, std::chrono::steady_clock::time_point::max()); }

  // Real time, whatever clock the supervisor runs on.
  void WaitUntil(Key key, std::chrono::steady_clock::time_point deadline) {
    // acquire: pairs with the release in Notify.
    if (word_.load(std::memory_order_acquire) != key) return;
    const bool limited = deadline != std::chrono::steady_clock::time_point::max();
    if (Waits* const here = Waits::Here(); here != nullptr && !limited) {
      return here->Park(word_, key, nullptr, deadline);
    }
    FutexWait(word_, key, deadline);
  }

  // For callers on a clock that does not run by itself: whoever moves it notifies, but for an
  // executor, which knows by this when to go on.
  void WaitUntil(Key key, const Clock& clock, TimePoint deadline) {
    Waits* const here = Waits::Here();
    if (here == nullptr) return Wait(key);
    // acquire: as above.
    if (word_.load(std::memory_order_acquire) == key) here->Park(word_, key, &clock, deadline);
  }

  // From now on NotifyObserved answers true. Called as PrepareWait is: after making oneself known
  // to the notifier and before looking at the condition. One of the two sees the other.
  void Observe() { word_.fetch_or(kObserved, std::memory_order_acq_rel); }

  void Notify() { static_cast<void>(NotifyObserved()); }
  // The same; whether anybody observes.
  [[nodiscard]] bool NotifyObserved() {
    const uint32_t seen = word_.fetch_add(kEpoch, std::memory_order_acq_rel);
    if ((seen & kWaiting) != 0) Wake();
    return (seen & kObserved) != 0;
  }

  // For who has it alone: nobody observes.
  void Reset() { word_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kWaiting = 1;
  static constexpr uint32_t kObserved = 2;
  static constexpr uint32_t kEpoch = 4;

  void Wake() {
    // May also clear the bit of a waiter that prepared just now: its key is then out
    // of date and its Wait returns at once, which is allowed.
    word_.fetch_and(~kWaiting, std::memory_order_acq_rel);
    FutexWakeAll(word_);
  }

  Atomic<uint32_t> word_{0};
};

// Parks the caller until condition(). clock: that of whose doing it is, by which a simulation knows
// what can still come; null: nobody's.
template <class Condition>
void Await(const Clock* clock, EventCount& events, Condition condition) {
  while (!condition()) {
    const EventCount::Key key = events.PrepareWait();
    if (condition()) return;
    clock == nullptr ? events.Wait(key) : events.WaitUntil(key, *clock, TimePoint::max());
  }
}
template <class Condition>
void Await(EventCount& events, Condition condition) {
  Await(nullptr, events, std::move(condition));
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_EVENT_COUNT_H_
