#include "sched/timer_queue.h"

#include <sys/prctl.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "sched/prefetch.h"
#include "sched/timer_wheel.h"

namespace taskvisor::internal {

TimerQueue::TimerQueue(std::shared_ptr<Clock> clock, Executor* executor)
    : clock_(std::move(clock)), executor_(executor) {}

TimerQueue::~TimerQueue() { Stop(); }

void TimerQueue::Start() {
  if (thread_.joinable()) return;
  stop_.store(false, std::memory_order_relaxed);  // handed over with the thread
  clock_->Watch(this, [this] { events_.Notify(); });
  try {
    thread_ = Thread(executor_, "tv-timer", [this] { Loop(); });
  } catch (...) {
    clock_->Unwatch(this);
    throw;
  }
}

void TimerQueue::Stop() {
  if (!thread_.joinable()) return;
  clock_->Unwatch(this);
  stop_.store(true, std::memory_order_release);  // pairs with the acquire in Loop
  events_.Notify();
  thread_.join();
}

void TimerQueue::Arm(Timer& timer, TimePoint deadline, uint64_t tag) {
  const int64_t at = deadline.time_since_epoch().count();
  // relaxed: published by the release of the tag, which pairs with the acquire in
  // TimerWheel::FireIfDue: who sees the new tag sees the new deadline.
  timer.deadline.store(at, std::memory_order_relaxed);
  timer.tag.store(tag, std::memory_order_release);
  const auto armed = [](uint64_t w) {
    return (w | Timer::kArmed | Timer::kQueued) + Timer::kSequence;
  };
  // acquire: pairs with the clearing of `queued`; the timer is then ours to push.
  const uint64_t seen = timer.word.load(std::memory_order_acquire);
  if ((seen & (Timer::kArmed | Timer::kQueued)) == 0) {
    // T1: only the owner changes this word, so a store does. release: as UpdateIf's, below.
    timer.word.store(armed(seen), std::memory_order_release);
    return Push(timer, at);
  }
  const auto update = UpdateIf(
      timer.word, [](uint64_t) { return true; }, armed);
  if ((update.seen & Timer::kQueued) == 0) {
    Push(timer, at);
  } else {
    WakeFor(at);  // still in the inbox from an earlier, perhaps later, deadline
  }
}

bool TimerQueue::Cancel(Timer& timer) {
  // One bit and its old value, as one instruction: no line comes over only to be read first.
  return (timer.word.fetch_and(~Timer::kArmed, std::memory_order_acq_rel) & Timer::kArmed) != 0;
}

void TimerQueue::Push(Timer& timer, int64_t deadline) {
  uintptr_t head = inbox_.load(std::memory_order_acquire);
  do {
    timer.inbox_next = reinterpret_cast<Timer*>(head & ~kAsleep);
    // release: hands the timer over; pairs with the exchange in TakeInbox.
  } while (!inbox_.compare_exchange_weak(head,
                                         reinterpret_cast<uintptr_t>(&timer) | (head & kAsleep),
                                         std::memory_order_acq_rel, std::memory_order_acquire));
  // Only now: a thread that sleeps with our timer in its inbox is in the sleep that
  // wakes_at_ speaks of. Decided before the CAS, it might be an earlier sleep that left
  // the same value in the word.
  if ((head & kAsleep) != 0 && deadline < wakes_at_.load(std::memory_order_relaxed)) {
    WakeFor(deadline);
  }
}

// REQUIRES: the timer is in the inbox, or was since it was armed.
void TimerQueue::WakeFor(int64_t deadline) {
  const auto update = UpdateIf(
      inbox_,
      [&](uintptr_t head) {
        return (head & kAsleep) != 0 && deadline < wakes_at_.load(std::memory_order_relaxed);
      },
      [](uintptr_t head) { return head & ~kAsleep; });
  if (update) events_.Notify();
}

void TimerQueue::TakeInbox(TimerWheel& wheel) {
  uintptr_t head = inbox_.exchange(0, std::memory_order_acq_rel);
  auto* timer = reinterpret_cast<Timer*>(head & ~kAsleep);
  while (timer != nullptr) {
    Timer& current = *timer;
    timer = current.inbox_next;  // ours until `queued` is cleared
    if (timer != nullptr) PrefetchForWrite(timer);
    const uint64_t seen = current.word.fetch_and(~Timer::kQueued, std::memory_order_acq_rel);
    if ((seen & Timer::kArmed) != 0) wheel.Link(current);
  }
}

// A timer thread that is slow between two of them: their tags tell them whether they are late.
void TimerQueue::FireInAnyOrder(std::vector<DueTimer>& due) {
  while (!due.empty()) {
    std::swap(due[executor_->Choose(due.size())], due.back());
    const DueTimer next = due.back();
    due.pop_back();
    next.timer->fire(*next.timer, next.tag);
    if (!due.empty() && executor_->Choose(2) == 0) executor_->GiveWay();
  }
}

void TimerQueue::Loop() {
  if (executor_ == nullptr) prctl(PR_SET_TIMERSLACK, 1UL);
  std::vector<DueTimer> due;
  TimerWheel wheel(NowTicks(), executor_ == nullptr ? nullptr : &due);
  int64_t rests_until = 0;
  while (true) {
    const EventCount::Key key = events_.PrepareWait();
    // Before the inbox: a million delayed tasks may lie in it, and none will fire.
    if (stop_.load(std::memory_order_acquire)) return;
    TakeInbox(wheel);
    const int64_t now = NowTicks();
    const bool fired = wheel.Advance(now);
    if (!due.empty()) {
      FireInAnyOrder(due);
      continue;
    }

    std::optional<int64_t> next = wheel.NextLook();
    if (next.has_value() && *next <= now) continue;  // there are timers to move down
    if (clock_->RunsByItself()) {
      // Not begun anew by a look that an owner asked for: many owners could put a deadline
      // off for ever.
      if (fired && now >= rests_until) rests_until = now + kGather.count();
      if (next.has_value()) next = std::max(*next, rests_until);
    }
    wakes_at_.store(next.value_or(INT64_MAX), std::memory_order_relaxed);
    uintptr_t empty = 0;
    // release: publishes wakes_at_ with the bit.
    if (!inbox_.compare_exchange_strong(empty, kAsleep, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
      continue;
    }
    const auto until = next.has_value() ? TimePoint(Duration(*next)) : TimePoint::max();
    clock_->RunsByItself() ? events_.WaitUntil(key, until) : events_.WaitUntil(key, *clock_, until);
  }
}

}  // namespace taskvisor::internal
