#ifndef TASKVISOR_SCHED_READY_LANES_H_
#define TASKVISOR_SCHED_READY_LANES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "sched/atomic.h"
#include "sched/delays.h"
#include "sched/ready_queue.h"
#include "taskvisor/priority.h"

namespace taskvisor::internal {

// ReadyLanes
//
// A queue for each class of priority. The normal class's queue may be of a kind of its own.
//
// A cursor's takes are in turns of 16, by which lane they look into first, and where next:
//
//   4, 8, 12   normal, low, high
//   16         low, normal, high
//   others     high, normal, low
//
// So while there is enough of all classes, 12 of 16 takes are of the high one, 3 of the normal
// one and 1 of the low one; of two classes, the lower one gets at least 1 of 16. Only takes
// while there is something of another class than the normal one count as turns.
//
// While there is nothing of another class, all is as with one queue: `others_` is one load of a
// line that nobody writes.
//
// Word others_:  | high : 32 | low : 32 |, each: pushed into its lane and not yet claimed. An
// element is pushed, then counted; a count is taken, then an element: who has taken a count finds
// one.
//
// seq_cst: as CellLane's Push and Any.
//
// Progress: as the queues'.
template <class T, class Normal = ReadyQueue<T>>
class ReadyLanes {
  using Other = ReadyQueue<T>;

 public:
  // Where one taking thread is, in each lane and in its turns. One thread at a time.
  class Cursor {
   public:
    // `normal`: what a cursor of that queue is made with, besides the queue.
    template <class... Arguments>
    explicit Cursor(ReadyLanes& lanes, Arguments... normal)
        : normal_(lanes.normal_, normal...), high_(lanes.high_), low_(lanes.low_) {}

   private:
    friend class ReadyLanes;
    typename Normal::Cursor normal_;
    typename Other::Cursor high_;
    typename Other::Cursor low_;
    uint32_t turns_ = 0;  // done
  };

  // `normal`: what the normal class's queue is made with.
  template <class... Arguments>
  explicit ReadyLanes(Arguments... normal) : normal_(normal...) {}

  // False: no memory for it.
  [[nodiscard]] bool Push(T value, Priority priority) {
    if (priority == Priority::kNormal) [[likely]]
      return normal_.Push(value);
    return Counted(priority, 1, other(priority).Push(value));
  }
  // All or none.
  template <class Iterator>
  [[nodiscard]] bool PushRange(Iterator first, size_t count, Priority priority) {
    if (priority == Priority::kNormal) return normal_.PushRange(first, count);
    return Counted(priority, count, other(priority).PushRange(first, count));
  }

  // See CellQueue.
  void PassBy(Cursor& cursor) { normal_.PassBy(cursor.normal_); }

  // There is something of another class than the normal one.
  [[nodiscard]] bool mixed() const { return others_.load(std::memory_order_relaxed) != 0; }

  // See CellQueue.
  [[nodiscard]] bool Any(const Cursor& cursor) const {
    return AnyOther() || normal_.Any(cursor.normal_);
  }
  [[nodiscard]] bool AnyFor(const Cursor& cursor) const {
    return AnyOther() || normal_.AnyFor(cursor.normal_);
  }
  [[nodiscard]] bool AnyUnclaimed() const { return AnyOther() || normal_.AnyUnclaimed(); }

  // False: nothing was seen. `how`: what the normal class's queue is asked with.
  template <class... How>
  [[nodiscard]] bool TryTake(Cursor& cursor, T& value, How... how) {
    const auto from_normal = [&] { return normal_.TryTake(cursor.normal_, value, how...); };
    if (!mixed()) return from_normal();
    const bool taken = TryTakeBy(OrderOf(cursor.turns_), [&](Priority p) {
      if (p == Priority::kNormal) return from_normal();
      return other(p).TryTake(p == Priority::kHigh ? cursor.high_ : cursor.low_, value);
    });
    cursor.turns_ += taken ? 1 : 0;
    return taken;
  }
  // For callers that count: one that has counted an element, of whatever lane, finds one.
  template <class... How>
  [[nodiscard]] T Take(Cursor& cursor, How... how) {
    T value{};
    while (!TryTake(cursor, value, how...)) YieldCore();
    return value;
  }

  // The same for threads without a cursor, by the `turn` that one says it is.
  [[nodiscard]] T TakeInTurn(uint32_t turn) {
    T value{};
    const auto take = [&](Priority p) {
      return p == Priority::kNormal ? normal_.TryTake(value) : other(p).TryTake(value);
    };
    while (!TryTakeBy(OrderOf(turn), take)) YieldCore();
    return value;
  }

 private:
  using Order = std::array<Priority, 3>;
  static constexpr int kHighShift = 32;

  static const Order& OrderOf(uint32_t turns_done) {
    static constexpr Order kHighFirst = {Priority::kHigh, Priority::kNormal, Priority::kLow};
    static constexpr Order kNormalFirst = {Priority::kNormal, Priority::kLow, Priority::kHigh};
    static constexpr Order kLowFirst = {Priority::kLow, Priority::kNormal, Priority::kHigh};
    if (turns_done % 4 != 3) return kHighFirst;
    return turns_done % 16 == 15 ? kLowFirst : kNormalFirst;
  }
  [[nodiscard]] bool AnyOther() const { return others_.load(std::memory_order_seq_cst) != 0; }
  static uint64_t One(Priority p) {
    return p == Priority::kHigh ? uint64_t{1} << kHighShift : uint64_t{p == Priority::kLow};
  }
  static bool Has(uint64_t others, Priority p) {
    return (p == Priority::kHigh ? others >> kHighShift : others << kHighShift) != 0;
  }
  Other& other(Priority p) { return p == Priority::kHigh ? high_ : low_; }

  bool Counted(Priority priority, size_t count, bool pushed) {
    if (pushed) others_.fetch_add(count * One(priority), std::memory_order_seq_cst);
    return pushed;
  }
  [[nodiscard]] bool Claim(Priority p) {
    return UpdateIf(
               others_, [=](uint64_t others) { return Has(others, p); },
               [=](uint64_t others) { return others - One(p); })
        .done;
  }

  // take(Priority): of that lane.
  template <class Take>
  [[nodiscard]] bool TryTakeBy(const Order& order, Take take) {
    for (const Priority p : order) {
      if (p == Priority::kNormal) {
        if (take(p)) return true;
      } else if (Claim(p)) {
        while (!take(p)) YieldCore();  // others move
        return true;
      }
    }
    return false;
  }

  Atomic<uint64_t> others_{0};  // beside what every take of the lanes reads
  Normal normal_;
  Other high_;
  Other low_;
};

// SharedReadyLanes
//
// ReadyLanes for threads that come and go, each for one take.
template <class T>
class SharedReadyLanes : public ReadyLanes<T> {
 public:
  SharedReadyLanes() : shared_(*this) {}

  using ReadyLanes<T>::Take;
  // Whoever finds the shared cursor free uses it, the others take what they find; so nothing
  // waits for ever.
  [[nodiscard]] T Take() {
    if (!shared_busy_.exchange(true, std::memory_order_acquire)) {
      const T value = Take(shared_);
      shared_busy_.store(false, std::memory_order_release);  // pairs with the exchange
      return value;
    }
    // relaxed: only a number
    return this->TakeInTurn(turns_.fetch_add(1, std::memory_order_relaxed));
  }

 private:
  typename ReadyLanes<T>::Cursor shared_;
  Atomic<bool> shared_busy_{false};
  Atomic<uint32_t> turns_{0};  // of those that found the shared cursor busy
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_READY_LANES_H_
