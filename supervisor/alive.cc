#include "supervisor/alive.h"

#include <algorithm>
#include <utility>

namespace taskvisor::internal {
namespace {

enum class Effect : uint8_t { kIgnored, kAlive, kNotAlive, kGone };

Effect EffectOf(EventKind kind) {
  switch (kind) {
    case EventKind::kTaskStarting:
      return Effect::kAlive;
    case EventKind::kTaskStopped:
    case EventKind::kTaskFailed:
    case EventKind::kTimeoutHit:
    case EventKind::kActorExhausted:
    case EventKind::kActorDead:
      return Effect::kNotAlive;
    case EventKind::kTaskRemoved:
      return Effect::kGone;
    default:
      return Effect::kIgnored;
  }
}

// Room for one more. The table would be left broken by a growth that finds no memory; so it
// never grows: a larger one is made beside it, and takes its place once it is there.
template <class Tasks>
void MakeRoom(Tasks& tasks) {
  constexpr size_t kLeast = 63;
  // Up to this load the table makes room by its own means, without memory.
  if ((tasks.size() + 1) * 32 <= tasks.capacity() * 25) return;
  Tasks larger(std::max(kLeast, 2 * tasks.capacity() + 1));
  larger.merge(tasks);
  tasks = std::move(larger);
}

struct Applied {
  bool changed = false;  // the visible flag, or an entry went away
  bool alive = false;    // now
};

template <class Tasks, class Key>
Applied ApplyTo(Tasks& tasks, Key key, const AliveTracker::Fact& fact, Effect effect) {
  const auto found = tasks.find(key);
  const bool known = found != tasks.end();
  if (known && fact.sequence <= found->second.sequence) return {false, found->second.alive};
  if (effect == Effect::kGone) {
    if (known) tasks.erase(found);
    return {known, false};
  }
  if (!known) MakeRoom(tasks);
  auto& state = known ? found->second : tasks[std::move(key)];
  const bool alive = effect == Effect::kAlive;
  const bool was_alive = std::exchange(state.alive, alive);
  state.sequence = fact.sequence;
  state.slot = fact.id.slot();
  return {was_alive != alive, alive};
}

}  // namespace

bool AliveTracker::Cares(EventKind kind) { return EffectOf(kind) != Effect::kIgnored; }

bool AliveTracker::Apply(const Fact& fact) {
  const Effect effect = EffectOf(fact.kind);
  if (effect == Effect::kIgnored) return false;
  if (!fact.id.valid()) return ApplyTo(by_name_, std::string(fact.name), fact, effect).changed;
  const uint64_t id = fact.id.value();
  // First: without memory for it the fact is not applied.
  if (effect == Effect::kAlive && !fact.name.empty() && !names_.contains(id)) {
    std::string name(fact.name);
    MakeRoom(names_);
    names_.emplace(id, std::move(name));
  }
  const Applied applied = ApplyTo(by_id_, id, fact, effect);
  if (!applied.alive && !fact.name.empty()) names_.erase(id);
  return applied.changed;
}

void AliveTracker::Drop(const IsLive& is_live) {
  absl::erase_if(by_id_,
                 [&](const auto& task) { return !is_live(TaskId(task.first, task.second.slot)); });
  absl::erase_if(names_, [&](const auto& name) { return !by_id_.contains(name.first); });
}

std::string AliveTracker::CalledBy(uint64_t id, const State& state) const {
  const auto named = names_.find(id);
  return named != names_.end() ? named->second : TaskId(id, state.slot).ToString();
}

std::vector<std::string> AliveTracker::Snapshot(const IsLive& is_live) const {
  std::set<std::string> names;
  std::lock_guard lock(mutex_);
  for (const auto& [id, state] : by_id_) {
    if (Tells(id, state, is_live)) names.insert(CalledBy(id, state));
  }
  for (const auto& [name, state] : by_name_) {
    if (state.alive) names.insert(name);
  }
  return {names.begin(), names.end()};
}

bool AliveTracker::IsAlive(std::string_view name, const IsLive& is_live) const {
  std::lock_guard lock(mutex_);
  const auto by_name = by_name_.find(std::string(name));
  if (by_name != by_name_.end() && by_name->second.alive) return true;
  return std::any_of(by_id_.begin(), by_id_.end(), [&](const auto& task) {
    const auto& [id, state] = task;
    return Tells(id, state, is_live) && CalledBy(id, state) == name;
  });
}

}  // namespace taskvisor::internal
