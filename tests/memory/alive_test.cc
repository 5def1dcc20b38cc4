#include "supervisor/alive.h"

#include <gtest/gtest.h>

#include <new>
#include <string>

#include "tests/support/failing_memory.h"

namespace taskvisor::internal {
namespace {

using testing::FailingMemory;

constexpr uint64_t kTasks = 300;  // the tables grow several times

std::string NameOf(uint64_t task) {
  return "a name that no string has in place " + std::to_string(task);
}

AliveTracker::Fact FactOf(EventKind kind, uint64_t sequence, uint64_t task,
                          const std::string& name) {
  const bool by_name = task % 2 == 0;
  return {kind, sequence, by_name ? TaskId() : TaskId(task, 0), name};
}

// What each allocation that fails leaves behind is a tracker that works.
TEST(AliveTracker, SurvivesEachAllocationThatFails) {
  for (uint64_t n = 1, failures = 1; failures > 0; ++n) {
    AliveTracker tracker;
    failures = 0;
    uint64_t sequence = 0;
    for (uint64_t task = 1; task <= kTasks; ++task) {
      const std::string name = NameOf(task);
      try {
        const FailingMemory memory(n, FailingMemory::From::kOnce);
        try {
          tracker.Update(FactOf(EventKind::kTaskStarting, ++sequence, task, name));
        } catch (...) {
          failures += memory.failures();
          throw;
        }
      } catch (const std::bad_alloc&) {
        tracker.Update(FactOf(EventKind::kTaskStarting, ++sequence, task, name));
      }
    }
    ASSERT_EQ(tracker.Snapshot().size(), kTasks) << "allocation " << n;
    for (uint64_t task = 1; task <= kTasks; ++task) ASSERT_TRUE(tracker.IsAlive(NameOf(task)));
    for (uint64_t task = 1; task <= kTasks; ++task) {
      tracker.Update(FactOf(EventKind::kTaskRemoved, ++sequence, task, NameOf(task)));
    }
    ASSERT_EQ(tracker.size(), 0u) << "allocation " << n;
  }
}

}  // namespace
}  // namespace taskvisor::internal
