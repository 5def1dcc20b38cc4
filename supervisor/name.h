#ifndef TASKVISOR_SUPERVISOR_NAME_H_
#define TASKVISOR_SUPERVISOR_NAME_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "sched/atomic.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// The bytes of a long name, and what its owner must know to give it back.
struct NameBlock {
  std::array<Atomic<uint64_t>, (kMaxNameLength + 7) / 8> words;
  Atomic<uint32_t> next_free{0};  // the slab's
  uint32_t place = 0;             // in it
};

// Name
//
// The name of a task, readable by any thread at any time, also while its place
// is being given to another task: kept in atomic words. A reader may thus see a
// mixture; it must afterwards check, by the slot's state word or the name index's
// links, that the slot still belonged to the task it meant.
//
// Set: only by the owner of a place that no index leads to. Every load is an acquire and
// every store a release, so a reader that has seen any word of a later name also sees
// whatever took the slot away from the earlier one, and its check fails.
//
// 32 bytes are in place; a longer name lives in a block that is lent to it. The block may become
// another name's while it is read here, so it must be readable for as long as this is.
class Name {
 public:
  static constexpr size_t kShort = 32;
  // REQUIRES: of more than kShort bytes: it has a block.
  void Set(std::string_view name) {
    Atomic<uint64_t>* const words = name.size() > kShort ? block()->words.data() : words_.data();
    size_.store(static_cast<uint32_t>(name.size()), std::memory_order_release);
    for (size_t i = 0; i * 8 < name.size(); ++i) {
      words[i].store(Pack(name, i), std::memory_order_release);
    }
  }
  void SetBlock(NameBlock* block) { block_.store(block, std::memory_order_release); }
  // Null: none.
  [[nodiscard]] NameBlock* block() const { return block_.load(std::memory_order_acquire); }

  [[nodiscard]] bool Equals(std::string_view name) const {
    if (size_.load(std::memory_order_acquire) != name.size()) return false;
    const Atomic<uint64_t>* words = Words(name.size());
    if (words == nullptr) return false;
    for (size_t i = 0; i * 8 < name.size(); ++i) {
      if (words[i].load(std::memory_order_acquire) != Pack(name, i)) return false;
    }
    return true;
  }

  // What CopyTo writes to: words, so the last one may go beyond the name.
  struct Buffer {
    [[nodiscard]] const char* data() const { return reinterpret_cast<const char*>(words.data()); }
    std::array<uint64_t, (kMaxNameLength + 7) / 8> words;
  };

  // Copies it into `to`; returns the size.
  size_t CopyTo(Buffer& to) const {
    const size_t size = size_.load(std::memory_order_acquire);
    const Atomic<uint64_t>* words = Words(size);
    if (words == nullptr) return 0;
    for (size_t i = 0; i * 8 < size; ++i) to.words[i] = words[i].load(std::memory_order_acquire);
    return size;
  }
  // A name of up to kShort bytes, into as many at `to`, whatever its size; returns the size.
  // A longer one: 0.
  size_t CopyShortTo(char* to) const {
    const size_t size = size_.load(std::memory_order_acquire);
    if (size > kShort) return 0;
    for (size_t i = 0; i < kInPlace; ++i) {
      const uint64_t word = words_[i].load(std::memory_order_acquire);
      std::memcpy(to + 8 * i, &word, sizeof(word));
    }
    return size;
  }
  [[nodiscard]] std::string ToString() const {
    Buffer buffer;
    const size_t size = CopyTo(buffer);
    return {buffer.data(), size};
  }

  [[nodiscard]] size_t size() const { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] bool empty() const { return size() == 0; }

 private:
  static constexpr size_t kInPlace = kShort / 8;  // words

  static uint64_t Pack(std::string_view name, size_t word) {
    uint64_t packed = 0;
    std::memcpy(&packed, name.data() + word * 8, std::min<size_t>(8, name.size() - word * 8));
    return packed;
  }

  [[nodiscard]] const Atomic<uint64_t>* Words(size_t size) const {
    if (size <= kShort) return words_.data();
    const NameBlock* const lent = block();
    return lent == nullptr ? nullptr : lent->words.data();
  }

  std::array<Atomic<uint64_t>, kInPlace> words_{};
  Atomic<NameBlock*> block_{nullptr};
  Atomic<uint32_t> size_{0};  // last: 4 bytes behind it are free for who has a Name
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NAME_H_
