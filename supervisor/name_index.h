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
  Atomic<uint64_t> next{0};  // see NameIndex
  Atomic<uint64_t> hash{0};
  [[no_unique_address]] Name name;
};

#ifndef TASKVISOR_MODEL_ATOMIC
static_assert(sizeof(NameLink) == kCacheLine, "a name of up to 32 bytes is one line");
#endif

// NameIndex
//
// Names to slots: one lock-free list of all names, sorted by their hashes' bits from the last to
// the first, and an array of cells in that list, to begin a walk at (M. Michael, "High performance
// dynamic lock-free hash tables and list-based sets", SPAA 2002; O. Shalev and N. Shavit,
// "Split-ordered lists", PODC 2003). While 4 cells are in use:
//
//   [0] ─▶ name 1000 ─▶ [2] ─▶ name 0010 ─▶ name 1010 ─▶ [1] ─▶ [3] ─▶ name 0111 ─▶ end
//
// A name's walk begins at the cell whose number its hash ends with. When there are twice as many,
// cell 6 goes to where the names begin that end with 110, behind those that end with 010: nothing
// else moves. So few names have few cells, and these stay in the caches, whatever the index is made
// for. A cell gets there when it is needed first; while another thread takes it there, who needs it
// begins at the cell without its highest bit, which lies before it.
//
// Names are slots of a slab and cells are for good: their memory never goes away, so no
// reclamation scheme is needed; what a slot is may change under a reader, and the tags catch that.
//
// Link:  | tag : 30 | listed : 1 | removed : 1 | cell : 1 | index : 31 |
//   cell, index   what comes next: a cell, or the slot index - 1; 0 without the bit: the end
//   removed       the name of this link is free
//   listed        this is the link of a cell that is in the list
//
// Invariants
//   N1  every change of where a link leads raises its tag, and tags are never reset: a CAS on a
//       value read earlier fails if anything happened to that link since (but exactly 2^30 changes)
//   N2  a name is removed by marking its own link (that is the moment it becomes free), then
//       unlinked by whoever passes; its slot is recycled only after it is unlinked
//   N3  names of one key stand together, a new one goes in front of them, so two inserters of one
//       name always compete for the same link
//   N4  who makes a cell's link other than 0 takes it to the list, alone; it stays there
//
// Progress: Insert, Find, Remove are lock-free. Memory order: what the inserter did
// before Insert is visible to who finds the name.
class NameIndex {
 public:
  // link(i) returns slot i's NameLink&.
  using LinkOf = NameLink& (*)(void* slots, uint32_t index);

  // How many cells are in use at first (a power of two), and when there become twice as many: when
  // a name goes in behind so many others that are none of its key.
  struct Growth {
    uint32_t first = 1024;
    uint32_t crowd = 4;
  };

  // `expected`: of so many names most are alone between two cells.
  NameIndex(uint64_t expected, LinkOf link, void* slots, Growth growth);
  NameIndex(uint64_t expected, LinkOf link, void* slots)
      : NameIndex(expected, link, slots, Growth()) {}

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

  // How many are in use.
  [[nodiscard]] uint32_t cells() const { return mask_.load(std::memory_order_relaxed) + 1; }

 private:
  using Link = Atomic<uint64_t>;
  struct Position {
    Link* previous = nullptr;        // the link that leads to `current`
    uint64_t current = 0;            // its value
    bool found = false;              // current is what was looked for
    Link* first_previous = nullptr;  // the link that leads to the first of this key, or behind
    uint64_t first = 0;              // its value
    uint32_t passed = 0;             // names of other keys, behind the cell it was to begin at
  };

  static uint64_t Hash(std::string_view name);
  [[nodiscard]] uint32_t CellOf(uint64_t hash) const;
  void CallForCellOf(uint64_t hash) const;
  [[nodiscard]] Link& Begin(uint32_t cell) const;
  void TakeToList(uint32_t cell) const;
  template <class Matches>
  [[nodiscard]] Position Search(uint32_t cell, uint64_t key, Matches matches) const;
  template <class Matches>
  [[nodiscard]] Position SearchName(uint64_t hash, Matches matches) const;
  template <class Matches>
  [[nodiscard]] bool TrySearch(uint32_t from, uint64_t key, Matches matches, Position& at) const;
  void GrowFrom(uint32_t mask);

  const uint32_t last_;  // the highest number of a cell
  const uint32_t crowd_;
  const LinkOf link_;
  void* const slots_;
  Atomic<uint32_t> mask_;  // the highest number of those in use; it grows
  const ZeroArray<Link> cells_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NAME_INDEX_H_
