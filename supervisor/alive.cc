#include "supervisor/alive.h"

#include <algorithm>

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

}  // namespace

bool AliveTracker::Cares(EventKind kind) { return EffectOf(kind) != Effect::kIgnored; }

bool AliveTracker::Update(const Event& event) {
  const Effect effect = EffectOf(event.kind());
  if (effect == Effect::kIgnored) return false;
  const TaskId id = event.id().value_or(TaskId());
  Key key{id.value(), {}};
  if (key.id == 0) key.name = event.task();
  std::lock_guard lock(mutex_);
  const auto found = tasks_.find(key);
  if (found != tasks_.end() && event.sequence <= found->second.sequence) return false;
  if (effect == Effect::kGone) {
    if (found == tasks_.end()) return false;
    tasks_.erase(found);
    return true;
  }
  State& state = found != tasks_.end() ? found->second : tasks_[key];
  if (state.name.empty()) state.name = event.task();
  state.sequence = event.sequence;
  state.slot = id.slot();
  const bool alive = effect == Effect::kAlive;
  const bool changed = state.alive != alive;
  state.alive = alive;
  return changed;
}

void AliveTracker::Reconcile(const std::function<bool(TaskId)>& is_live) {
  std::lock_guard lock(mutex_);
  std::erase_if(tasks_, [&](const auto& task) {
    return task.first.id != 0 && !is_live(TaskId(task.first.id, task.second.slot));
  });
}

size_t AliveTracker::size() const {
  std::lock_guard lock(mutex_);
  return tasks_.size();
}

std::vector<std::string> AliveTracker::Snapshot() const {
  std::set<std::string> names;
  std::lock_guard lock(mutex_);
  for (const auto& [key, state] : tasks_) {
    if (state.alive) names.insert(state.name);
  }
  return {names.begin(), names.end()};
}

bool AliveTracker::IsAlive(std::string_view name) const {
  std::lock_guard lock(mutex_);
  return std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& task) {
    return task.second.alive && task.second.name == name;
  });
}

}  // namespace taskvisor::internal
