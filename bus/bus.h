#ifndef TASKVISOR_BUS_BUS_H_
#define TASKVISOR_BUS_BUS_H_

#include <pthread.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bus/block_store.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/subscription.h"
#include "sched/event_count.h"

namespace taskvisor::internal {

// A record that the bus makes itself. The text: TextSizeOf(record) bytes.
template <class T>
struct Report {
  T record;
  std::string text = {};
};

// What the owner of a bus adds to the fan-out. All on the fan-out thread.
template <class T>
class FanOutHooks {
 public:
  virtual ~FanOutHooks() = default;

  // Sees every record before any subscription does.
  virtual void Observe(const T& record) noexcept = 0;

  // Makes the record that tells every subscription of `lost` records of the ring; its
  // number is set by the bus: the last of the lost ones.
  [[nodiscard]] virtual Report<T> MakeLag(uint64_t lost) noexcept = 0;

  // Makes the record that tells that a subscription refused `count` records: all of an
  // episode, when it is over.
  [[nodiscard]] virtual Report<T> MakeRefusal(const Subscription<T>& subscription,
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
// T is trivially copyable and has a member `uint64_t sequence`, set by the fan-out. If it
// has a member `text_size`, so many bytes of text follow it: in the ring behind it and in
// further slots, and directly behind it (`&record + 1`) wherever the bus hands it out.
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

  Bus(size_t capacity, Subscriptions subscriptions, FanOutHooks<T>& hooks,
      typename Ring<T>::Options options = {})
      : ring_(capacity, options),
        subscriptions_(std::move(subscriptions)),
        refusals_(subscriptions_.size()),
        store_(std::make_shared<BlockStore>(subscriptions_.size())),
        hooks_(hooks) {
    for (const auto& subscription : subscriptions_) subscription->Keep(store_);
  }

  ~Bus() { Join(); }

  // Not at the same time as Close.
  void Start() {
    if (thread_.joinable() || ring_.Exhausted()) return;
    for (const auto& subscription : subscriptions_) static_cast<void>(subscription->Start());
    thread_ = std::thread([this] { Loop(); });
  }

  // fill(T&) writes a record without text in place. Any thread; never blocks.
  template <class Fill>
  void Publish(Fill fill) {
    if (Ring<T>::OwesWakeUp(ring_.Publish(fill))) events_.Notify();
  }

  // Several records with consecutive numbers, with text: see Ring::PublishRun.
  template <size_t kRun, class Fill>
  void PublishRun(const std::array<uint32_t, kRun>& text_sizes, Fill fill) {
    if (Ring<T>::OwesWakeUp(ring_.PublishRun(text_sizes, fill))) events_.Notify();
  }

  // From the fan-out thread's hooks; false after the close.
  bool PublishReport(const Report<T>& report) {
    const std::array<uint32_t, 1> size{static_cast<uint32_t>(report.text.size())};
    const auto write = [&](size_t, T& slot, SlotText<T>& text) {
      slot = report.record;
      text.Append(report.text);
    };
    return ring_.PublishRun(size, write) != Ring<T>::Published::kClosed;
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

  // The episode in which a subscription refuses, if count > 0.
  struct Refusal {
    typename Subscription<T>::Offered why = Subscription<T>::Offered::kFull;
    uint64_t count = 0;
  };

  struct PendingReport {
    size_t subscription;
    typename Subscription<T>::Offered why;
    uint64_t count;
  };

  void Loop() {
    pthread_setname_np(pthread_self(), "tv-bus");
    while (!ring_.Exhausted()) {
      const int count = DrainSome();
      if (count == 0) {
        Idle();
      } else if (count < kBatch) {
        // Close behind the publishers: each look takes a cache line from one of them.
        std::this_thread::yield();
      }
    }
    ReportRest();
    for (const auto& subscription : subscriptions_) {
      subscription->Flush();
      subscription->Close();
    }
  }

  int DrainSome() {
    int count = 0;
    while (count < kBatch) {
      const auto taken = ring_.Take();
      if (taken.record == nullptr) break;
      if (taken.lost > 0) Lag(taken.lost, taken.number - 1);
      const size_t text_size = TextSizeOf(*taken.record);
      Deliver(*taken.record, taken.number, text_size,
              [&](char* to) { ring_.CopyText(to, text_size); });
      ring_.Done(text_size);
      SendReports();
      ++count;
    }
    if (ring_.MissesSome()) count += TellTrailingLosses();
    HandOver(count);
    return count;
  }

  void HandOver(int count) {
    fanned_out_.store(fanned_out_.load(std::memory_order_relaxed) + static_cast<uint64_t>(count),
                      std::memory_order_release);
    for (const auto& subscription : subscriptions_) subscription->Flush();
  }

  int TellTrailingLosses() {
    const uint64_t lost = ring_.TakeTrailingLosses();
    if (lost == 0) return 0;
    Lag(lost, ring_.number());
    return 1;
  }

  void Lag(uint64_t lost, uint64_t number) {
    lost_.store(lost_.load(std::memory_order_relaxed) + lost, std::memory_order_release);
    DeliverReport(hooks_.MakeLag(lost), number);
    SendReports();
  }

  void DeliverReport(const Report<T>& report, uint64_t number) {
    Deliver(report.record, number, report.text.size(),
            [&](char* to) { std::memcpy(to, report.text.data(), report.text.size()); });
  }

  // Copies the record to where it stays, with its text behind it, and passes it on.
  template <class CopyText>
  void Deliver(const T& record, uint64_t number, size_t text_size, CopyText copy_text) {
    const size_t bytes = sizeof(T) + text_size;
    const auto handed_over = [this](size_t i, uint64_t mark) {
      return subscriptions_[i]->HandedOver(mark);
    };
    char* const room = store_->Reserve(bytes, handed_over);
    if (room == nullptr) return RefuseForAll(record);
    T* const stored = new (room) T(record);
    stored->sequence = number;
    if (text_size > 0) copy_text(room + sizeof(T));
    hooks_.Observe(*stored);
    if (OfferToAll(*stored)) store_->Keep(bytes);
  }

  // No memory: nobody gets it, and each loss is counted and told.
  void RefuseForAll(const T& record) {
    const bool diagnostic = hooks_.IsDiagnostic(record);
    for (size_t i = 0; i < subscriptions_.size(); ++i) {
      const auto refused = subscriptions_[i]->Refuse(record);
      if (refused == Subscription<T>::Offered::kFull && !diagnostic) NoteRefusal(i, refused);
    }
  }

  bool OfferToAll(const T& record) {
    using Offered = typename Subscription<T>::Offered;
    const bool diagnostic = hooks_.IsDiagnostic(record);
    bool taken = false;
    for (size_t i = 0; i < subscriptions_.size(); ++i) {
      const Offered offered = subscriptions_[i]->Offer(record);
      if (offered == Offered::kUnwanted) continue;
      if (offered == Offered::kTaken) {
        taken = true;
        store_->Mark(i, subscriptions_[i]->mark());
      }
      if (!diagnostic) NoteRefusal(i, offered);
    }
    return taken;
  }

  // An episode is over when the subscription takes a record again, when the reason
  // changes, or at the end.
  void NoteRefusal(size_t i, typename Subscription<T>::Offered offered) {
    using Offered = typename Subscription<T>::Offered;
    Refusal& refusal = refusals_[i];
    if (refusal.count > 0 && refusal.why != offered) ReportRefusal(i);
    if (offered == Offered::kTaken) return;
    refusal.why = offered;
    ++refusal.count;
  }

  void ReportRefusal(size_t i) {
    const uint64_t count = std::exchange(refusals_[i].count, 0);
    if (count > 0) reports_.push_back({i, refusals_[i].why, count});
  }

  // When a record has gone to all, so that what is said about it comes after it. Through
  // the ring, for a number of its own; after the close, straight on. A report makes no
  // further ones: it is a diagnostic.
  void SendReports() {
    for (size_t r = 0; r < reports_.size(); ++r) {
      const PendingReport pending = reports_[r];
      const Report<T> report =
          hooks_.MakeRefusal(*subscriptions_[pending.subscription], pending.why, pending.count);
      if (!PublishReport(report)) DeliverReport(report, ring_.TakeNumber());
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
    if (TellTrailingLosses() > 0) return HandOver(1);
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
        const uint64_t missing = ring_.SkipHoles();
        Lag(missing, ring_.number());
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
  const std::shared_ptr<BlockStore> store_;
  FanOutHooks<T>& hooks_;
  EventCount events_;
  Atomic<uint64_t> lost_{0};
  Atomic<uint64_t> fanned_out_{0};
  std::thread thread_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_BUS_H_
