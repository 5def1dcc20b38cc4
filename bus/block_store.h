#ifndef TASKVISOR_BUS_BLOCK_STORE_H_
#define TASKVISOR_BUS_BLOCK_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace taskvisor::internal {

// BlockStore
//
// Where the fan-out keeps the one copy of a record that all subscriptions share. Records
// lie one behind another in blocks; a subscription's queue carries their addresses.
//
//              Reserve finds no room           every user is past its mark
//   current ──────────────────────────▶ used ──────────────────────────────▶ current again
//
// A mark says how many records its user must have handed over before the block is free,
// counted as the user counts them: the store needs no counter of references, and a user
// that is stuck keeps only blocks in which it has something queued. So there are never
// more blocks than records queued, plus two.
//
// One thread calls; the memory stays until the store is destroyed.
class BlockStore {
 public:
  static constexpr size_t kBlock = 8192;

  explicit BlockStore(size_t users) : users_(users) { blocks_.push_back(MakeBlock(kBlock)); }

  // Room for `bytes`, aligned for any record; the same room again until Keep(). past(user,
  // mark) says whether the user is done with everything up to the mark. Null if all blocks
  // are in use and there is no memory for another.
  template <class Past>
  [[nodiscard]] char* Reserve(size_t bytes, Past past) {
    if (blocks_.back().size - used_ < bytes && !OpenBlock(bytes, past)) return nullptr;
    return blocks_.back().memory.get() + used_;
  }

  // What was reserved is in use.
  void Keep(size_t bytes) { used_ += (bytes + kAlign - 1) / kAlign * kAlign; }

  // The user's queue holds something of the current block.
  void Mark(size_t user, uint64_t mark) { blocks_.back().marks[user] = mark; }

  [[nodiscard]] size_t blocks() const { return blocks_.size(); }

 private:
  static constexpr size_t kAlign = alignof(std::max_align_t);
  static constexpr int kLooks = 8;  // at used blocks, for each one that is opened

  struct Block {
    std::unique_ptr<char[]> memory;
    size_t size;
    std::vector<uint64_t> marks;  // 0: nothing of this user's
  };

  [[nodiscard]] Block MakeBlock(size_t size) const {
    return {std::make_unique_for_overwrite<char[]>(size), size, std::vector<uint64_t>(users_)};
  }

  template <class Past>
  bool OpenBlock(size_t bytes, Past past) {
    used_ = 0;
    if (Reuse(bytes, past)) return true;
    try {
      blocks_.push_back(MakeBlock(std::max(bytes, kBlock)));
      return true;
    } catch (const std::bad_alloc&) {
      used_ = blocks_.back().size;  // in use: look again the next time
      return false;
    }
  }

  // The oldest blocks first: they are at the front, and those still in use go to the back.
  template <class Past>
  bool Reuse(size_t bytes, Past past) {
    for (size_t look = std::min<size_t>(kLooks, blocks_.size()); look > 0; --look) {
      Block block = std::move(blocks_.front());
      blocks_.pop_front();
      const bool free = block.size >= bytes && IsFree(block, past);
      if (free) std::fill(block.marks.begin(), block.marks.end(), 0);
      blocks_.push_back(std::move(block));
      if (free) return true;
    }
    return false;
  }

  template <class Past>
  bool IsFree(const Block& block, Past past) const {
    for (size_t user = 0; user < users_; ++user) {
      if (block.marks[user] != 0 && !past(user, block.marks[user])) return false;
    }
    return true;
  }

  const size_t users_;
  std::deque<Block> blocks_;  // the last one is the current one
  size_t used_ = 0;           // of the current one
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_BLOCK_STORE_H_
