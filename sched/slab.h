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
// The link of a free slot is T's own member `Atomic<uint32_t> next_free`, if it has one:
// in a line that is touched anyway.
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

  // Nothing once `capacity` slots are out. Throws, and has changed nothing, if there is no
  // memory for a new chunk.
  [[nodiscard]] std::optional<uint32_t> Allocate() {
    Ahead none;
    return Allocate(none, 1);
  }

  // The same for who takes many: slots that were never used come several with one claim. `more`:
  // how many the caller will take, this one included, all of them with the same `ahead`; if it
  // does not take them after all, it calls FreeAhead.
  struct Ahead {
    uint32_t next = 0;
    uint32_t end = 0;
    uint32_t likely = 0;  // + 1: what is allocated next, mostly; 0: not known
  };
  [[nodiscard]] std::optional<uint32_t> Allocate(Ahead& ahead, size_t more) {
    if (ahead.next == ahead.end) {
      if (const auto recycled = Recycle(ahead.likely)) return recycled;
      ahead = Fresh(static_cast<uint32_t>(std::min<size_t>(more, kChunk)));
      if (ahead.next == ahead.end) return free_.Pop(Link());  // a Free may have come meanwhile
    }
    return ahead.next++;
  }

  void Free(uint32_t index) { free_.Push(index, Link()); }
  void FreeAhead(Ahead& ahead) {
    while (ahead.next != ahead.end) Free(ahead.next++);
  }

  // Slots that one thread gives back together, so that those who do are seldom in each
  // other's way: at most kTogether are kept from others meanwhile.
  static constexpr uint32_t kTogether = 32;
  struct Returned {
    uint32_t first = 0;
    uint32_t last = 0;
    uint32_t count = 0;
  };
  void FreeLater(uint32_t index, Returned& returned) {
    if (returned.count == 0) {
      returned.last = index;
    } else {
      IndexStack::LinkTo(index, returned.first, Link());
    }
    returned.first = index;
    if (++returned.count == kTogether) FreeNow(returned);
  }
  void FreeNow(Returned& returned) {
    if (returned.count == 0) return;
    free_.PushChain(returned.first, returned.last, Link());
    returned.count = 0;
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

  // Slots ever used: all live ones are below it. seq_cst: see Allocate.
  [[nodiscard]] uint32_t used() const { return used_.load(std::memory_order_seq_cst); }

 private:
  static constexpr bool kLinkInside = requires(T & item) { item.next_free; };
  struct NoLinks {};
  struct Links {
    Atomic<uint32_t> next_free[kChunk] = {};
  };
  struct Chunk : std::conditional_t<kLinkInside, NoLinks, Links> {
    // Not defaulted: make_unique would write zeroes all over it first.
    Chunk() {}  // NOLINT(modernize-use-equals-default)
    T items[kChunk];
  };

  // The one behind it is the next one, mostly, and was written by the thread that freed it.
  std::optional<uint32_t> Recycle(uint32_t& behind) {
    const auto recycled = free_.Pop(Link());
    behind = 0;
    if (recycled.has_value()) {
      behind = Link()(*recycled).load(std::memory_order_relaxed);  // the caller's
      if (behind != 0) PrefetchForWrite(&At(behind - 1), sizeof(T));
    }
    return recycled;
  }

  // Up to `most` slots of one chunk that were never used; none: all were.
  Ahead Fresh(uint32_t most) {
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
    return {next, end};
  }

  auto Link() const {
    return [this](uint32_t index) -> Atomic<uint32_t>& {
      Chunk* const chunk = chunks_.Find(index / kChunk);
      if constexpr (kLinkInside) {
        return chunk->items[index % kChunk].next_free;
      } else {
        return chunk->next_free[index % kChunk];
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
