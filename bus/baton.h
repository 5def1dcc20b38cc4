#ifndef TASKVISOR_BUS_BATON_H_
#define TASKVISOR_BUS_BATON_H_

#include <cstdint>

#include "sched/atomic.h"
#include "sched/event_count.h"

namespace taskvisor::internal {

// Baton
//
// The right to read the ring. Two threads want it: the bus's own, which guarantees that
// all goes on, and that of a subscription with nothing else to do, which saves its records
// a hop between threads.
//
//            TryTake, TakeOrAsk               TakeOrAsk
//   kFree ──────────────────────────▶ kHeld ──────────────▶ kAsked
//     ▲                                 │                      │
//     └───────────── Give ──────────────┴──────────────────────┘
//
// kAsked: the other of the two was refused, and is notified when the baton is given up.
//
// Held while reading, never during a callback: that may take for ever. Beside it stands
// the waiter, whom a publisher notifies that ends the sleep of the ring.
//
// Invariants
//   B1  what belongs to the reader (its side of the ring, the fan-out, the hooks) is touched
//       with the baton only
//   B2  who gives it up has put the ring to sleep after its last look, or notifies the bus's
//       thread afterwards
//   B3  while the ring sleeps and the baton is free, the waiter is a thread that waits, or is
//       about to, with a key that it took before: never one in a callback
//   B4  who is refused asks, with a key that it took before, and is notified by who gives the
//       baton up: a publisher may have told it of a record that nobody else was told of
//   B5  once the ring is closed the bus's thread keeps it for good
//
// Memory order: Give's release pairs with the acquire of TryTake and TakeOrAsk, which hands
// over all of B1. Appoint's release pairs with the acquire in NotifyWaiter; that it is seen
// in time follows from the word of the ring, whose `asleep` bit is set after Appoint.
//
// All operations are wait-free but for TakeOrAsk (lock-free: it repeats when the baton was
// given or taken meanwhile).
class Baton {
 public:
  [[nodiscard]] bool TryTake() {
    uint8_t free = kFree;
    return word_.load(std::memory_order_relaxed) == kFree &&
           word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }

  // True: taken. False: asked for it.
  [[nodiscard]] bool TakeOrAsk() {
    const auto update = UpdateIf(
        word_, [](uint8_t w) { return w != kAsked; },
        [](uint8_t w) { return static_cast<uint8_t>(w == kFree ? kHeld : kAsked); });
    return update && update.seen == kFree;
  }

  // From the stand-in, when the ring sleeps. The bus's thread may have been notified and
  // refused just before.
  void Give() {
    if (word_.exchange(kFree, std::memory_order_acq_rel) == kAsked) bus_events_.Notify();
  }

  // From the stand-in, when there is more to read.
  void GiveToBus() {
    word_.store(kFree, std::memory_order_release);
    bus_events_.Notify();
  }

  // From the bus's thread. The stand-in, if there is one and it has nothing else to do, reads.
  void GiveToStandIn() {
    word_.store(kFree, std::memory_order_release);
    if (stand_in_events_ != nullptr) stand_in_events_->Notify();
  }

  [[nodiscard]] bool Asked() const { return word_.load(std::memory_order_relaxed) == kAsked; }

  // Holder, before it puts the ring to sleep.
  void Appoint(EventCount& waiter) { waiter_.store(&waiter, std::memory_order_release); }

  // The publisher that ended the sleep of the ring, unless it may leave that to the next one.
  void Wake() {
    if (pass_on_ == nullptr || !pass_on_(ring_)) NotifyWaiter();
  }
  void NotifyWaiter() { waiter_.load(std::memory_order_acquire)->Notify(); }

  // Where the other one waits. Before there are threads.
  void SetStandIn(EventCount& events) { stand_in_events_ = &events; }

  // pass_on(ring): the next publisher owes the wake-up; false: it cannot be left to that one.
  // Before there are threads.
  using PassOn = bool (*)(void* ring);
  void SetPassOn(PassOn pass_on, void* ring) {
    pass_on_ = pass_on;
    ring_ = ring;
  }

  // The bus's thread looks again, where it is the only one that ever reads. Async-signal-safe. Also
  // when the bus is gone, and the only one here that is: the others may lead to its ring.
  void RouseUnattended() {
    if (pass_on_ != nullptr) bus_events_.Notify();
  }

  // Where the bus's thread waits.
  [[nodiscard]] EventCount& bus_events() { return bus_events_; }

 private:
  enum State : uint8_t { kFree, kHeld, kAsked };

  EventCount bus_events_;
  EventCount* stand_in_events_ = nullptr;
  PassOn pass_on_ = nullptr;  // null: each wake-up is paid at once
  void* ring_ = nullptr;
  alignas(kCacheLine) Atomic<uint8_t> word_{kFree};
  alignas(kCacheLine) Atomic<EventCount*> waiter_{&bus_events_};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_BATON_H_
