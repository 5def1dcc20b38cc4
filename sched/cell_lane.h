#ifndef TASKVISOR_SCHED_CELL_LANE_H_
#define TASKVISOR_SCHED_CELL_LANE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "sched/atomic.h"
#include "sched/prefetch.h"

namespace taskvisor::internal {

// How many cells: in a strip, and strips in a block. A model has few.
struct CellShape {
  static constexpr size_t kStrip = 16;  // two lines of the cache
  static constexpr size_t kStrips = 8;
};

// CellLane
//
// What one thread pushes and all may take, in cells: T{} is an empty one. Whoever exchanges a
// cell's element for T{} has it, so it is one locked step on a line that its taker has to itself,
// mostly, and who is stopped holds one element at most.
//
//   pushed ── Claim ──▶ in somebody's range ── exchange ──▶ taken, by him or by anybody else
//
// Positions count cells from 0 on, for ever:
//
//        claimed_              tail_
//   ────────┼────────────────────┼──────────
//    ranges │ filled             │ empty
//
// A range is within one strip, and all filled when it is claimed. It says where its taker looks
// first, no more: other takers look at the strip too, which is shown to them before it is claimed,
// and may be faster. So a cell that is filled is in no range, or in a strip that is shown; and a
// taker shows another strip only after it has seen its range empty.
//
// Blocks of cells are linked in a circle, in the order of their positions from the pusher's on.
// The pusher alone links them, and takes up again the one behind its own if that is free: behind
// claimed_, and empty. A look at a block that has been taken up again finds an element or none,
// as any other, and a claim of a position that it had fails: claimed_ has gone on (L1).
//
//   L1  a block is where position p is if `first` says so and claimed_ is p afterwards: it is
//       taken up again only when claimed_ has passed all of it
//
// Memory order: what happened before Push is visible to the taker (release and acquire on the
// cell). tail_'s release shows the cells and the links before it. seq_cst, in one pair, of the
// callers: who pushes may read something afterwards, and who takes may write that and then ask Any.
//
// Progress: Push is wait-free, but for malloc when no block is free; Claim is lock-free.
template <class T, class Shape = CellShape>
class alignas(kCacheLine) CellLane {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  static constexpr size_t kStrip = Shape::kStrip;
  using Cell = Atomic<T>;

  // Cells to take from, in this order.
  struct Range {
    Cell* next = nullptr;
    Cell* end = nullptr;
  };

  CellLane() = default;
  ~CellLane() {
    if (block_ == nullptr) return;
    for (Block* block = block_->Next(); block != block_;)
      delete std::exchange(block, block->Next());
    delete block_;
  }
  CellLane(const CellLane&) = delete;
  CellLane& operator=(const CellLane&) = delete;

  // The pusher. False: no memory for it, and nothing has changed. REQUIRES: not T{}.
  [[nodiscard]] bool Push(T value) {
    if (at_ == kCells && !MakeRoom(1)) return false;
    Put(value);
    tail_.store(pushed_, std::memory_order_seq_cst);
    return true;
  }
  // The same; all or none.
  template <class Iterator>
  [[nodiscard]] bool PushRange(Iterator first, size_t count) {
    if (kCells - at_ < count && !MakeRoom(count)) return false;
    for (; count > 0; --count, ++first) Put(*first);
    tail_.store(pushed_, std::memory_order_seq_cst);
    return true;
  }

  // Something is filled and in no range. False: all that was pushed is in a range that is shown, or
  // was taken.
  [[nodiscard]] bool Any() const {
    // acquire: what was shown before the last claim is seen.
    return tail_.load(std::memory_order_seq_cst) != claimed_.load(std::memory_order_acquire);
  }

  // A part of what is filled and in no range; none: there is nothing, or was nothing just now. It
  // is one cell, or more, up to `most`, if so much is within one part of what is filled in `parts`.
  // show(strip): the taker makes that known as the strip it takes from. It may be called several
  // times; the last one counts.
  template <class Show>
  [[nodiscard]] Range Claim(size_t most, size_t parts, Show show) {
    uint64_t from = claimed_.load(std::memory_order_acquire);
    while (true) {
      const uint64_t ready = tail_.load(std::memory_order_acquire) - from;
      if (ready == 0) return {};
      size_t index = 0;
      Block* const block = Find(from, index);
      if (block == nullptr) {
        from = claimed_.load(std::memory_order_acquire);
        continue;
      }
      const size_t begins = index - index % kStrip;
      const size_t part = std::max<uint64_t>(ready / parts, 1);
      const size_t size = std::min({begins + kStrip - index, most, part});
      show(&block->cells[begins]);
      if (claimed_.compare_exchange_weak(from, from + size, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
        PrefetchForWrite(&block->cells[index], size * sizeof(Cell));
        return {&block->cells[index], &block->cells[index] + size};
      }
    }
  }

  // False: it was empty.
  [[nodiscard]] static bool TryTake(Cell& cell, T& value) {
    value = cell.exchange(T{}, std::memory_order_acquire);
    return value != T{};
  }

 private:
  static constexpr size_t kCells = kStrip * Shape::kStrips;
  struct alignas(kCacheLine) Block {
    Block* Next() const { return next.load(std::memory_order_relaxed); }

    Atomic<uint64_t> first{0};  // position of cells[0]
    Atomic<Block*> next{this};
    alignas(kCacheLine) Cell cells[kCells] = {};
  };

  // --- the pusher ---
  void Put(T value) {
    if (at_ == kCells) {
      block_ = block_->Next();
      at_ = 0;
      // release: it was free. (See MakeRoom.)
      block_->first.store(pushed_, std::memory_order_release);
    }
    block_->cells[at_++].store(value, std::memory_order_release);
    ++pushed_;
  }

  // So many cells are free from here on.
  [[nodiscard]] bool MakeRoom(size_t count) {
    if (block_ == nullptr) {
      block_ = new (std::nothrow) Block();
      if (block_ == nullptr) return false;
      at_ = 0;
      last_found_.store(block_, std::memory_order_relaxed);  // shown by tail_
    }
    Block* last = block_;
    for (size_t room = kCells - at_; room < count; room += kCells) {
      Block* next = last->Next();
      if (next == block_ || !IsFree(*next)) next = InsertBehind(*last);
      if (next == nullptr) return false;  // what was inserted stays, for later
      last = next;
    }
    return true;
  }
  [[nodiscard]] bool IsFree(const Block& block) {
    const uint64_t end = block.first.load(std::memory_order_relaxed) + kCells;
    if (claimed_seen_ < end) claimed_seen_ = claimed_.load(std::memory_order_acquire);
    if (claimed_seen_ < end) return false;
    for (const Cell& cell : block.cells) {
      if (cell.load(std::memory_order_relaxed) != T{}) return false;
    }
    return true;
  }
  [[nodiscard]] static Block* InsertBehind(Block& last) {
    Block* const fresh = new (std::nothrow) Block();
    if (fresh == nullptr) return nullptr;
    fresh->first.store(0 - kCells, std::memory_order_relaxed);  // it ends at 0: free
    fresh->next.store(last.Next(), std::memory_order_relaxed);
    last.next.store(fresh, std::memory_order_release);
    return fresh;
  }

  // --- who takes ---
  // The block and the cell of a position that is filled. Null: claimed_ has gone on.
  [[nodiscard]] Block* Find(uint64_t position, size_t& index) {
    Block* const begin = last_found_.load(std::memory_order_acquire);
    Block* block = begin;
    while (true) {
      index = position - block->first.load(std::memory_order_acquire);
      if (index < kCells) break;
      block = block->next.load(std::memory_order_acquire);
      if (claimed_.load(std::memory_order_relaxed) != position) return nullptr;
    }
    if (block != begin) last_found_.store(block, std::memory_order_release);
    return block;
  }

  // The pusher's.
  Atomic<uint64_t> tail_{0};  // the first position that is not filled
  uint64_t pushed_ = 0;       // the same, and in the middle of a push ahead of it
  Block* block_ = nullptr;    // where it fills cells
  size_t at_ = kCells;        // the next one
  uint64_t claimed_seen_ = 0;
  // The takers'.
  alignas(kCacheLine) Atomic<uint64_t> claimed_{0};  // the first position that is in no range
  Atomic<Block*> last_found_{nullptr};               // where to look first: a hint
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CELL_LANE_H_
