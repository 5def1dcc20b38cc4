#include "supervisor/rule_book.h"

#include <bit>
#include <cassert>
#include <cstdint>
#include <memory>
#include <utility>

namespace taskvisor::internal {
namespace {

bool Same(const BackoffPolicy::Options& a, const BackoffPolicy::Options& b) {
  return a.first == b.first && a.max == b.max && a.factor == b.factor && a.jitter == b.jitter &&
         a.floor == b.floor;
}

bool Same(const RuleSet& a, const TaskDefaults& b, bool async) {
  return a.async == async && a.restart == b.restart && a.timeout == b.timeout &&
         a.max_retries == b.max_retries && a.heartbeat == b.heartbeat && a.priority == b.priority &&
         a.cpu_time == b.cpu_time && Same(a.backoff.options(), b.backoff.options());
}

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;  // 2^64 over the golden ratio
  return hash ^ (hash >> 32);
}

uint64_t Hash(const TaskDefaults& rules) {
  const BackoffPolicy::Options& backoff = rules.backoff.options();
  uint64_t hash = Mix(0, static_cast<uint64_t>(rules.restart.kind()));
  hash = Mix(hash, static_cast<uint64_t>(rules.restart.interval().count()));
  hash = Mix(hash, static_cast<uint64_t>(rules.restart.floor().count()));
  hash = Mix(hash, static_cast<uint64_t>(rules.timeout.value_or(Duration(-1)).count()));
  hash = Mix(hash, rules.max_retries.value_or(0));
  hash = Mix(hash, static_cast<uint64_t>(rules.heartbeat.value_or(Duration(0)).count()));
  hash = Mix(hash, static_cast<uint64_t>(rules.priority) << 1 | uint64_t{rules.cpu_time});
  hash = Mix(hash, static_cast<uint64_t>(backoff.first.count()));
  hash = Mix(hash, static_cast<uint64_t>(backoff.max.count()));
  hash = Mix(hash, static_cast<uint64_t>(backoff.floor.count()));
  hash = Mix(hash, static_cast<uint64_t>(backoff.jitter));
  return Mix(hash, std::bit_cast<uint64_t>(backoff.factor));
}

}  // namespace

RuleBook::~RuleBook() {
  for (auto& set : sets_) delete set.load(std::memory_order_acquire);
}

const RuleSet* RuleBook::Find(const TaskDefaults& rules, bool async) {
  assert(!rules.deadline.has_value());
  // acquire here and below: pairs with the release of who put it there.
  const RuleSet* const last = last_.load(std::memory_order_acquire);
  if (last != nullptr && Same(*last, rules, async)) return last;
  const RuleSet* const found = Search(rules, async);
  if (found->kept == RuleSet::Kept::kInBook) last_.store(found, std::memory_order_release);
  return found;
}

const RuleSet* RuleBook::Search(const TaskDefaults& rules, bool async) {
  const uint64_t hash = Mix(Hash(rules), async ? 1 : 0);
  std::unique_ptr<RuleSet> fresh;
  for (size_t i = 0; i < kTries; ++i) {
    Atomic<const RuleSet*>& place = sets_[(hash + i) % kPlaces];
    const RuleSet* set = place.load(std::memory_order_acquire);
    if (set == nullptr) {
      if (fresh == nullptr) fresh = std::make_unique<RuleSet>(RuleSet{rules, async});
      if (place.compare_exchange_strong(set, fresh.get(), std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
        return fresh.release();
      }
    }
    if (Same(*set, rules, async)) return set;
  }
  if (fresh == nullptr) fresh = std::make_unique<RuleSet>(RuleSet{rules, async});
  fresh->kept = RuleSet::Kept::kOnHeap;
  return fresh.release();
}

}  // namespace taskvisor::internal
