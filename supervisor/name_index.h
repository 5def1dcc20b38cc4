#ifndef TASKVISOR_SUPERVISOR_NAME_INDEX_H_
#define TASKVISOR_SUPERVISOR_NAME_INDEX_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "sched/atomic.h"
#include "sched/zero_pages.h"
#include "supervisor/name.h"

namespace taskvisor::internal {

// What a name brings to the index: one line. Zero bytes are one.
struct alignas(kCacheLine) NameLink {
  // | tag : 31 | removed : 1 | index + 1 : 32 |; 0 in the low half: end of the chain.
  Atomic<uint64_t> next{0};
  Atomic<uint64_t> hash{0};
  [[no_unique_address]] Name name;
  Atomic<uint32_t> next_long{0};  // see NameLinks
};

#ifndef TASKVISOR_MODEL_ATOMIC
static_assert(sizeof(NameLink) == kCacheLine, "a name of up to 32 bytes is one line");
#endif

// NameIndex
//
// Names to slots: a hash table of sorted lock-free lists (M. Michael, "High performance
// dynamic lock-free hash tables and list-based sets", SPAA 2002). Nodes are slots of a
// slab: their memory never goes away, so no reclamation scheme is needed; what a node
// is may change under a reader, and the tags catch that.
//
// Invariants
//   N1  every change of a `next` raises its tag, and tags are never reset: a CAS on a
//       value read earlier fails if anything happened to that link since
//   N2  a node is removed by marking its own next (that is the moment the name becomes
//       free), then unlinked by whoever passes; it is recycled only after it is unlinked
//   N3  a chain is sorted by hash; equal hashes stand together, a new one goes in front
//       of them, so two inserters of one name always compete for the same link
//
// Progress: Insert, Find, Remove are lock-free. Memory order: what the inserter did
// before Insert is visible to who finds the name.
class NameIndex {
 public:
  // link(i) returns slot i's NameLink&.
  using LinkOf = NameLink& (*)(void* slots, uint32_t index);

  NameIndex(uint64_t expected_names, LinkOf link, void* slots)
      : mask_(BucketsFor(expected_names) - 1), link_(link), slots_(slots), buckets_(mask_ + 1) {}

  // A name was set in slot `index`, and will be inserted soon: the memory of its place is called
  // for, which seldom is in a cache.
  void Prepare(uint32_t index, std::string_view name);
  // The place of a name that will be looked for soon.
  void CallFor(std::string_view name) const;
  // Claims the name that Prepare was called with. False: taken.
  [[nodiscard]] bool Insert(uint32_t index, std::string_view name);
  // It will be removed soon. REQUIRES: inserted.
  void CallFor(uint32_t index) const;

  // The slot that has the name now. Its state must be judged again by the caller.
  [[nodiscard]] std::optional<uint32_t> Find(std::string_view name) const;

  // Frees the name of slot `index`; when it returns the slot may be recycled.
  // REQUIRES: inserted, and removed by one thread only.
  void Remove(uint32_t index);

 private:
  struct Position {
    Atomic<uint64_t>* previous;        // the link that leads to `current`
    uint64_t current;                  // its value
    bool found;                        // current is the node looked for
    Atomic<uint64_t>* first_previous;  // the link before the first node of this hash
    uint64_t first;                    // its value
  };
  static constexpr uint64_t kIndexMask = 0xffffffff;
  static constexpr uint64_t kRemoved = uint64_t{1} << 32;
  static constexpr uint64_t kTagOne = uint64_t{1} << 33;

  [[nodiscard]] Atomic<uint64_t>& BucketOf(uint64_t hash) const { return buckets_[hash & mask_]; }
  static uint64_t BucketsFor(uint64_t names);
  static uint64_t Hash(std::string_view name);
  static uint64_t Retag(uint64_t old, uint64_t target) {
    return ((old & ~(kTagOne - 1)) + kTagOne) | (target & kIndexMask);
  }
  [[nodiscard]] NameLink& Node(uint64_t link) const {
    return link_(slots_, static_cast<uint32_t>(link & kIndexMask) - 1);
  }
  template <class Matches>
  [[nodiscard]] Position Search(uint64_t hash, Matches matches) const;
  template <class Matches>
  [[nodiscard]] bool TrySearch(uint64_t hash, Matches matches, Position& position) const;

  const uint64_t mask_;
  const LinkOf link_;
  void* const slots_;
  const ZeroArray<Atomic<uint64_t>> buckets_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NAME_INDEX_H_
