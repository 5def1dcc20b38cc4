// The list of a registry's tasks.

#include <algorithm>
#include <utility>

#include "supervisor/registry.h"

namespace taskvisor::internal {
namespace {

TaskPhase PhaseOf(Snapshot s) {
  if (s.abandoned()) return TaskPhase::kStuck;
  if (s.stopped() || s.Is(Phase::kFinishing)) return TaskPhase::kStopping;
  switch (s.phase()) {
    case Phase::kWaiting:
    case Phase::kStalled:
      return TaskPhase::kWaiting;
    case Phase::kSuspended:
      return TaskPhase::kSuspended;
    case Phase::kResuming:
    case Phase::kRunning:
    case Phase::kSettling:
      return TaskPhase::kRunning;
    case Phase::kDelaying:
      return TaskPhase::kDelaying;
    default:
      return TaskPhase::kQueued;
  }
}

// A child that `parents` does not know has ended since it was seen: it is no task any more.
void AddParents(std::vector<TaskInfo>& tasks, std::vector<uint64_t>& children,
                const Registry::ParentMap& parents) {
  std::sort(children.begin(), children.end());
  std::erase_if(tasks, [&](TaskInfo& task) {
    if (!std::binary_search(children.begin(), children.end(), task.id.value())) return false;
    const auto parent = parents.find(task.id.value());
    if (parent == parents.end()) return true;
    task.parent = parent->second;
    return false;
  });
}

}  // namespace

std::vector<TaskInfo> Registry::List(absl::FunctionRef<ParentMap()> parents_now) const {
  std::vector<TaskInfo> tasks;
  std::vector<uint64_t> children;
  ForEach([&](Entry& entry, Snapshot) {
    TaskInfo info;
    bool child = false;
    const bool held = ReadTask(entry, [&](Snapshot seen) {
      child = entry.Tells(Entry::kChild);
      info.id = entry.Id();
      info.name = NameOf(entry, info.id);
      info.phase = PhaseOf(seen);
      info.attempt = entry.attempts().load(std::memory_order_acquire);
    });
    if (!held || !info.id.valid()) return;
    if (child) children.push_back(info.id.value());
    tasks.push_back(std::move(info));
  });
  if (!children.empty()) AddParents(tasks, children, parents_now());
  std::sort(tasks.begin(), tasks.end(),
            [](const TaskInfo& a, const TaskInfo& b) { return a.id < b.id; });
  return tasks;
}

}  // namespace taskvisor::internal
