#ifndef TASKVISOR_SCHED_CHUNK_TABLE_H_
#define TASKVISOR_SCHED_CHUNK_TABLE_H_

#include <cstdint>
#include <memory>

#include "sched/atomic.h"

namespace taskvisor::internal {

// ChunkTable<Chunk>
//
// Up to `count` chunks by their number, each made when it is first wanted, then valid for as
// long as the table lives.
//
// Memory order: a chunk is whole for whoever finds it (its release pairs with their acquire).
// Progress: lock-free, but for malloc in Ensure.
template <class Chunk>
class ChunkTable {
 public:
  explicit ChunkTable(uint32_t count)
      : count_(count), chunks_(std::make_unique<Atomic<Chunk*>[]>(count)) {}

  ~ChunkTable() {
    for (uint32_t i = 0; i < count_; ++i) delete Find(i);
  }

  ChunkTable(const ChunkTable&) = delete;
  ChunkTable& operator=(const ChunkTable&) = delete;

  // Throws, and has changed nothing, if there is no memory.
  void Ensure(uint32_t number) {
    if (Find(number) != nullptr) return;
    auto fresh = std::make_unique<Chunk>();
    Chunk* none = nullptr;
    if (chunks_[number].compare_exchange_strong(none, fresh.get(), std::memory_order_acq_rel,
                                                std::memory_order_acquire)) {
      static_cast<void>(fresh.release());
    }
  }

  // Null: not made yet. REQUIRES: number < count.
  [[nodiscard]] Chunk* Find(uint32_t number) const {
    return chunks_[number].load(std::memory_order_acquire);
  }

 private:
  const uint32_t count_;
  const std::unique_ptr<Atomic<Chunk*>[]> chunks_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CHUNK_TABLE_H_
