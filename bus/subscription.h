#ifndef TASKVISOR_BUS_SUBSCRIPTION_H_
#define TASKVISOR_BUS_SUBSCRIPTION_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "bus/spsc_queue.h"
#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/executor.h"
#include "sched/thread.h"

namespace taskvisor::internal {

// Who receives. Called on the subscription's own thread, one record at a time.
template <class T>
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void OnRecord(const T& record) noexcept = 0;
  // No OnRecord follows. Once, on the subscription's thread; if it has none, because it was
  // never started or the system had none, on the thread that found out.
  virtual void OnClosed() noexcept {}
  // Which of at most kMostOffered records it wants: see SelectOf. Asked by the fan-out; a record
  // that it does not want costs it nothing.
  [[nodiscard]] virtual uint64_t WantedOf(std::span<const T* const> records) const noexcept = 0;
};

// Records that are offered together: as many as a mask has bits. In a model two, so that batches
// end in the middle of what is read at a time.
#ifdef TASKVISOR_MODEL_ATOMIC
inline constexpr size_t kMostOffered = 2;
#else
inline constexpr size_t kMostOffered = 64;
#endif

// Bit i is set if wants(*records[i]).
template <class T, class Wants>
uint64_t SelectOf(std::span<const T* const> records, Wants wants) {
  uint64_t selected = 0;
  for (size_t i = 0; i < records.size(); ++i) selected |= uint64_t{wants(*records[i])} << i;
  return selected;
}

// Bits 0 to count - 1.
constexpr uint64_t FirstBits(size_t count) { return count == 0 ? 0 : ~uint64_t{0} >> (64 - count); }

// What became of the records of one subscription. At any moment
// offered == delivered + dropped + queued.
struct SubscriptionCounts {
  uint64_t offered = 0;    // reached the fan-out and were wanted
  uint64_t delivered = 0;  // handed to the callback
  uint64_t dropped = 0;    // queue full, or thrown away at the close
  uint64_t queued = 0;
};

template <class T>
class Subscription;

// What the thread of a subscription may do for the bus while it has no record: read the ring.
// See ring_reader.h.
template <class T>
class StandIn {
 public:
  virtual ~StandIn() = default;

  // Whether it is ours to do now. If not, the subscription is notified when that changes.
  [[nodiscard]] virtual bool TryTake() noexcept = 0;

  // After TryTake: until there is something for `own` to do, or perhaps was while it slept.
  virtual void Read(Subscription<T>& own) noexcept = 0;

  // Whatever was ours is left to others: the thread ends.
  virtual void Resign() noexcept = 0;
};

// Subscription<T>
//
// A bounded queue and a thread of its own for one sink, so that a callback that blocks
// delays only itself.
//
//            Start               Close              the queue is empty
//   kIdle ──────────▶ kOpen ─────────────▶ kClosing ─────────────────▶ kClosed
//     │                 │                     │                           ▲
//     └───── Close, or the thread could ──────┴──── Abandon ──────────────┘
//            not be made
//
// kClosed by Abandon: the thread ends as soon as the running callback returns (which
// may be never); what is queued counts as dropped. The thread looks at the state before each
// callback and not again: one that it has just looked for may begin right after Abandon, the
// last one, and counts as delivered then. To close that gap would cost each record a
// read-modify-write; who abandons must reckon with a callback that still runs anyway.
//
// Threads: OfferAll, Flush from the fan-out, one thread at a time, which may be its own between
// two callbacks; OnRecord on the own thread; the rest from anywhere. The thread shares
// ownership, so it may outlive the bus.
template <class T>
class Subscription : public std::enable_shared_from_this<Subscription<T>> {
 public:
  enum class Offered : uint8_t { kTaken, kFull, kClosed, kUnwanted };

  Subscription(std::string name, size_t capacity, std::unique_ptr<Sink<T>> sink)
      : name_(std::move(name)), queue_(capacity), sink_(std::move(sink)) {}

  // False if the system has no thread for us: the subscription is then closed. `executor`: of
  // the thread; null: the system's.
  bool Start(Executor* executor = nullptr) {
    if (!Move(kIdle, kOpen)) return state_.load(std::memory_order_acquire) == kOpen;
    try {
      Thread(executor, nullptr, [self = this->shared_from_this()] { self->Loop(); }).detach();
      return true;
    } catch (const std::exception&) {  // no thread, or no memory for one
      state_.store(kClosed, std::memory_order_release);
      CloseWithoutThread();
      return false;
    }
  }

  // What became of each record of an OfferAll.
  struct Answer {
    uint64_t wanted = 0;
    uint64_t taken = 0;
    Offered refused = Offered::kFull;  // why the others that were wanted were not taken

    [[nodiscard]] uint64_t refusals() const { return wanted & ~taken; }
    [[nodiscard]] Offered Of(size_t i) const {
      const uint64_t bit = uint64_t{1} << i;
      if ((wanted & bit) == 0) return Offered::kUnwanted;
      return (taken & bit) != 0 ? Offered::kTaken : refused;
    }
  };

  // Queues the addresses of at most kMostOffered records, which stay where they are until
  // HandedOver says that they are not needed any more. Seen by the thread, and awaited by it,
  // after Flush. Records that do not stay, for want of memory, count as if the queue were full.
  Answer OfferAll(std::span<const T* const> records, bool stay = true) {
    Answer answer{.wanted = sink_->WantedOf(records)};
    if (answer.wanted == 0) return answer;
    const bool closed = state_.load(std::memory_order_acquire) == kClosed;
    if (!closed && stay) {
      answer.taken = Push(records, answer.wanted);
      return answer;
    }
    if (closed) answer.refused = Offered::kClosed;
    CountOffered(Count(answer.wanted));
    CountRefused(Count(answer.wanted));
    return answer;
  }

  // Hands over all that was taken since the last, with one wake-up.
  void Flush() {
    if (queue_.Publish()) events_.Notify();
  }

  // After an OfferAll: the mark of the last record that was taken. It is handed over when the
  // callback has returned, or when no further one will be made.
  [[nodiscard]] uint64_t mark() const { return queue_.pushed(); }
  [[nodiscard]] bool HandedOver(uint64_t mark) const {
    return queue_.popped() >= mark || done_.load(std::memory_order_acquire);
  }

  // Keeps what the queued addresses lead to, for as long as the thread may run.
  void Keep(std::shared_ptr<const void> records) { records_ = std::move(records); }

  // Before Start.
  void SetStandIn(std::unique_ptr<StandIn<T>> stand_in) { stand_in_ = std::move(stand_in); }

  // For the own thread: something to do that is not its stand-in's. Notified at `events`.
  [[nodiscard]] bool HasWork() {
    return queue_.Front() != nullptr || state_.load(std::memory_order_acquire) != kOpen;
  }
  [[nodiscard]] EventCount& events() { return events_; }
  [[nodiscard]] size_t capacity() const { return queue_.capacity(); }

  // Lets the thread end once the queue is empty.
  void Close() {
    if (Move(kIdle, kClosed)) CloseWithoutThread();
    static_cast<void>(Move(kOpen, kClosing));
    events_.Notify();
  }

  // Ends without waiting for the queue or the callback.
  void Abandon() {
    Close();
    static_cast<void>(Move(kClosing, kClosed));
    events_.Notify();
  }

  // The thread has made its last call (or there never was one).
  [[nodiscard]] bool Done() const { return done_.load(std::memory_order_acquire); }
  // Notified when Done becomes true.
  void SetDoneListener(std::shared_ptr<EventCount> listener) { on_done_ = std::move(listener); }

  [[nodiscard]] SubscriptionCounts Counts() const {
    SubscriptionCounts counts;
    // Read in this order, delivered first: a record counts as queued until then.
    counts.delivered = delivered_.load(std::memory_order_acquire);
    counts.dropped = refused_.load(std::memory_order_acquire);
    counts.offered = offered_.load(std::memory_order_acquire);
    const uint64_t rest = counts.offered - counts.delivered - counts.dropped;
    if (state_.load(std::memory_order_acquire) == kClosed) {
      counts.dropped += rest;
      return counts;
    }
    // What is above that was offered after the others were read.
    counts.queued = std::min<uint64_t>(rest, queue_.capacity());
    counts.offered -= rest - counts.queued;
    return counts;
  }

  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  enum State : uint8_t { kIdle, kOpen, kClosing, kClosed };

  bool Move(State from, State to) {
    return UpdateIf(
               state_, [=](uint8_t s) { return s == from; },
               [=](uint8_t) { return static_cast<uint8_t>(to); })
        .done;
  }

  void CloseWithoutThread() {
    sink_->OnClosed();
    done_.store(true, std::memory_order_release);
    if (on_done_ != nullptr) on_done_->Notify();
  }

  static uint64_t Count(uint64_t mask) { return static_cast<uint64_t>(std::popcount(mask)); }

  // Counters: each has one writer and is only reported. A record counts as offered before the
  // thread may be told of it, and as refused right after that.
  void CountOffered(uint64_t records) {
    offered_.store(offered_.load(std::memory_order_relaxed) + records, std::memory_order_relaxed);
  }
  void CountRefused(uint64_t records) {
    refused_.store(refused_.load(std::memory_order_relaxed) + records, std::memory_order_release);
  }

  // Those of `wanted` for which there was room.
  uint64_t Push(std::span<const T* const> records, uint64_t wanted) {
    if (wanted == FirstBits(records.size()) && queue_.TryPushAll(records)) {
      CountOffered(records.size());
      return wanted;
    }
    return PushOneByOne(records, wanted);
  }

  uint64_t PushOneByOne(std::span<const T* const> records, uint64_t wanted) {
    uint64_t taken = 0;
    uint64_t uncounted = 0;
    for (; wanted != 0; wanted &= wanted - 1) {
      const T* const record = records[static_cast<size_t>(std::countr_zero(wanted))];
      ++uncounted;
      if (!queue_.TryPush(record)) [[unlikely]] {
        CountOffered(std::exchange(uncounted, 0));
        Flush();  // perhaps it is full only of what the thread was not told of
        if (!queue_.TryPush(record)) {
          CountRefused(1);
          continue;
        }
      }
      taken |= wanted & -wanted;
    }
    CountOffered(uncounted);
    return taken;
  }

  void Loop() {
    while (true) {
      const uint8_t state = state_.load(std::memory_order_acquire);
      if (state == kClosed) break;
      if (const T* const* record = queue_.Front()) {
        delivered_.store(delivered_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        sink_->OnRecord(**record);
        queue_.Pop();
        continue;
      }
      if (state == kClosing) break;  // read before the queue was found empty
      Rest();
    }
    if (stand_in_ != nullptr) stand_in_->Resign();
    static_cast<void>(Move(kClosing, kClosed));
    sink_->OnClosed();
    done_.store(true, std::memory_order_release);
    if (on_done_ != nullptr) on_done_->Notify();
  }

  void Rest() {
    for (int look = 0; look < LooksBeforeParking(kLooks); ++look) {
      if (StoodIn()) return;
      std::this_thread::yield();
      if (HasWork()) return;
    }
    const EventCount::Key key = events_.PrepareWait();
    if (HasWork() || StoodIn()) return;
    events_.Wait(key);
  }

  bool StoodIn() {
    if (stand_in_ == nullptr || !stand_in_->TryTake()) return false;
    stand_in_->Read(*this);
    return true;
  }

  // A wake-up costs the fan-out some 8 us, a yield the others nothing.
  static constexpr int kLooks = 16;

  const std::string name_;
  SpscQueue<const T*> queue_;
  const std::unique_ptr<Sink<T>> sink_;
  std::unique_ptr<StandIn<T>> stand_in_;
  EventCount events_;
  Atomic<uint8_t> state_{kIdle};
  Atomic<bool> done_{false};
  std::shared_ptr<EventCount> on_done_;
  std::shared_ptr<const void> records_;
  // Each line has one writer: the fan-out, the thread.
  alignas(kCacheLine) Atomic<uint64_t> offered_{0};
  Atomic<uint64_t> refused_{0};
  alignas(kCacheLine) Atomic<uint64_t> delivered_{0};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_SUBSCRIPTION_H_
