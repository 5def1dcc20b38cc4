#ifndef TASKVISOR_SUPERVISOR_ALIVE_H_
#define TASKVISOR_SUPERVISOR_ALIVE_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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
  // True if the visible flag changed or an entry went away.
  bool Update(const Event& event);

  // Whether an event of this kind can change anything here.
  [[nodiscard]] static bool Cares(EventKind kind);

  // Drops the ids that are not live: after lag, their TaskRemoved may be lost.
  void Reconcile(const std::function<bool(TaskId)>& is_live);

  [[nodiscard]] size_t size() const;

  // Names of the alive ones, sorted, each once.
  [[nodiscard]] std::vector<std::string> Snapshot() const;
  [[nodiscard]] bool IsAlive(std::string_view name) const;

 private:
  struct Key {
    uint64_t id = 0;
    std::string name;  // only where id is 0
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const {
      return key.id != 0 ? std::hash<uint64_t>{}(key.id) : std::hash<std::string>{}(key.name);
    }
  };
  struct State {
    std::string name;
    uint64_t sequence = 0;
    uint32_t slot = 0;  // of the id
    bool alive = false;
  };

  mutable std::mutex mutex_;
  std::unordered_map<Key, State, Hash> tasks_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ALIVE_H_
