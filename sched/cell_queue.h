#ifndef TASKVISOR_SCHED_CELL_QUEUE_H_
#define TASKVISOR_SCHED_CELL_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"
#include "sched/cell_lane.h"
#include "sched/ready_queue.h"
#include "sched/thread_numbers.h"

namespace taskvisor::internal {

// CellQueue
//
// What ReadyQueue is, for few taking threads that are known: a CellLane for each pushing thread,
// and takers that stay with one lane's elements for kTurn takes at most. Threads beyond
// kLanes push into a CountedQueue, which takes part in the turns as a lane of its own.
//
// An element is either in no taker's range, or in a strip that a taker shows, and who looks at all
// of these finds one unless others took some meanwhile. So nobody needs to count elements: after a
// TryTake that found nothing, Any says whether something has come.
//
// Strays are what lies in the strip of a taker that is busy with something else, or stopped. Who
// finds nothing else takes them; under a load that never ends nobody would, so a caller asks for
// them now and then. A busy taker's strip may have been used again since, and be full of what is
// nobody's yet: so each look for strays begins behind the taker of whom the last one took, and
// what it takes may come before its turn.
//
// Order: a lane's, as long as takers claim one element at a time: while little waits, and who has
// just begun. Without that all takers could be inside bodies that wait for a stray.
//
// Progress: as CellLane's and ReadyQueue's.
template <class T, class Shape = CellShape>
class CellQueue {
  using Lane = CellLane<T, Shape>;
  using Cell = typename Lane::Cell;
  using Overflow = CountedQueue<T>;
  struct alignas(kCacheLine) Shown {
    Atomic<Cell*> strip{nullptr};
  };

 public:
  static constexpr uint32_t kLanes = 64;
  static constexpr uint32_t kTurn = 32;

  enum class First : uint8_t { kOwn, kStrays };

  // `takers`: as many cursors, at most. `parts`: a taker claims one of so many parts of what waits
  // in a lane, so one element while there are not twice as many.
  CellQueue(size_t takers, size_t parts)
      : takers_(takers), parts_(parts), shown_(std::make_unique<Shown[]>(takers)) {}

  // Where a taker is on its way round the lanes. One thread at a time.
  class Cursor {
   public:
    // `number`: below `takers`, another one for each cursor.
    Cursor(CellQueue& queue, size_t number) : overflow_(queue.overflow_), number_(number) {}

   private:
    friend class CellQueue;
    typename Lane::Range range_;
    typename Overflow::Cursor overflow_;
    const size_t number_;
    uint32_t lane_ = 0;
    uint32_t left_ = kTurn;  // of its turn with this lane
    size_t most_ = 1;        // that it claims at once
    size_t strays_ = 0;      // whose it looks for first
  };

  // False: no memory for it.
  [[nodiscard]] bool Push(T value) {
    if (Lane* const lane = Mine()) return lane->Push(value);
    return overflow_.Push(value);
  }
  // All or none.
  template <class Iterator>
  [[nodiscard]] bool PushRange(Iterator first, size_t count) {
    if (Lane* const lane = Mine()) return lane->PushRange(first, count);
    return overflow_.PushRange(first, count);
  }

  // What this thread pushed just now is not what the cursor comes to next, if there is anything
  // else.
  void PassBy(Cursor& cursor) {
    if (Mine() == lanes_.get() + cursor.lane_) GoOn(cursor, lane_count());
  }

  // Something is there that a TryTake of the cursor would take, or would find gone and then no
  // more. False, after a TryTake in vain: all that was pushed is taken. In this order: an element
  // goes from a lane into a strip that is shown by then.
  [[nodiscard]] bool Any(const Cursor& cursor) const {
    return AnyUnclaimed() || AnyStray(cursor.number_);
  }
  // The same, but for what is in the strips of others.
  [[nodiscard]] bool AnyFor(const Cursor& cursor) const {
    return cursor.range_.next != cursor.range_.end || AnyUnclaimed();
  }
  // In no taker's range.
  [[nodiscard]] bool AnyUnclaimed() const {
    for (uint32_t lane = 0; lane < lane_count(); ++lane) {
      if (lanes_[lane].Any()) return true;
    }
    return overflow_.Any();
  }

  // False: nothing was seen, and all that was pushed is taken. ahead(element): it comes soon,
  // unless another takes it.
  template <class Ahead>
  [[nodiscard]] bool TryTake(Cursor& cursor, T& value, First first, Ahead ahead) {
    if (first == First::kStrays) {
      cursor.most_ = 1;
      if (TakeStray(cursor, value)) return true;
    }
    return TakeFromRange(cursor, value, ahead) || TakeFromLanes(cursor, value, ahead) ||
           TakeStray(cursor, value);
  }

 private:
  static constexpr ptrdiff_t kAhead = 2;

  [[nodiscard]] Lane* Mine() {
    if (void* const kept = threads_.Kept()) return static_cast<Lane*>(kept);
    return FindMine();
  }
  [[gnu::noinline]] Lane* FindMine() {
    Lane* const mine = threads_.KeepMineOf(lanes_.get());
    if (mine == nullptr) return nullptr;
    const auto count = static_cast<uint32_t>(mine - lanes_.get()) + 1;
    // The lane is whole from the beginning. seq_cst: it is counted before anything is pushed there,
    // for who asks Any.
    uint32_t seen = lane_count_.load(std::memory_order_acquire);
    while (seen < count && !lane_count_.compare_exchange_weak(
                               seen, count, std::memory_order_seq_cst, std::memory_order_acquire)) {
    }
    return mine;
  }

  [[nodiscard]] uint32_t lane_count() const { return lane_count_.load(std::memory_order_seq_cst); }
  [[nodiscard]] bool AnyStray(size_t mine) const {
    for (size_t taker = 0; taker < takers_; ++taker) {
      const Cell* const strip = shown_[taker].strip.load(std::memory_order_acquire);
      if (taker == mine || strip == nullptr) continue;
      for (size_t c = 0; c < Lane::kStrip; ++c) {
        // relaxed: it was filled before what led here was written, or is empty again.
        if (strip[c].load(std::memory_order_relaxed) != T{}) return true;
      }
    }
    return false;
  }

  template <class Ahead>
  [[nodiscard]] bool TakeFromRange(Cursor& cursor, T& value, Ahead ahead) {
    auto& [next, end] = cursor.range_;
    while (next != end) {
      if (end - next > kAhead) CallFor(next[kAhead], ahead);
      const bool taken = Lane::TryTake(*next++, value);
      if (next == end) HideStrip(shown_[cursor.number_].strip);
      if (taken) return true;
    }
    return false;
  }
  // The taker has nothing there any more, or has lost the claim that it was shown for. What is
  // pushed there later comes when the lane comes to it, and not as a stray before that.
  static void HideStrip(Atomic<Cell*>& shown) {
    // relaxed: there is nothing to find.
    if (shown.load(std::memory_order_relaxed) != nullptr) {
      shown.store(nullptr, std::memory_order_relaxed);
    }
  }
  template <class Ahead>
  static void CallFor(Cell& cell, Ahead ahead) {
    // relaxed: its address is all that is used.
    if (const T coming = cell.load(std::memory_order_relaxed); coming != T{}) ahead(coming);
  }

  template <class Ahead>
  [[nodiscard]] bool TakeFromLanes(Cursor& cursor, T& value, Ahead ahead) {
    const uint32_t lanes = lane_count();
    if (cursor.left_ == 0) GoOn(cursor, lanes);
    for (uint32_t seen = 0; seen <= lanes; ++seen) {
      if (TakeFromLane(cursor, lanes, value, ahead)) return true;
      GoOn(cursor, lanes);
    }
    return false;
  }
  // The lane behind the last one is the overflow.
  static void GoOn(Cursor& cursor, uint32_t lanes) {
    cursor.lane_ = cursor.lane_ < lanes ? cursor.lane_ + 1 : 0;
    cursor.left_ = kTurn;
  }
  template <class Ahead>
  [[nodiscard]] bool TakeFromLane(Cursor& cursor, uint32_t lanes, T& value, Ahead ahead) {
    if (cursor.lane_ >= lanes) {
      if (!overflow_.TryTake(cursor.overflow_, value)) return false;
      --cursor.left_;
      return true;
    }
    Atomic<Cell*>& shown = shown_[cursor.number_].strip;
    do {
      // release: whoever looks there finds the strip whole.
      cursor.range_ = lanes_[cursor.lane_].Claim(cursor.most_, parts_, [&](Cell* strip) {
        shown.store(strip, std::memory_order_release);
      });
      const ptrdiff_t size = cursor.range_.end - cursor.range_.next;
      if (size == 0) {
        HideStrip(shown);
        return false;
      }
      if (cursor.most_ < Lane::kStrip) cursor.most_ *= 2;
      for (ptrdiff_t i = 1; i < std::min(size, kAhead); ++i) CallFor(cursor.range_.next[i], ahead);
      cursor.left_ -= std::min(cursor.left_, static_cast<uint32_t>(size));
    } while (!TakeFromRange(cursor, value, ahead));
    return true;
  }

  [[nodiscard]] bool TakeStray(Cursor& cursor, T& value) {
    for (size_t i = 0; i < takers_; ++i) {
      const size_t whose = (cursor.strays_ + i) % takers_;
      Cell* const strip = shown_[whose].strip.load(std::memory_order_acquire);
      if (whose == cursor.number_ || strip == nullptr) continue;
      for (size_t c = 0; c < Lane::kStrip; ++c) {
        if (strip[c].load(std::memory_order_relaxed) == T{}) continue;
        if (!Lane::TryTake(strip[c], value)) continue;
        cursor.strays_ = whose + 1;
        return true;
      }
    }
    return false;
  }

  const size_t takers_;
  const size_t parts_;
  const std::unique_ptr<Shown[]> shown_;  // by a cursor's number
  ThreadNumbers threads_{kLanes};
  const std::unique_ptr<Lane[]> lanes_ = std::make_unique<Lane[]>(kLanes);  // by a thread's number
  Atomic<uint32_t> lane_count_{0};  // no lane that was pushed to has a higher number
  Overflow overflow_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CELL_QUEUE_H_
