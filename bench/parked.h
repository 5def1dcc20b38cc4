#ifndef TASKVISOR_BENCH_PARKED_H_
#define TASKVISOR_BENCH_PARKED_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bench/running_supervisor.h"

namespace taskvisor::bench {

// A parked task has run once and waits an hour for its next turn.
inline constexpr Duration kLong = std::chrono::hours(1);
// Requested, added, starting, stopped.
inline constexpr uint64_t kEventsOfParking = 4;

inline TaskSpec ParkedSpec(uint64_t) { return TaskSpec::Periodic(kLong, Body); }
inline TaskSpec NamedParkedSpec(uint64_t i) {
  return TaskSpec::Periodic("parked-" + std::to_string(i), kLong, Body);
}

inline bool AllDelaying(const SupervisorHandle& handle) {
  const std::vector<TaskInfo> tasks = handle.List();
  return std::all_of(tasks.begin(), tasks.end(),
                     [](const TaskInfo& task) { return task.phase == TaskPhase::kDelaying; });
}

// Adds spec(0) to spec(count - 1) and waits until they have run. Ids go to `ids`, if given.
template <class Spec>
void AddToPark(const SupervisorHandle& handle, uint64_t count, Spec spec, TaskTotals& totals,
               std::vector<TaskId>* ids = nullptr) {
  const uint64_t ran = Tally::Total();
  for (uint64_t i = 0; i < count; ++i) {
    const auto id = handle.Add(spec(i));
    if (!id.ok()) return totals.Fail("a task was refused: " + id.status().ToString());
    if (ids != nullptr) ids->push_back(*id);
  }
  totals.ExpectBodies(count);
  totals.ExpectEvents(count * kEventsOfParking);
  while (Tally::Total() < ran + count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// The same, and until all tasks of the supervisor are parked.
template <class Spec>
std::vector<TaskId> Park(const SupervisorHandle& handle, uint64_t count, Spec spec,
                         TaskTotals& totals) {
  std::vector<TaskId> ids;
  ids.reserve(count);
  AddToPark(handle, count, spec, totals, &ids);
  while (!totals.failed() && !AllDelaying(handle)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ids;
}

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_PARKED_H_
