#include "supervisor/name_index.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "sched/prefetch.h"

namespace taskvisor::internal {
namespace {

// See NameIndex: the link.
constexpr uint64_t kNextMask = 0xffffffff;
constexpr uint64_t kCell = uint64_t{1} << 31;
constexpr uint64_t kRemoved = uint64_t{1} << 32;
constexpr uint64_t kListed = uint64_t{1} << 33;
constexpr uint64_t kTagOne = uint64_t{1} << 34;

uint64_t TargetOfSlot(uint32_t index) { return uint64_t{index} + 1; }
uint32_t SlotOfLink(uint64_t link) { return static_cast<uint32_t>(link & kNextMask) - 1; }
uint64_t TargetOfCell(uint32_t cell) { return kCell | cell; }
bool LeadsToCell(uint64_t link) { return (link & kCell) != 0; }
uint32_t CellOfLink(uint64_t link) { return static_cast<uint32_t>(link & (kCell - 1)); }

// The link `old`, led to where `target` does.
uint64_t Retag(uint64_t old, uint64_t target) {
  return ((old & ~(kTagOne - 1)) + kTagOne) | (old & kListed) | (target & kNextMask);
}

uint64_t Reversed(uint64_t bits) {
  const auto swap = [&](uint64_t mask, int by) {
    bits = (bits >> by & mask) | (bits & mask) << by;
  };
  swap(0x5555555555555555, 1);
  swap(0x3333333333333333, 2);
  swap(0x0f0f0f0f0f0f0f0f, 4);
  return __builtin_bswap64(bits);
}

// By which the list is sorted. A cell lies before the names whose hashes end with its number.
uint64_t KeyOfHash(uint64_t hash) { return Reversed(hash) | 1; }
uint64_t KeyOfCell(uint32_t cell) { return Reversed(cell); }

// The cell that it is taken out of: without the highest bit.
uint32_t ParentOf(uint32_t cell) { return cell - std::bit_floor(cell); }

uint32_t CellsFor(uint64_t names) {
  return static_cast<uint32_t>(
      std::bit_ceil(std::clamp<uint64_t>(2 * names, 64, uint64_t{1} << 23)));
}

}  // namespace

NameIndex::NameIndex(uint64_t expected, LinkOf link, void* slots, Growth growth)
    : last_(CellsFor(expected) - 1),
      crowd_(growth.crowd),
      link_(link),
      slots_(slots),
      mask_(std::min(growth.first - 1, last_)),
      cells_(last_ + uint64_t{1}) {
  cells_[0].store(kTagOne | kListed, std::memory_order_relaxed);  // nobody else is here yet
}

// Names that are counted up differ in their last byte, mostly: such neighbours have cells beside
// each other, so that who calls for one has called for all. Which 16 cells these are is the stem's
// and the higher half of the byte's; their order in there is another one for each stem.
uint64_t NameIndex::Hash(std::string_view name) {
  if (name.empty()) return 0;
  constexpr uint64_t kSpread = 0x9e3779b97f4a7c10u;  // its last four bits are 0
  const auto last = static_cast<uint8_t>(name.back());
  const uint64_t stem = std::hash<std::string_view>{}(name.substr(0, name.size() - 1));
  return stem ^ (last & 15) ^ (last >> 4) * kSpread;
}

// relaxed: any number of cells is as good, the latest is the fastest.
uint32_t NameIndex::CellOf(uint64_t hash) const {
  return static_cast<uint32_t>(hash & mask_.load(std::memory_order_relaxed));
}

// The cell, or one before it.
NameIndex::Link& NameIndex::Begin(uint32_t cell) const {
  for (;; cell = ParentOf(cell)) {
    Link& link = cells_[cell];
    uint64_t seen = link.load(std::memory_order_acquire);
    if (seen == 0) {
      TakeToList(cell);
      seen = link.load(std::memory_order_acquire);
    }
    if ((seen & kListed) != 0) return link;
  }
}

void NameIndex::TakeToList(uint32_t cell) const {
  Link& link = cells_[cell];
  uint64_t own = 0;
  // acq_rel: as each change of a link. Another thread does it, or has done (N4).
  if (!link.compare_exchange_strong(own, kTagOne, std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
    return;
  }
  own = kTagOne;
  while (true) {
    Position at =
        Search(ParentOf(cell), KeyOfCell(cell), [](uint64_t, const NameLink&) { return false; });
    own = Retag(own, at.first);
    link.store(own, std::memory_order_release);
    if (at.first_previous->compare_exchange_strong(at.first, Retag(at.first, TargetOfCell(cell)),
                                                   std::memory_order_acq_rel,
                                                   std::memory_order_acquire)) {
      break;
    }
  }
  // Others may have changed where it leads meanwhile. release: who begins here comes to the list.
  link.fetch_or(kListed, std::memory_order_release);
}

// One walk. False: something moved under it; walk again. Unlinks removed names it
// meets, as N2 asks.
template <class Matches>
bool NameIndex::TrySearch(uint32_t from, uint64_t key, Matches matches, Position& at) const {
  Link* previous = &Begin(from);
  uint64_t current = previous->load(std::memory_order_acquire);
  at = {};
  while ((current & kNextMask) != 0) {
    if (LeadsToCell(current)) {
      const uint32_t cell = CellOfLink(current);
      if (KeyOfCell(cell) > key) break;
      previous = &cells_[cell];
      current = previous->load(std::memory_order_acquire);
      continue;
    }
    NameLink& node = link_(slots_, SlotOfLink(current));
    const uint64_t next = node.next.load(std::memory_order_acquire);
    const uint64_t node_key = KeyOfHash(node.hash.load(std::memory_order_acquire));
    const bool match = node_key == key && matches(current, node);
    // All loads above are acquires, so this one is not done before them: if the link
    // still holds `current`, tag and all, they were of a node in its place (N1).
    if (previous->load(std::memory_order_acquire) != current) return false;
    if ((next & kRemoved) != 0) {
      const uint64_t unlinked = Retag(current, next);
      if (!previous->compare_exchange_strong(current, unlinked, std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
        return false;
      }
      current = unlinked;
      continue;
    }
    if (node_key >= key && at.first_previous == nullptr) {
      at.first_previous = previous;
      at.first = current;
    }
    at.found = match;
    if (match || node_key > key) break;
    if (node_key < key && node_key > KeyOfCell(from)) ++at.passed;
    previous = &node.next;
    current = next;
  }
  at.previous = previous;
  at.current = current;
  if (at.first_previous == nullptr) {
    at.first_previous = previous;
    at.first = current;
  }
  return true;
}

template <class Matches>
NameIndex::Position NameIndex::Search(uint32_t cell, uint64_t key, Matches matches) const {
  Position at;
  while (!TrySearch(cell, key, matches, at)) {
  }
  return at;
}

template <class Matches>
NameIndex::Position NameIndex::SearchName(uint64_t hash, Matches matches) const {
  return Search(CellOf(hash), KeyOfHash(hash), matches);
}

void NameIndex::CallForCellOf(uint64_t hash) const {
  const uint32_t cell = CellOf(hash);
  PrefetchForWrite(&cells_[cell]);
  PrefetchForWrite(&cells_[ParentOf(cell)]);  // if it is not in the list yet, it is taken there
}

void NameIndex::Prepare(uint32_t index, std::string_view name) {
  const uint64_t hash = Hash(name);
  link_(slots_, index).hash.store(hash, std::memory_order_release);
  CallForCellOf(hash);
}

void NameIndex::CallFor(std::string_view name) const { CallForCellOf(Hash(name)); }

void NameIndex::CallFor(uint32_t index) const {
  // relaxed: the caller has it from who inserted.
  CallForCellOf(link_(slots_, index).hash.load(std::memory_order_relaxed));
}

bool NameIndex::Insert(uint32_t index, std::string_view name) {
  NameLink& node = link_(slots_, index);
  const uint64_t hash = node.hash.load(std::memory_order_relaxed);  // its own
  while (true) {
    const uint32_t mask = mask_.load(std::memory_order_relaxed);  // before the walk: see GrowFrom
    Position at =
        SearchName(hash, [&](uint64_t, const NameLink& other) { return other.name.Equals(name); });
    if (at.found) return false;
    if (at.passed >= crowd_) GrowFrom(mask);
    // release: a walker that follows an old link into this recycled node sees the hash
    // and name that belong to its new place.
    const uint64_t old = node.next.load(std::memory_order_relaxed);
    node.next.store(Retag(old, at.first), std::memory_order_release);
    // If a node of this name was added since the walk, it was added at this very link
    // (N3), and the CAS fails.
    if (at.first_previous->compare_exchange_strong(at.first, Retag(at.first, TargetOfSlot(index)),
                                                   std::memory_order_acq_rel,
                                                   std::memory_order_acquire)) {
      return true;
    }
  }
}

// Once, whoever sees the crowd first; not if there are more cells meanwhile.
void NameIndex::GrowFrom(uint32_t mask) {
  // relaxed: a number, no more.
  if (mask < last_) {
    mask_.compare_exchange_strong(mask, 2 * mask + 1, std::memory_order_relaxed,
                                  std::memory_order_relaxed);
  }
}

std::optional<uint32_t> NameIndex::Find(std::string_view name) const {
  const Position at = SearchName(
      Hash(name), [&](uint64_t, const NameLink& node) { return node.name.Equals(name); });
  return at.found ? std::optional(SlotOfLink(at.current)) : std::nullopt;
}

void NameIndex::Remove(uint32_t index) {
  NameLink& node = link_(slots_, index);
  // relaxed: the caller has it from who inserted.
  const uint64_t hash = node.hash.load(std::memory_order_relaxed);
  static_cast<void>(UpdateIf(
      node.next, [](uint64_t) { return true; },
      [](uint64_t next) { return Retag(next, next) | kRemoved; }));
  // A walk past the node unlinks it, whoever does it.
  static_cast<void>(
      SearchName(hash, [&](uint64_t link, const NameLink&) { return SlotOfLink(link) == index; }));
}

}  // namespace taskvisor::internal
