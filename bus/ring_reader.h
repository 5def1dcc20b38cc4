#ifndef TASKVISOR_BUS_RING_READER_H_
#define TASKVISOR_BUS_RING_READER_H_

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "bus/baton.h"
#include "bus/fan_out.h"
#include "bus/ring.h"
#include "bus/subscription.h"
#include "sched/event_count.h"
#include "sched/executor.h"

namespace taskvisor::internal {

// While a publisher stands between ticket and stamp: it does not know that we wait.
inline constexpr std::chrono::microseconds kHoleNap{50};

// RingReader<T>
//
// How the thread of the sole subscription reads the ring in the place of the bus's thread,
// which saves its records a hop between threads, and the publisher the wake-up of a second
// one. All that a round does:
//
//     queue empty
//         │ TryTake                     looks in vain, TrySleep
//         ▼                         ┌──────────────────────────▶ parked, as the waiter
//      reading, as the waiter ──────┤                            (a publisher: once more)
//         ▲                         └──────────────────────────▶ leaving: appoints the bus's
//         │                           something in the queue     thread, TrySleep, gives
//         └───────────────────────────────────────────────────── callbacks
//
// Leaving, there may be more in the ring, so that TrySleep refuses. Then it reads on as long
// as the queue has room, one batch at most, and after that the bus's thread is woken and
// reads at the same time as callbacks run; it gives the baton back when the ring is calm.
//
// What it refers to lives at least until the bus's thread keeps the baton for good, and is
// touched with the baton only (B1); the baton itself is shared.
template <class T>
class RingReader final : public StandIn<T> {
 public:
  RingReader(std::shared_ptr<Baton> baton, FanOut<T>& fan_out)
      : baton_(std::move(baton)), fan_out_(fan_out) {}

  bool TryTake() noexcept override { return !retired_ && baton_->TakeOrAsk(); }

  void Read(Subscription<T>& own) noexcept override {
    // The queue is empty: no more than what it has room for.
    const int limit = static_cast<int>(std::min<size_t>(kBatch, own.capacity()));
    baton_->Appoint(own.events());
    fan_out_.ring().StayAwake();
    int look = 0;
    while (true) {
      const int count = fan_out_.Drain(limit);
      if (count > 0 && look > 0) looks_ = kManyLooks;  // to wait for it was worth while
      if (own.HasWork()) return Leave(limit - count);
      if (fan_out_.ring().closed()) return Retire();
      if (count > 0) {
        look = 0;
      } else if (++look < LooksBeforeParking(looks_)) {
        Pause(look);
      } else if (Park(own)) {
        return;
      }
    }
  }

  // A publisher may have notified us as the waiter just now.
  void Resign() noexcept override { baton_->bus_events().Notify(); }

 private:
  // Before parking. Few as long as records come one by one: a thread that has used more than
  // its share of a core is not put before the publisher that wakes it there.
  static constexpr int kFewLooks = 8;
  static constexpr int kManyLooks = 40;

  // The next record often comes within the time of a yield; later ones let others run.
  static void Pause(int look) {
    if (look >= kFewLooks) return std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
    __builtin_ia32_pause();
#endif
  }

  // Callbacks come next, and may never return.
  void Leave(int limit) {
    baton_->Appoint(baton_->bus_events());
    while (!fan_out_.ring().TrySleep()) {
      const int count = limit > 0 ? fan_out_.Drain(limit) : 0;
      if (count == 0) return baton_->GiveToBus();
      limit -= count;
    }
    baton_->Give();
  }

  // Closed: the bus's thread does the rest.
  void Retire() {
    retired_ = true;
    baton_->GiveToBus();
  }

  // True: slept, without the baton. False: there is something in the ring.
  bool Park(Subscription<T>& own) {
    if (fan_out_.TellTrailingLosses() > 0) return false;
    looks_ = kFewLooks;
    fan_out_.hooks().OnIdle();
    const EventCount::Key key = own.events().PrepareWait();
    if (!fan_out_.ring().TrySleep()) {
      if (fan_out_.ring().AtHole()) {
        own.events().WaitUntil(key, std::chrono::steady_clock::now() + kHoleNap);
      }
      return false;
    }
    baton_->Give();
    if (!own.HasWork()) own.events().Wait(key);
    return true;
  }

  const std::shared_ptr<Baton> baton_;
  FanOut<T>& fan_out_;
  int looks_ = kFewLooks;
  bool retired_ = false;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_RING_READER_H_
