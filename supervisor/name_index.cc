#include "supervisor/name_index.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "sched/prefetch.h"

namespace taskvisor::internal {

uint64_t NameIndex::BucketsFor(uint64_t names) {
  // Half as many names as buckets at most: most are alone in theirs, and nobody's line is touched
  // but their own.
  return std::bit_ceil(std::clamp<uint64_t>(2 * names, 64, uint64_t{1} << 23));
}

uint64_t NameIndex::Hash(std::string_view name) { return std::hash<std::string_view>{}(name); }

// One walk. False: something moved under it; walk again. Unlinks removed nodes it
// meets, as N2 asks.
template <class Matches>
bool NameIndex::TrySearch(uint64_t hash, Matches matches, Position& position) const {
  Atomic<uint64_t>* previous = &BucketOf(hash);
  uint64_t current = previous->load(std::memory_order_acquire);
  position = {previous, current, false, nullptr, 0};
  while ((current & kIndexMask) != 0) {
    NameLink& node = Node(current);
    const uint64_t next = node.next.load(std::memory_order_acquire);
    const uint64_t node_hash = node.hash.load(std::memory_order_acquire);
    const bool match = node_hash == hash && matches(current, node);
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
    if (node_hash >= hash && position.first_previous == nullptr) {
      position.first_previous = previous;
      position.first = current;
    }
    if (match || node_hash > hash) {
      position.previous = previous;
      position.current = current;
      position.found = match;
      return true;
    }
    previous = &node.next;
    current = next;
  }
  position.previous = previous;
  position.current = current;
  return true;
}

template <class Matches>
NameIndex::Position NameIndex::Search(uint64_t hash, Matches matches) const {
  Position position{};
  while (!TrySearch(hash, matches, position)) {
  }
  if (position.first_previous == nullptr) {
    position.first_previous = position.previous;
    position.first = position.current;
  }
  return position;
}

void NameIndex::Prepare(uint32_t index, std::string_view name) {
  const uint64_t hash = Hash(name);
  link_(slots_, index).hash.store(hash, std::memory_order_release);
  PrefetchForWrite(&BucketOf(hash));
}

void NameIndex::CallFor(std::string_view name) const { PrefetchForWrite(&BucketOf(Hash(name))); }

void NameIndex::CallFor(uint32_t index) const {
  // relaxed: the caller has it from who inserted.
  PrefetchForWrite(&BucketOf(link_(slots_, index).hash.load(std::memory_order_relaxed)));
}

bool NameIndex::Insert(uint32_t index, std::string_view name) {
  NameLink& node = link_(slots_, index);
  const uint64_t hash = node.hash.load(std::memory_order_relaxed);  // its own
  while (true) {
    Position at =
        Search(hash, [&](uint64_t, const NameLink& other) { return other.name.Equals(name); });
    if (at.found) return false;
    // release: a walker that follows an old link into this recycled node sees the hash
    // and name that belong to its new place.
    const uint64_t old = node.next.load(std::memory_order_relaxed);
    node.next.store(Retag(old, at.first), std::memory_order_release);
    // If a node of this name was added since the walk, it was added at this very link
    // (N3), and the CAS fails.
    if (at.first_previous->compare_exchange_strong(at.first, Retag(at.first, index + 1),
                                                   std::memory_order_acq_rel,
                                                   std::memory_order_acquire)) {
      return true;
    }
  }
}

std::optional<uint32_t> NameIndex::Find(std::string_view name) const {
  const Position at =
      Search(Hash(name), [&](uint64_t, const NameLink& node) { return node.name.Equals(name); });
  if (!at.found) return std::nullopt;
  return static_cast<uint32_t>(at.current & kIndexMask) - 1;
}

void NameIndex::Remove(uint32_t index) {
  NameLink& node = link_(slots_, index);
  // relaxed: the caller has it from who inserted.
  const uint64_t hash = node.hash.load(std::memory_order_relaxed);
  static_cast<void>(UpdateIf(
      node.next, [](uint64_t) { return true; },
      [](uint64_t next) { return Retag(next, next) | kRemoved; }));
  // A walk past the node unlinks it, whoever does it.
  static_cast<void>(Search(hash, [&](uint64_t link, const NameLink&) {
    return (link & kIndexMask) == uint64_t{index} + 1;
  }));
}

}  // namespace taskvisor::internal
