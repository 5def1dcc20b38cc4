#ifndef TASKVISOR_BUS_BUS_H_
#define TASKVISOR_BUS_BUS_H_

#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#include "bus/baton.h"
#include "bus/fan_out.h"
#include "bus/late_wake.h"
#include "bus/ring.h"
#include "bus/ring_reader.h"
#include "bus/slot.h"
#include "bus/subscription.h"
#include "sched/event_count.h"
#include "sched/executor.h"
#include "sched/thread.h"

namespace taskvisor::internal {

// Bus<T>
//
//   any thread ── Publish ──▶ Ring ── who has the baton: FanOut ──▶ Subscription ──▶ callback
//                                                           └─────▶ Subscription ──▶ callback
//
// The baton is the right to read the ring. The bus has a thread that takes it whenever nobody
// else does; a sole subscription's thread takes it while it has no record of its own (see
// ring_reader.h), and then nothing passes from thread to thread on its way to the callback.
//
// T is trivially copyable and has a member `uint64_t sequence`, set by the fan-out. If it
// has a member `text_size`, so many bytes of text follow it: in the ring behind it and in
// further slots, and directly behind it (`&record + 1`) wherever the bus hands it out.
// What is lost is counted exactly: in the ring (a gap in the sequence, reported in its
// place by a lag record), and per subscription (see SubscriptionCounts).
//
//   life:  built ── Start ──▶ running ── Close ──▶ draining ──▶ done
//          Close before Start: done at once, and Start does nothing.
//
// Unattended, with no subscription and hooks that only keep what they see, nobody is in a hurry:
// then a publisher leaves the wake-up of a sleeping reader to the next one, and that one too,
// until a sixteenth of the capacity waits, or kMostUnread. Who has nothing else to do pays it
// (Rouse), and who wants to see what was kept (CatchUp).
//
// Progress: Publish as Ring::Publish, plus a futex wake if the reader sleeps; unattended, plus
// Ring::TryPassOn in its place.
template <class T>
class Bus {
 public:
  using Subscriptions = typename FanOut<T>::Subscriptions;
  // Slots of a record, at most: an unattended bus lets no more wait than a lane has room for.
  static constexpr size_t kLongest = 16;

  // `executor`: of its threads; null: the system's.
  Bus(size_t capacity, Subscriptions subscriptions, FanOutHooks<T>& hooks,
      typename Ring<T>::Options options = {}, Executor* executor = nullptr, bool attended = true)
      : ring_(capacity, options),
        fan_out_(ring_, std::move(subscriptions), hooks),
        executor_(executor),
        attended_(attended || !this->subscriptions().empty()) {
    AddStandIn();
    if (!attended_) baton_->SetPassOn(&PassOn, this);
  }

  ~Bus() { Join(); }

  // Not at the same time as Close.
  void Start() {
    if (thread_.joinable() || ring_.Exhausted()) return;
    // First: if there is no thread for the bus, nobody else may read the ring, which would not
    // outlive this bus.
    thread_ = Thread(executor_, "tv-bus", [this] { Loop(); });
    for (const auto& subscription : subscriptions()) {
      static_cast<void>(subscription->Start(executor_));
    }
  }

  // fill(T&) writes a record without text in place. Any thread; never blocks.
  template <class Fill>
  void Publish(Fill fill) {
    Pay(ring_.Publish(fill));
  }

  // Several records with consecutive numbers, with text: see Ring::PublishRun.
  template <size_t kRun, class Fill>
  [[gnu::always_inline]] void PublishRun(const std::array<uint32_t, kRun>& text_sizes, Fill fill) {
    Pay(ring_.PublishRun(text_sizes, fill));
  }

  // For a LateWake. REQUIRES: it ends before the bus does.
  [[nodiscard]] Baton& baton() { return *baton_; }
  // For who may want to rouse the reader (RouseUnattended, nothing else) when the bus is gone.
  [[nodiscard]] const std::shared_ptr<Baton>& shared_baton() const { return baton_; }

  // Unattended: if records wait that were published before, the reader comes, whoever owes it a
  // wake-up too and may still pass that on. Lock-free, async-signal-safe.
  void Rouse() {
    if (!attended_ && ring_.OweWakeUp()) baton_->NotifyWaiter();
  }
  // The same, and waits until all that was published before has gone through, or kCatchUp has
  // passed: the reader may be the caller, or be kept busy. Async-signal-safe.
  void CatchUp() {
    using std::chrono::steady_clock;
    if (attended_) return;
    const int saved_errno = errno;
    constexpr timespec kNap{0, 20'000};
    const uint64_t last = ring_.last();
    const auto until = steady_clock::now() + kCatchUp;
    while (ring_.told() < last && steady_clock::now() < until) {
      Rouse();
      nanosleep(&kNap, nullptr);
    }
    errno = saved_errno;
  }

  // From the hooks; false after the close.
  bool PublishReport(const Report<T>& report) { return fan_out_.PublishReport(report); }

  // Nothing more is taken; the bus's thread passes on what it has, closes the subscriptions
  // and ends. Returns at once; see Join.
  void Close() {
    ring_.Close();
    baton_->bus_events().Notify();
    if (!thread_.joinable()) {
      for (const auto& subscription : subscriptions()) subscription->Close();
    }
  }

  // Waits for the bus's thread: the time it takes to copy what is in the ring, plus
  // at most kHoleLimit for each publisher that never finishes. REQUIRES: Close().
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] const Subscriptions& subscriptions() const { return fan_out_.subscriptions(); }
  // See FanOut.
  [[nodiscard]] uint64_t lost() const { return fan_out_.lost(); }
  [[nodiscard]] uint64_t fanned_out() const { return fan_out_.fanned_out(); }

 private:
  static constexpr int kLooks = 32;             // before it parks
  static constexpr int kLooksBeforeGiving = 4;  // when it was asked for the baton
  static constexpr int kFew = 8;                // records of a look: nobody is in a hurry
  static constexpr int kCalm = 8;               // looks
  // A lane is not full before that, at the pace at which a thread can publish.
  static constexpr std::chrono::nanoseconds kRestPerSlot{6};
  static constexpr std::chrono::nanoseconds kLongestRest = std::chrono::microseconds(15);
  static constexpr std::chrono::milliseconds kHoleLimit{100};
  static constexpr std::chrono::nanoseconds kCatchUp = std::chrono::milliseconds(20);
  static constexpr size_t kMostUnread = 256;  // that a crash dump has to wait for

  void Pay(typename Ring<T>::Published published) {
    if (!Ring<T>::OwesWakeUp(published)) [[likely]]
      return;
    // A loss is rare when the reader sleeps, and there may be no record that it would be told with.
    published == Ring<T>::Published::kYesAndWake ? LateWake::Notify(*baton_)
                                                 : baton_->NotifyWaiter();
  }

  static bool PassOn(void* bus) {
    Ring<T>& ring = static_cast<Bus*>(bus)->ring_;
    return ring.TryPassOn(std::min(ring.capacity() / kLongest, kMostUnread));
  }

  // A sole subscription reads the ring itself while it has nothing else to do.
  void AddStandIn() {
    if (subscriptions().size() != 1) return;
    Subscription<T>& sole = *subscriptions().front();
    baton_->SetStandIn(sole.events());
    sole.SetStandIn(std::make_unique<RingReader<T>>(baton_, fan_out_));
  }

  void Loop() {
    do {
      TakeBaton();
    } while (!Read());
    fan_out_.Finish();
    for (const auto& subscription : subscriptions()) subscription->Close();
  }

  void TakeBaton() {
    for (int look = 0; look < LooksBeforeParking(kLooks); ++look) {
      if (baton_->TryTake()) return;
      std::this_thread::yield();
    }
    Await(baton_->bus_events(), [this] { return baton_->TakeOrAsk(); });
  }

  // With the baton. True: all is read, and the baton kept (B5). False: the ring slept, and
  // the baton was given up.
  bool Read() {
    int calm = 0;  // batches of few records in a row
    ring_.StayAwake();
    while (!ring_.Exhausted()) {
      int count = fan_out_.Drain(kBatch);
      const bool at_once = count > 0;
      if (!at_once) count = LookOn();
      calm = count < kFew ? calm + 1 : 0;
      if (count == 0) {
        if (Idle()) return false;
      } else if (calm >= kCalm && baton_->Asked()) {
        // Records come one by one, and the stand-in is done with each before the next comes:
        // it is faster alone.
        if (TrySleepAndGive()) return false;
      } else if (at_once && !ring_.InPass() && executor_ == nullptr) {
        calm > 0 ? std::this_thread::yield() : Rest();
      }
    }
    return true;
  }

  // The next record often comes soon. What a look has passed on; 0: none did.
  int LookOn() {
    const int looks = LooksBeforeParking(baton_->Asked() ? kLooksBeforeGiving : kLooks);
    for (int look = 0; look < looks; ++look) {
      std::this_thread::yield();
      if (const int count = fan_out_.Drain(kBatch); count > 0) return count;
    }
    return 0;
  }

  // Publishers are busy. Close behind them each look takes cache lines from them, and costs
  // them more than it is worth: rather later, and more at once.
  void Rest() {
    using std::chrono::steady_clock;
    const auto until = steady_clock::now() + rest_;
    while (!ring_.closed() && steady_clock::now() < until) std::this_thread::yield();
  }

  // True: slept, without the baton.
  bool Idle() {
    if (fan_out_.TellTrailingLosses() > 0) return false;
    fan_out_.hooks().OnIdle();
    if (TrySleepAndGive()) return true;
    if (ring_.AtHole()) WaitAtHole();
    return false;
  }

  // True: slept, without the baton. False: there is something to do.
  bool TrySleepAndGive() {
    EventCount& events = baton_->bus_events();
    baton_->Appoint(events);
    const EventCount::Key key = events.PrepareWait();
    if (!ring_.TrySleep()) return false;
    baton_->GiveToStandIn();
    events.Wait(key);
    return true;
  }

  // A publisher was pre-empted between ticket and stamp. It does not know that we wait,
  // so look again soon; after the close, not for ever.
  void WaitAtHole() {
    using std::chrono::steady_clock;
    EventCount& events = baton_->bus_events();
    const auto since = steady_clock::now();
    while (ring_.AtHole()) {
      if (ring_.closed() && steady_clock::now() - since > kHoleLimit) return fan_out_.SkipHoles();
      const EventCount::Key key = events.PrepareWait();
      events.WaitUntil(key, steady_clock::now() + kHoleNap);
    }
  }

  Ring<T> ring_;
  FanOut<T> fan_out_;
  const std::chrono::nanoseconds rest_ =
      std::min(kLongestRest, static_cast<int64_t>(ring_.capacity()) * kRestPerSlot);
  const std::shared_ptr<Baton> baton_ = std::make_shared<Baton>();
  Executor* const executor_;
  const bool attended_;
  Thread thread_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_BUS_H_
