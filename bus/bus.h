#ifndef TASKVISOR_BUS_BUS_H_
#define TASKVISOR_BUS_BUS_H_

#include <pthread.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bus/ring.h"
#include "bus/subscription.h"
#include "sched/event_count.h"

namespace taskvisor::internal {

// What the owner of a bus adds to the fan-out. All on the fan-out thread.
template <class T>
class FanOutHooks {
 public:
  virtual ~FanOutHooks() = default;

  // Sees every record before any subscription does.
  virtual void Observe(const T& record) noexcept = 0;

  // Makes the record that tells every subscription of `lost` records of the ring; its
  // number is set by the bus: the last of the lost ones.
  [[nodiscard]] virtual T MakeLag(uint64_t lost) noexcept = 0;

  // Makes the record that tells that a subscription refused `count` records: 1 when an
  // episode begins, the rest of it when it is over.
  [[nodiscard]] virtual T MakeRefusal(const Subscription<T>& subscription,
                                      typename Subscription<T>::Offered why,
                                      uint64_t count) noexcept = 0;

  // Nothing to fan out; the thread is about to park.
  virtual void OnIdle() noexcept = 0;

  // Losing such a record is counted, but not reported: no feedback loop.
  [[nodiscard]] virtual bool IsDiagnostic(const T& record) const noexcept = 0;
};

// Bus<T>
//
//   any thread ── Publish ──▶ Ring ── one fan-out thread ──▶ Subscription ──▶ callback
//                                                    └─────▶ Subscription ──▶ callback
//
// T is trivially copyable and has a member `uint64_t sequence`, set by the fan-out.
// What is lost is counted exactly: in the ring (a gap in the sequence, reported in its
// place by a lag record), and per subscription (see SubscriptionCounts).
//
//   life:  built ── Start ──▶ running ── Close ──▶ draining ──▶ done
//          Close before Start: done at once, and Start does nothing.
//
// Progress: Publish as Ring::Publish, plus a futex wake if the fan-out sleeps.
template <class T>
class Bus {
 public:
  using Subscriptions = std::vector<std::shared_ptr<Subscription<T>>>;

  Bus(size_t capacity, Subscriptions subscriptions, FanOutHooks<T>& hooks)
      : ring_(capacity),
        subscriptions_(std::move(subscriptions)),
        refusals_(subscriptions_.size()),
        hooks_(hooks) {}

  ~Bus() { Join(); }

  // Not at the same time as Close.
  void Start() {
    if (thread_.joinable() || ring_.Exhausted()) return;
    for (const auto& subscription : subscriptions_) static_cast<void>(subscription->Start());
    thread_ = std::thread([this] { Loop(); });
  }

  // fill(T&) writes the record in place. Any thread; never blocks.
  template <class Fill>
  void Publish(Fill fill) {
    if (ring_.Publish(fill) == Ring<T>::Published::kYesAndWake) events_.Notify();
  }

  // Nothing more is taken; the fan-out passes on what it has, closes the subscriptions
  // and ends. Returns at once; see Join.
  void Close() {
    ring_.Close();
    events_.Notify();
    if (!thread_.joinable()) {
      for (const auto& subscription : subscriptions_) subscription->Close();
    }
  }

  // Waits for the fan-out thread: the time it takes to copy what is in the ring, plus
  // at most kHoleLimit for each publisher that never finishes. REQUIRES: Close().
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] const Subscriptions& subscriptions() const { return subscriptions_; }

  // Records lost in the ring, as told by the lag records so far.
  [[nodiscard]] uint64_t lost() const { return lost_.load(std::memory_order_acquire); }
  // Records that went through the fan-out.
  [[nodiscard]] uint64_t fanned_out() const { return fanned_out_.load(std::memory_order_acquire); }

 private:
  static constexpr int kBatch = 64;
  static constexpr int kLooksBeforeParking = 32;
  static constexpr std::chrono::milliseconds kHoleLimit{100};
  static constexpr std::chrono::microseconds kHoleNap{50};

  struct Refusal {
    bool open = false;  // refusing now
    typename Subscription<T>::Offered why = Subscription<T>::Offered::kFull;
    uint64_t unreported = 0;  // since the report that opened it
  };

  struct PendingReport {
    size_t subscription;
    typename Subscription<T>::Offered why;
    uint64_t count;
  };

  void Loop() {
    pthread_setname_np(pthread_self(), "tv-bus");
    while (!ring_.Exhausted()) {
      if (DrainSome() == 0) Idle();
    }
    ReportRest();
    for (const auto& subscription : subscriptions_) subscription->Close();
  }

  int DrainSome() {
    int count = 0;
    while (count < kBatch) {
      const auto taken = ring_.Take();
      if (taken.record == nullptr) break;
      if (taken.lost > 0) Lag(taken.lost, taken.number - 1);
      taken.record->sequence = taken.number;
      Deliver(*taken.record);
      ring_.Done();
      SendReports();
      ++count;
    }
    if (const uint64_t lost = ring_.TakeTrailingLosses(); lost > 0) {
      Lag(lost, ring_.number());
      ++count;
    }
    fanned_out_.store(fanned_out_.load(std::memory_order_relaxed) + static_cast<uint64_t>(count),
                      std::memory_order_release);
    for (const auto& subscription : subscriptions_) subscription->Flush();
    return count;
  }

  void Lag(uint64_t lost, uint64_t number) {
    lost_.store(lost_.load(std::memory_order_relaxed) + lost, std::memory_order_release);
    T record = hooks_.MakeLag(lost);
    record.sequence = number;
    Deliver(record);
    SendReports();
  }

  void Deliver(const T& record) {
    using Offered = typename Subscription<T>::Offered;
    hooks_.Observe(record);
    const bool diagnostic = hooks_.IsDiagnostic(record);
    for (size_t i = 0; i < subscriptions_.size(); ++i) {
      const Offered offered = subscriptions_[i]->Offer(record);
      if (offered == Offered::kUnwanted || diagnostic) continue;
      NoteRefusal(i, offered);
    }
  }

  void NoteRefusal(size_t i, typename Subscription<T>::Offered offered) {
    using Offered = typename Subscription<T>::Offered;
    Refusal& refusal = refusals_[i];
    if (offered == Offered::kTaken || (refusal.open && refusal.why != offered)) {
      ReportRefusal(i);
      refusal.open = false;
    }
    if (offered == Offered::kTaken) return;
    if (refusal.open) {
      ++refusal.unreported;
    } else {
      refusal = {.open = true, .why = offered, .unreported = 0};
      reports_.push_back({i, offered, 1});
    }
  }

  void ReportRefusal(size_t i) {
    const uint64_t count = std::exchange(refusals_[i].unreported, 0);
    if (count > 0) reports_.push_back({i, refusals_[i].why, count});
  }

  // When a record has gone to all, so that what is said about it comes after it. Through
  // the ring, for a number of its own; after the close, straight on. A report makes no
  // further ones: it is a diagnostic.
  void SendReports() {
    for (size_t r = 0; r < reports_.size(); ++r) {
      const PendingReport report = reports_[r];
      T record = hooks_.MakeRefusal(*subscriptions_[report.subscription], report.why, report.count);
      if (ring_.Publish([&](T& slot) { slot = record; }) != Ring<T>::Published::kClosed) continue;
      record.sequence = ring_.TakeNumber();
      Deliver(record);
    }
    reports_.clear();
  }

  void ReportRest() {
    for (size_t i = 0; i < subscriptions_.size(); ++i) {
      ReportRefusal(i);
    }
    SendReports();
  }

  void Idle() {
    for (int look = 0; look < kLooksBeforeParking; ++look) {
      std::this_thread::yield();
      if (DrainSome() > 0) return;
    }
    hooks_.OnIdle();
    const EventCount::Key key = events_.PrepareWait();
    if (ring_.TrySleep()) {
      events_.Wait(key);
    } else if (ring_.AtHole()) {
      WaitAtHole();
    }
  }

  // A publisher was pre-empted between claim and stamp. It does not know that we wait,
  // so look again soon; after the close, not for ever.
  void WaitAtHole() {
    using std::chrono::steady_clock;
    const auto since = steady_clock::now();
    while (ring_.AtHole()) {
      if (ring_.closed() && steady_clock::now() - since > kHoleLimit) {
        ring_.SkipHole();
        Lag(1, ring_.number());
        return;
      }
      const EventCount::Key key = events_.PrepareWait();
      events_.WaitUntil(key, steady_clock::now() + kHoleNap);
    }
  }

  Ring<T> ring_;
  const Subscriptions subscriptions_;
  std::vector<Refusal> refusals_;
  std::vector<PendingReport> reports_;
  FanOutHooks<T>& hooks_;
  EventCount events_;
  Atomic<uint64_t> lost_{0};
  Atomic<uint64_t> fanned_out_{0};
  std::thread thread_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_BUS_H_
