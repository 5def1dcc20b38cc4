#ifndef TASKVISOR_SUPERVISOR_ALIVE_H_
#define TASKVISOR_SUPERVISOR_ALIVE_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "taskvisor/event.h"

namespace taskvisor::internal {

// AliveTracker
//
// Which bodies run, as far as events tell: a cache for people, never asked by the
// supervision itself.
//
//   absent ── TaskStarting ──▶ alive ── stopped, failed, timeout, end ──▶ not alive
//      ▲                         ▲────────────── TaskStarting ───────────────┘  │
//      └──────────────────────────── TaskRemoved ───────────────────────────────┘
//
// Keyed by id, by name where an event has none. An event that is not newer than the
// last one of its key changes nothing.
//
// A lock is fine: one writer (the fan-out thread) and now and then a reader; no worker
// and no publisher comes here.
class AliveTracker {
 public:
  // What it needs of an event.
  struct Fact {
    EventKind kind;
    uint64_t sequence;
    TaskId id;              // not valid(): the name is the key
    std::string_view name;  // empty: called by its id
  };

  // Whether an id is registered. After lag its TaskRemoved may be lost: so who asks is told of live
  // ones only, and all others are dropped by Reconcile when there are too many.
  using IsLive = std::function<bool(TaskId)>;

  // Whether an event of this kind can change anything here.
  [[nodiscard]] static bool Cares(EventKind kind);

  // The writer's, for several facts: readers wait until it is gone. Nothing else of the tracker is
  // to be called by its thread meanwhile.
  class Batch {
   public:
    explicit Batch(AliveTracker& tracker) : tracker_(tracker), lock_(tracker.mutex_) {}
    bool Update(const Fact& fact) { return tracker_.Apply(fact); }
    void Reconcile(const IsLive& is_live) { tracker_.Drop(is_live); }
    [[nodiscard]] size_t size() const { return tracker_.Count(); }

   private:
    AliveTracker& tracker_;
    const std::lock_guard<std::mutex> lock_;
  };

  // True if the visible flag changed or an entry went away.
  bool Update(const Fact& fact) { return Batch(*this).Update(fact); }
  bool Update(const Event& event) {
    return Update({event.kind(), event.sequence, event.id().value_or(TaskId()), event.task()});
  }

  void Reconcile(const IsLive& is_live) { Batch(*this).Reconcile(is_live); }

  [[nodiscard]] size_t size() const {
    const std::lock_guard lock(mutex_);
    return Count();
  }

  // Names of the alive ones, sorted, each once.
  [[nodiscard]] std::vector<std::string> Snapshot(const IsLive& is_live = {}) const;
  [[nodiscard]] bool IsAlive(std::string_view name, const IsLive& is_live = {}) const;

 private:
  // Small: a task that waits for its next attempt keeps one.
  struct State {
    uint64_t sequence = 0;
    uint32_t slot = 0;  // of the id
    bool alive = false;
  };

  static bool Tells(uint64_t id, const State& state, const IsLive& is_live) {
    return state.alive && (is_live == nullptr || is_live(TaskId(id, state.slot)));
  }
  // What people call one that is alive.
  [[nodiscard]] std::string CalledBy(uint64_t id, const State& state) const;
  // REQUIRES, down to Count: the lock.
  bool Apply(const Fact& fact);
  void Drop(const IsLive& is_live);
  [[nodiscard]] size_t Count() const { return by_id_.size() + by_name_.size(); }

  mutable std::mutex mutex_;
  absl::flat_hash_map<uint64_t, State> by_id_;
  absl::flat_hash_map<uint64_t, std::string> names_;  // by id, of the alive ones in by_id_
  absl::flat_hash_map<std::string, State> by_name_;   // of events without an id
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ALIVE_H_
