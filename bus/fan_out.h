#ifndef TASKVISOR_BUS_FAN_OUT_H_
#define TASKVISOR_BUS_FAN_OUT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/block_store.h"
#include "bus/report.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/subscription.h"

namespace taskvisor::internal {

inline constexpr int kBatch = 64;  // records with one wake-up

// What the owner of a bus adds to the fan-out. Called by whoever holds the baton: one
// thread at a time, each sees what the one before did.
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

  // What was observed since the last call is about to be read by the subscribers.
  virtual void OnHandedOver() noexcept {}

  // Nothing to fan out; the thread is about to park.
  virtual void OnIdle() noexcept = 0;

  // Losing such a record is counted, but not reported: no feedback loop.
  [[nodiscard]] virtual bool IsDiagnostic(const T& record) const noexcept = 0;
};

// FanOut<T>
//
// Takes records from the ring, copies each once to where it stays, shows it to the hooks
// and offers it to every subscription, in batches; tells of what was lost in the ring in its
// place, and of what a subscription refused when that is over.
//
// One thread at a time (see Baton), but for lost() and fanned_out().
template <class T>
class FanOut {
 public:
  using Subscriptions = std::vector<std::shared_ptr<Subscription<T>>>;

  FanOut(Ring<T>& ring, Subscriptions subscriptions, FanOutHooks<T>& hooks)
      : ring_(ring),
        subscriptions_(std::move(subscriptions)),
        refusals_(subscriptions_.size()),
        store_(std::make_shared<BlockStore>(subscriptions_.size())),
        hooks_(hooks) {
    for (const auto& subscription : subscriptions_) subscription->Keep(store_);
    // Between two SendReports are the records of one Drain, of which each may end an episode.
    reports_.reserve(size_t{kBatch} * subscriptions_.size());
  }

  // Passes on up to `limit` records, of at most kBatch, with one wake-up for each subscription; how
  // many.
  int Drain(int limit) {
    int count = 0;
    while (count < limit) {
      const auto taken = ring_.Take();
      if (taken.record == nullptr) break;
      if (taken.lost > 0) Lag(taken.lost, taken.number - 1);
      const size_t text_size = TextSizeOf(*taken.record);
      Deliver(*taken.record, taken.number, text_size,
              [&](char* to) { ring_.CopyText(to, text_size); });
      ring_.Done(text_size);
      ++count;
    }
    if (count == 0) return 0;
    if (!ring_.InPass()) count += LagBehindTheLast();
    HandOver(count);
    return count;
  }

  // Tells of losses behind the last record; how many reports that took.
  int TellTrailingLosses() {
    const int count = LagBehindTheLast();
    if (count > 0) HandOver(count);
    return count;
  }

  // REQUIRES: closed. See Ring::SkipHoles.
  void SkipHoles() {
    if (const uint64_t missing = ring_.SkipHoles(); missing > 0) Lag(missing, ring_.number());
    OfferBatch();
    hooks_.OnHandedOver();
    ring_.Tell();
  }

  // The last words, when the ring is exhausted.
  void Finish() {
    ring_.SealLosses();
    static_cast<void>(LagBehindTheLast());
    for (size_t i = 0; i < subscriptions_.size(); ++i) ReportRefusal(i);
    SendReports();
    OfferBatch();
    hooks_.OnHandedOver();
    for (const auto& subscription : subscriptions_) subscription->Flush();
  }

  // False after the close.
  bool PublishReport(const Report<T>& report) {
    const std::string_view said = report.text.view();
    const std::array<uint32_t, 1> size{static_cast<uint32_t>(said.size())};
    const auto write = [&](size_t, T& slot, SlotText<T>& text) {
      slot = report.record;
      text.Append(said);
    };
    return ring_.PublishRun(size, write) != Ring<T>::Published::kClosed;
  }

  [[nodiscard]] Ring<T>& ring() { return ring_; }
  [[nodiscard]] FanOutHooks<T>& hooks() { return hooks_; }
  [[nodiscard]] const Subscriptions& subscriptions() const { return subscriptions_; }

  // Records lost in the ring, as told by the lag records so far.
  [[nodiscard]] uint64_t lost() const { return lost_.load(std::memory_order_acquire); }
  // Records that went through.
  [[nodiscard]] uint64_t fanned_out() const { return fanned_out_.load(std::memory_order_acquire); }

 private:
  using Offered = typename Subscription<T>::Offered;
  using Answer = typename Subscription<T>::Answer;

  // Records that every subscription is offered next, in one block of the store.
  struct Batch {
    std::array<const T*, kMostOffered> records;
    size_t size = 0;
    uint64_t diagnostics = 0;  // bit i: records[i] is one
    size_t place = 0;          // of the first in the block
  };

  // The episode in which a subscription refuses, if count > 0.
  struct Refusal {
    Offered why = Offered::kFull;
    uint64_t count = 0;
  };

  struct PendingReport {
    size_t subscription;
    Offered why;
    uint64_t count;
  };

  void CountFannedOut(int count) {
    fanned_out_.store(fanned_out_.load(std::memory_order_relaxed) + static_cast<uint64_t>(count),
                      std::memory_order_release);
  }

  void HandOver(int count) {
    OfferBatch();
    SendReports();
    OfferBatch();  // after the close, what SendReports said
    CountFannedOut(count);
    hooks_.OnHandedOver();
    ring_.Tell();
    for (const auto& subscription : subscriptions_) subscription->Flush();
  }

  int LagBehindTheLast() {
    const uint64_t lost = ring_.TakeTrailingLosses();
    if (lost == 0) return 0;
    Lag(lost, ring_.number());
    return 1;
  }

  void Lag(uint64_t lost, uint64_t number) {
    lost_.store(lost_.load(std::memory_order_relaxed) + lost, std::memory_order_release);
    DeliverReport(hooks_.MakeLag(lost), number);
  }

  void DeliverReport(const Report<T>& report, uint64_t number) {
    const std::string_view text = report.text.view();
    Deliver(report.record, number, text.size(),
            [&](char* to) { std::memcpy(to, text.data(), text.size()); });
  }

  // Copies the record to where it stays, with its text behind it, shows it to the hooks, and
  // puts it into the batch. Without memory for that nobody gets it, and each loss is counted and
  // told.
  template <class CopyText>
  void Deliver(const T& record, uint64_t number, size_t text_size, CopyText copy_text) {
    const size_t bytes = sizeof(T) + text_size;
    // A batch lies in one block.
    if (batch_.size == kMostOffered || !store_->Fits(bytes)) OfferBatch();
    const auto handed_over = [this](size_t i, uint64_t mark) {
      return subscriptions_[i]->HandedOver(mark);
    };
    char* const room = store_->Reserve(bytes, handed_over);
    if (room == nullptr) return OfferUnkept(record);
    T* const stored = new (room) T(record);
    stored->sequence = number;
    if (text_size > 0) copy_text(room + sizeof(T));
    hooks_.Observe(*stored);
    if (subscriptions_.empty()) return;
    if (batch_.size == 0) batch_.place = store_->place();
    store_->Keep(bytes);
    Add(*stored);
  }

  void Add(const T& record) {
    if (hooks_.IsDiagnostic(record)) batch_.diagnostics |= uint64_t{1} << batch_.size;
    batch_.records[batch_.size++] = &record;
  }

  void OfferUnkept(const T& record) {
    OfferBatch();
    Add(record);
    OfferBatch(/*stay=*/false);
  }

  // To one subscription after the other, so that what each needs for that is at hand. `stay`: see
  // Subscription::OfferAll.
  void OfferBatch(bool stay = true) {
    if (batch_.size == 0) return;
    bool taken = false;
    for (size_t i = 0; i < subscriptions_.size(); ++i) {
      Subscription<T>& subscription = *subscriptions_[i];
      const Answer answer = subscription.OfferAll({batch_.records.data(), batch_.size}, stay);
      if (answer.taken != 0) {
        taken = true;
        store_->Mark(i, subscription.mark());
      }
      if (answer.refusals() != 0 || refusals_[i].count > 0) [[unlikely]]
        NoteAnswer(i, answer);
    }
    if (stay && !taken) store_->TakeBack(batch_.place);
    batch_.size = 0;
    batch_.diagnostics = 0;
  }

  void NoteAnswer(size_t i, const Answer& answer) {
    for (uint64_t left = answer.wanted & ~batch_.diagnostics; left != 0; left &= left - 1) {
      NoteRefusal(i, answer.Of(static_cast<size_t>(std::countr_zero(left))));
    }
  }

  // An episode is over when the subscription takes a record again, when the reason
  // changes, or at the end.
  void NoteRefusal(size_t i, Offered offered) {
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

  // When all that was read has gone to all, so that what is said about it comes after it, and
  // never between the number of a record and its use. Through the ring, for a number of its own;
  // after the close, straight on. A report makes no further ones: it is a diagnostic.
  void SendReports() {
    for (size_t r = 0; r < reports_.size(); ++r) {
      const PendingReport pending = reports_[r];
      const Report<T> report =
          hooks_.MakeRefusal(*subscriptions_[pending.subscription], pending.why, pending.count);
      if (PublishReport(report)) continue;
      DeliverReport(report, ring_.TakeNumber());
      CountFannedOut(1);
    }
    reports_.clear();
  }

  Ring<T>& ring_;
  const Subscriptions subscriptions_;
  std::vector<Refusal> refusals_;
  std::vector<PendingReport> reports_;
  const std::shared_ptr<BlockStore> store_;
  Batch batch_;
  FanOutHooks<T>& hooks_;
  Atomic<uint64_t> lost_{0};
  Atomic<uint64_t> fanned_out_{0};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_FAN_OUT_H_
