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

template <class Tasks, class Key>
bool Apply(Tasks& tasks, Key key, const AliveTracker::Fact& fact, Effect effect) {
  const auto found = tasks.find(key);
  if (found != tasks.end() && fact.sequence <= found->second.sequence) return false;
  if (effect == Effect::kGone) {
    if (found == tasks.end()) return false;
    tasks.erase(found);
    return true;
  }
  if (found == tasks.end()) MakeRoom(tasks);
  auto& state = found != tasks.end() ? found->second : tasks[std::move(key)];
  if (state.name.empty()) state.name = fact.name;
  state.sequence = fact.sequence;
  state.slot = fact.id.slot();
  const bool alive = effect == Effect::kAlive;
  return std::exchange(state.alive, alive) != alive;
}

}  // namespace

bool AliveTracker::Cares(EventKind kind) { return EffectOf(kind) != Effect::kIgnored; }

bool AliveTracker::Update(const Fact& fact) {
  const Effect effect = EffectOf(fact.kind);
  if (effect == Effect::kIgnored) return false;
  std::lock_guard lock(mutex_);
  return fact.id.valid() ? Apply(by_id_, fact.id.value(), fact, effect)
                         : Apply(by_name_, std::string(fact.name), fact, effect);
}

void AliveTracker::Reconcile(const IsLive& is_live) {
  std::lock_guard lock(mutex_);
  absl::erase_if(by_id_,
                 [&](const auto& task) { return !is_live(TaskId(task.first, task.second.slot)); });
}

size_t AliveTracker::size() const {
  std::lock_guard lock(mutex_);
  return by_id_.size() + by_name_.size();
}

std::vector<std::string> AliveTracker::Snapshot(const IsLive& is_live) const {
  std::set<std::string> names;
  std::lock_guard lock(mutex_);
  for (const auto& [id, state] : by_id_) {
    if (!state.IsAlive(id, is_live)) continue;
    names.insert(state.name.empty() ? TaskId(id, state.slot).ToString() : state.name);
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
    if (!state.IsAlive(id, is_live)) return false;
    return state.name.empty() ? TaskId(id, state.slot).ToString() == name : state.name == name;
  });
}

}  // namespace taskvisor::internal
