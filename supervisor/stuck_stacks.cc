#include "supervisor/stuck_stacks.h"

#include <algorithm>
#include <exception>

#include "supervisor/body_stack.h"
#include "supervisor/entry.h"
#include "supervisor/registry.h"

namespace taskvisor::internal {

StuckStacks::StuckStacks(const Registry& registry, Duration limit) {
  try {
    std::vector<int32_t> threads;
    registry.ForEach([&](const Entry& entry, Snapshot seen) {
      if (!seen.Is(Phase::kRunning) || !seen.stopped()) return;
      bodies_.push_back({entry.Id(), seen.epoch()});
      threads.push_back(entry.thread.load(std::memory_order_acquire));
    });
    stacks_ = BodyStacks(threads, limit);
  } catch (const std::exception&) {  // no memory: they are to be given up all the same
    bodies_.clear();
  }
}

template <class Match>
std::string StuckStacks::Find(Match match) const {
  const auto body = std::find_if(bodies_.begin(), bodies_.end(), match);
  if (body == bodies_.end()) return "(no stack: its body was on no thread)";
  return stacks_[static_cast<size_t>(body - bodies_.begin())];
}

std::string StuckStacks::Of(const Entry& entry, Snapshot seen) const {
  return Find([id = entry.Id(), epoch = seen.epoch()](const Body& body) {
    return body.id == id && body.epoch == epoch;
  });
}

std::string StuckStacks::Of(TaskId id) const {
  return Find([=](const Body& body) { return body.id == id; });
}

}  // namespace taskvisor::internal
