#ifndef TASKVISOR_SCHED_READY_LANES_H_
#define TASKVISOR_SCHED_READY_LANES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "sched/atomic.h"
#include "sched/ready_queue.h"
#include "taskvisor/priority.h"

namespace taskvisor::internal {

// ReadyLanes
//
// A ReadyQueue for each class of priority, behind one count of the caller's: who has counted an
// element may take one, of whatever lane. So there are always as many elements as rights to
// take, in all lanes together, and Take never fails.
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
// While there is nothing of another class, all is as with one ReadyQueue: `others_` is one load
// of a line that nobody writes, and what is taken then is `plain`.
//
// Word others_:  | high : 32 | low : 32 |, each: in its lane, on the way in, or just taken out.
// A hint: it is raised before the push (and lowered again if there is no memory) and lowered
// after the take. A stopped thread may leave it too high: then the way is longer. It is never
// too low for who has counted an element of that lane; one that counted an element of another,
// which somebody took, looks again until it sees it.
//
// Progress: as ReadyQueue's.
template <class T>
class ReadyLanes {
  using Lane = ReadyQueue<T>;

 public:
  // Where one taking thread is, in each lane and in its turns. One thread at a time.
  class Cursor {
   public:
    explicit Cursor(ReadyLanes& lanes) : lanes_{Of(lanes, 0), Of(lanes, 1), Of(lanes, 2)} {}

    // The caller has run something of the normal class that it took before: a turn as any.
    void Advance() { ++turns_; }

   private:
    friend class ReadyLanes;
    static typename Lane::Cursor Of(ReadyLanes& lanes, size_t lane) {
      return typename Lane::Cursor(lanes.lanes_[lane]);
    }
    std::array<typename Lane::Cursor, 3> lanes_;
    uint32_t turns_ = 0;  // done
  };

  struct Taken {
    T value;
    bool plain;  // nothing of another class was there
  };

  ReadyLanes() : shared_(*this) {}

  // False: no memory for it.
  [[nodiscard]] bool Push(T value, Priority priority) {
    if (priority == Priority::kNormal) [[likely]]
      return lane(priority).Push(value);
    return Counted(priority, 1, [&] { return lane(priority).Push(value); });
  }
  // All or none.
  template <class Iterator>
  [[nodiscard]] bool PushRange(Iterator first, size_t count, Priority priority) {
    if (priority == Priority::kNormal) return lane(priority).PushRange(first, count);
    return Counted(priority, count, [&] { return lane(priority).PushRange(first, count); });
  }

  // There is, or was just now, something of another class than the normal one.
  [[nodiscard]] bool mixed() const { return others_.load(std::memory_order_relaxed) != 0; }

  // The next take would look into a lane before the normal one, and find something there.
  [[nodiscard]] bool Urgent(const Cursor& cursor) const {
    const uint64_t others = others_.load(std::memory_order_relaxed);
    return others != 0 && Has(others, OrderOf(cursor.turns_).front());
  }

  [[nodiscard]] static bool NormalFirst(const Cursor& cursor) {
    return OrderOf(cursor.turns_).front() == Priority::kNormal;
  }

  [[nodiscard]] Taken Take(Cursor& cursor) {
    T value{};
    while (!mixed()) {
      if (lane(Priority::kNormal).TryTake(cursor.lanes_[kNormal], value)) return {value, true};
      std::this_thread::yield();
    }
    TakeBy(OrderOf(cursor.turns_++),
           [&](Lane& from, size_t i) { return from.TryTake(cursor.lanes_[i], value); });
    return {value, false};
  }

  // For threads without a cursor: whoever finds the shared one free uses it, the others
  // take what they find; so nothing waits for ever.
  [[nodiscard]] T Take() {
    if (!shared_busy_.exchange(true, std::memory_order_acquire)) {
      const T value = Take(shared_).value;
      shared_busy_.store(false, std::memory_order_release);  // pairs with the exchange
      return value;
    }
    T value{};
    // relaxed: only a number
    TakeBy(OrderOf(turns_.fetch_add(1, std::memory_order_relaxed)),
           [&](Lane& from, size_t) { return from.TryTake(value); });
    return value;
  }

 private:
  using Order = std::array<Priority, 3>;
  static constexpr size_t kNormal = static_cast<size_t>(Priority::kNormal);
  static constexpr int kHighShift = 32;

  static const Order& OrderOf(uint32_t turns_done) {
    static constexpr Order kHighFirst = {Priority::kHigh, Priority::kNormal, Priority::kLow};
    static constexpr Order kNormalFirst = {Priority::kNormal, Priority::kLow, Priority::kHigh};
    static constexpr Order kLowFirst = {Priority::kLow, Priority::kNormal, Priority::kHigh};
    if (turns_done % 4 != 3) return kHighFirst;
    return turns_done % 16 == 15 ? kLowFirst : kNormalFirst;
  }
  static uint64_t One(Priority p) {
    return p == Priority::kHigh ? uint64_t{1} << kHighShift : uint64_t{p == Priority::kLow};
  }
  static bool Has(uint64_t others, Priority p) {
    if (p == Priority::kNormal) return false;
    return (p == Priority::kHigh ? others >> kHighShift : others << kHighShift) != 0;
  }
  Lane& lane(Priority p) { return lanes_[static_cast<size_t>(p)]; }

  template <class PushIt>
  bool Counted(Priority priority, size_t count, PushIt push) {
    // relaxed, here and below: who counts an element learns of it through the caller's count.
    others_.fetch_add(count * One(priority), std::memory_order_relaxed);
    if (push()) return true;
    others_.fetch_sub(count * One(priority), std::memory_order_relaxed);
    return false;
  }

  template <class TryTake>
  void TakeBy(const Order& order, TryTake try_take) {
    while (true) {
      const uint64_t others = others_.load(std::memory_order_relaxed);
      for (const Priority p : order) {
        if (p != Priority::kNormal && !Has(others, p)) continue;
        if (!try_take(lane(p), static_cast<size_t>(p))) continue;
        if (p != Priority::kNormal) others_.fetch_sub(One(p), std::memory_order_relaxed);
        return;
      }
      std::this_thread::yield();
    }
  }

  Atomic<uint64_t> others_{0};  // beside what every take of the lanes reads
  std::array<Lane, 3> lanes_;   // by Priority
  Cursor shared_;
  Atomic<bool> shared_busy_{false};
  Atomic<uint32_t> turns_{0};  // of those that found the shared cursor busy
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_READY_LANES_H_
