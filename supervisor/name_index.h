#ifndef TASKVISOR_SUPERVISOR_NAME_INDEX_H_
#define TASKVISOR_SUPERVISOR_NAME_INDEX_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "sched/atomic.h"
#include "supervisor/name.h"

namespace taskvisor::internal {

// What a slot brings to the index.
struct NameLink {
  Name name;
};

// NameIndex
//
// Names to slots: a hash table of sorted lock-free lists (M. Michael, "High performance
// dynamic lock-free hash tables and list-based sets", SPAA 2002). Nodes belong to slots of
// a slab, one each, for ever, so no reclamation scheme is needed; what a node is may change
// under a reader, and the tags catch that.
//
// Nodes stand side by side, 16 bytes each, and not in the slots: a walk past a million
// names then meets few pages, and looks into a slot only where the whole hash is equal.
//
// Invariants
//   N1  every change of a `next` raises its tag, and tags are never reset: a CAS on a
//       value read earlier fails if anything happened to that link since
//   N2  a node is removed by marking its own next (that is the moment the name becomes
//       free), then unlinked by whoever passes; it is recycled only after it is unlinked
//   N3  a chain is sorted by hash; equal hashes stand together, a new one goes in front
//       of them, so two inserters of one name always compete for the same link
//
// Progress: Insert, Find, Remove are lock-free (Insert but for calloc when a chunk of nodes
// is new). Memory order: what the inserter did
// before Insert is visible to who finds the name.
class NameIndex {
 public:
  // link(i) returns slot i's NameLink&.
  using LinkOf = NameLink& (*)(void* slots, uint32_t index);

  static constexpr uint32_t kMaxSlots = uint32_t{1} << 25;

  NameIndex(uint64_t expected_names, LinkOf link, void* slots)
      : mask_(BucketsFor(expected_names) - 1),
        link_(link),
        slots_(slots),
        buckets_(Zeroed<Atomic<uint64_t>>(mask_ + 1)),
        chunks_(Zeroed<Atomic<Node*>>(kChunks)) {}

  ~NameIndex() {
    // relaxed: nobody else is here any more.
    for (uint64_t i = 0; i < kChunks; ++i) std::free(chunks_[i].load(std::memory_order_relaxed));
  }
  NameIndex(const NameIndex&) = delete;
  NameIndex& operator=(const NameIndex&) = delete;

  // Claims the name already set in slot `index`. False: taken.
  // REQUIRES: index < kMaxSlots. Throws std::bad_alloc, with nothing done, if there is no
  // memory for the node.
  [[nodiscard]] bool Insert(uint32_t index, std::string_view name);

  // The slot that has the name now. Its state must be judged again by the caller.
  [[nodiscard]] std::optional<uint32_t> Find(std::string_view name) const;

  // Frees the name of slot `index`; when it returns the slot may be recycled.
  // REQUIRES: inserted, and removed by one thread only.
  void Remove(uint32_t index, std::string_view name);

 private:
  struct Node {
    // | tag : 31 | removed : 1 | index + 1 : 32 |; 0 in the low half: end of the chain.
    Atomic<uint64_t> next;
    Atomic<uint64_t> hash;
  };
  struct Position {
    Atomic<uint64_t>* previous;        // the link that leads to `current`
    uint64_t current;                  // its value
    bool found;                        // current is the node looked for
    Atomic<uint64_t>* first_previous;  // the link before the first node of this hash
    uint64_t first;                    // its value
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  template <class T>
  using ZeroedArray = std::unique_ptr<T[], Free>;

  // calloc: pages of a large table that no name falls into cost nothing.
  template <class T>
  static ZeroedArray<T> Zeroed(uint64_t count) {
    ZeroedArray<T> array(static_cast<T*>(std::calloc(count, sizeof(T))));
    if (array == nullptr) throw std::bad_alloc();
    return array;
  }

  static constexpr uint32_t kChunk = 4096;  // nodes; 64 KiB
  static constexpr uint32_t kChunks = kMaxSlots / kChunk;
  static constexpr uint64_t kIndexMask = 0xffffffff;
  static constexpr uint64_t kRemoved = uint64_t{1} << 32;
  static constexpr uint64_t kTagOne = uint64_t{1} << 33;

  static uint64_t BucketsFor(uint64_t names);
  static uint64_t Hash(std::string_view name);
  static uint64_t Retag(uint64_t old, uint64_t target) {
    return ((old & ~(kTagOne - 1)) + kTagOne) | (target & kIndexMask);
  }
  [[nodiscard]] Node& NodeAt(uint32_t index) const {
    // acquire: pairs with the release in EnsureNode.
    return chunks_[index / kChunk].load(std::memory_order_acquire)[index % kChunk];
  }
  [[nodiscard]] Node& NodeOf(uint64_t link) const {
    return NodeAt(static_cast<uint32_t>(link & kIndexMask) - 1);
  }
  Node& EnsureNode(uint32_t index);
  [[nodiscard]] const Name& NameAt(uint64_t link) const {
    return link_(slots_, static_cast<uint32_t>(link & kIndexMask) - 1).name;
  }
  template <class Matches>
  [[nodiscard]] Position Search(uint64_t hash, Matches matches) const;
  template <class Matches>
  [[nodiscard]] bool TrySearch(uint64_t hash, Matches matches, Position& position) const;

  const uint64_t mask_;
  const LinkOf link_;
  void* const slots_;
  const ZeroedArray<Atomic<uint64_t>> buckets_;
  const ZeroedArray<Atomic<Node*>> chunks_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NAME_INDEX_H_
