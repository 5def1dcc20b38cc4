#ifndef TASKVISOR_SCHED_SLAB_H_
#define TASKVISOR_SCHED_SLAB_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "sched/atomic.h"
#include "sched/chunk_table.h"
#include "sched/index_stack.h"
#include "sched/prefetch.h"

namespace taskvisor::internal {

// Slab<T>
//
// Up to `capacity` slots of T, numbered from 0. A slot's T is built when its chunk is
// first used, recycled without being destroyed, and destroyed with the slab: memory
// of a T is valid, and a T, for as long as the slab lives ("type-stable"). That is
// what lets a stale reference be refused by a compare with a generation kept inside
// T, without a reclamation scheme.
//
// The link of a free slot is T's own member `Atomic<uint32_t> next_free`, if it has one: in a line
// that is touched anyway. If T has another one, `next_chain`, slots that are given back together
// are also taken together, so that those who take are seldom in each other's way either:
//
//   free_ ─▶ [first] ─ next_chain ─▶ [first] ─▶ ...
//               └ next_free ─▶ [ ] ─▶ [ ]
//
// Memory order: what was written before Free(i) is visible after the Allocate that
// returns i.
// Progress: Allocate and Free are lock-free, but for malloc when a chunk is new.
template <class T>
class Slab {
 public:
  static constexpr uint32_t kChunk = 256;

  explicit Slab(uint32_t capacity)
      : capacity_(capacity), chunks_((capacity + kChunk - 1) / kChunk) {}

  // Nothing once `capacity` slots are out, or taken. Throws, and has changed nothing, if there is
  // no memory for a new chunk.
  [[nodiscard]] std::optional<uint32_t> Allocate() {
    Taken few;
    const auto index = Allocate(few, 1);
    GiveBack(few);
    return index;
  }

  // The same for who takes many, and keeps `taken` meanwhile: slots that are nobody else's. One
  // thread at a time. `more`: how many it will take now, this one included, so that slots that were
  // never used come several with one claim.
  struct Taken {
    uint32_t recycled = 0;  // the first one, + 1; 0: none
    uint32_t next = 0;      // never used
    uint32_t end = 0;

    // Mostly what is allocated next, + 1; 0: not known.
    [[nodiscard]] uint32_t likely() const {
      return recycled != 0 ? recycled : next != end ? next + 1 : 0;
    }
  };
  // It takes so many more than are in use, at most.
  static constexpr uint32_t kMostTaken = kChunk;
  [[nodiscard]] std::optional<uint32_t> Allocate(Taken& taken, size_t more) {
    if (taken.recycled == 0 && taken.next == taken.end) Take(taken, more);
    if (taken.recycled != 0) return Recycle(taken);
    if (taken.next != taken.end) return taken.next++;
    return std::nullopt;
  }
  void GiveBack(Taken& taken) {
    if (taken.recycled != 0) free_.Push(taken.recycled - 1, ChainLink());
    taken.recycled = 0;
    while (taken.next != taken.end) Free(taken.next++);
  }

  void Free(uint32_t index) {
    Returned alone;
    FreeLater(index, alone);
    FreeNow(alone);
  }

  // Slots that one thread gives back together: at most kTogether are kept from others meanwhile.
  static constexpr uint32_t kTogether = 32;
  struct Returned {
    uint32_t first = 0;  // + 1; 0: none
    uint32_t count = 0;
  };
  void FreeLater(uint32_t index, Returned& returned) {
    // release: who reads it for what it was before (see Entry) sees that it is a link now.
    Link(index).store(returned.first, std::memory_order_release);
    returned.first = index + 1;
    if (++returned.count == kMostInChain) FreeNow(returned);
  }
  void FreeNow(Returned& returned) {
    if (returned.count == 0) return;
    free_.Push(returned.first - 1, ChainLink());
    returned = {};
  }

  // REQUIRES: `index` was returned by Allocate, now or earlier.
  [[nodiscard]] T& At(uint32_t index) const {
    return chunks_.Find(index / kChunk)->items[index % kChunk];
  }

  // At(index), or null if that slot was never used (a forged or foreign number).
  [[nodiscard]] T* Find(uint32_t index) const {
    if (index >= capacity_) return nullptr;
    Chunk* const chunk = chunks_.Find(index / kChunk);
    return chunk == nullptr ? nullptr : &chunk->items[index % kChunk];
  }

  // Slots ever used: all live ones are below it. seq_cst: see Fresh.
  [[nodiscard]] uint32_t used() const { return used_.load(std::memory_order_seq_cst); }

 private:
  static constexpr bool kLinkInside = requires(T & item) { item.next_free; };
  static constexpr bool kInChains = requires(T & item) { item.next_chain; };
  static constexpr uint32_t kMostInChain = kInChains ? kTogether : 1;
  struct NoLinks {};
  struct Links {
    Atomic<uint32_t> next_free[kChunk] = {};
  };
  struct Chunk : std::conditional_t<kLinkInside, NoLinks, Links> {
    // Not defaulted: make_unique would write zeroes all over it first.
    Chunk() {}  // NOLINT(modernize-use-equals-default)
    T items[kChunk];
  };

  void Take(Taken& taken, size_t more) {
    if (TakeChain(taken)) return;
    const Taken fresh = Fresh(static_cast<uint32_t>(std::min<size_t>(more, kMostTaken)));
    if (fresh.next != fresh.end) {
      taken = fresh;
    } else {
      static_cast<void>(TakeChain(taken));  // a Free may have come meanwhile
    }
  }
  bool TakeChain(Taken& taken) {
    const auto first = free_.Pop(ChainLink());
    if (first.has_value()) taken.recycled = *first + 1;
    return first.has_value();
  }
  std::optional<uint32_t> Recycle(Taken& taken) {
    const uint32_t index = taken.recycled - 1;
    // relaxed: the caller's. Alone in its chain it has the link to the next chain.
    const uint32_t behind = Link(index).load(std::memory_order_relaxed);
    taken.recycled = kInChains ? behind : 0;
    // It comes next, mostly, and was written by the thread that freed it.
    if (behind != 0) PrefetchForWrite(&At(behind - 1), sizeof(T));
    return index;
  }

  // Up to `most` slots of one chunk that were never used; none: all were.
  Taken Fresh(uint32_t most) {
    uint32_t next = used_.load(std::memory_order_relaxed);
    uint32_t end = next;
    do {
      if (next >= capacity_) return {};
      chunks_.Ensure(next / kChunk);  // first, or numbers would be lost with it
      end = std::min({next + most, (next / kChunk + 1) * kChunk, capacity_});
      // seq_cst: one half of a store-load pair with a scan that first closes a gate
      // and then reads used(); see Registry::Commit for the other half.
    } while (!used_.compare_exchange_weak(next, end, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
    return {0, next, end};
  }

  Atomic<uint32_t>& Link(uint32_t index) const {
    Chunk* const chunk = chunks_.Find(index / kChunk);
    if constexpr (kLinkInside) {
      return chunk->items[index % kChunk].next_free;
    } else {
      return chunk->next_free[index % kChunk];
    }
  }
  auto ChainLink() const {
    return [this](uint32_t index) -> Atomic<uint32_t>& {
      if constexpr (kInChains) {
        return At(index).next_chain;
      } else {
        return Link(index);
      }
    };
  }

  const uint32_t capacity_;
  ChunkTable<Chunk> chunks_;
  Atomic<uint32_t> used_{0};
  IndexStack free_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_SLAB_H_
