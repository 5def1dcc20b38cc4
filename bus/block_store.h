#ifndef TASKVISOR_BUS_BLOCK_STORE_H_
#define TASKVISOR_BUS_BLOCK_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
    if (!Fits(bytes) && !OpenBlock(bytes, past)) return nullptr;
    return current().memory.get() + used_;
  }

  // Reserve needs no other block for that.
  [[nodiscard]] bool Fits(size_t bytes) { return current().size - used_ >= bytes; }

  // What was reserved is in use.
  void Keep(size_t bytes) { used_ += Aligned(bytes); }

  // The user's queue holds something of the current block.
  void Mark(size_t user, uint64_t mark) { current().marks[user] = mark; }

  // Where the next room begins: for TakeBack.
  [[nodiscard]] size_t place() const { return used_; }
  // Nobody uses what was kept since `place`. REQUIRES: all of it is in one block.
  void TakeBack(size_t place) { used_ = place; }

  [[nodiscard]] size_t blocks() const { return blocks_.size(); }

 private:
  static constexpr size_t kAlign = alignof(std::max_align_t);

  static constexpr size_t Aligned(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

  struct Block {
    std::unique_ptr<char[]> memory;
    size_t size;
    std::vector<uint64_t> marks;  // 0: nothing of this user's
  };

  [[nodiscard]] Block MakeBlock(size_t size) const {
    return {std::make_unique_for_overwrite<char[]>(size), size, std::vector<uint64_t>(users_)};
  }

  [[nodiscard]] Block& current() { return blocks_[current_]; }

  template <class Past>
  bool OpenBlock(size_t bytes, Past past) {
    if (Reuse(bytes, past)) return true;
    try {
      blocks_.push_back(MakeBlock(std::max(Aligned(bytes), kBlock)));
    } catch (const std::bad_alloc&) {
      return false;  // the current one stays: it is asked again the next time
    }
    current_ = blocks_.size() - 1;
    used_ = 0;
    return true;
  }

  // Goes round, once: what was just used is looked at last. A look that gave up earlier would
  // add a block whenever it met a row of blocks that a stuck user keeps. Allocates nothing.
  template <class Past>
  bool Reuse(size_t bytes, Past past) {
    for (size_t look = blocks_.size(); look > 0; --look) {
      next_ = (next_ + 1) % blocks_.size();
      Block& block = blocks_[next_];
      if (block.size < bytes || !IsFree(block, past)) continue;
      std::fill(block.marks.begin(), block.marks.end(), 0);
      current_ = next_;
      used_ = 0;
      return true;
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
  std::vector<Block> blocks_;
  size_t current_ = 0;
  size_t next_ = 0;  // where Reuse looked last
  size_t used_ = 0;  // of the current one
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_BLOCK_STORE_H_
