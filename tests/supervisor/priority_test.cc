#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

// The names of bodies in the order in which they began.
class Order {
 public:
  auto Body(std::string name) {
    return [this, name] {
      std::lock_guard lock(mutex_);
      names_ += name;
    };
  }
  std::string names() {
    std::lock_guard lock(mutex_);
    return names_;
  }

 private:
  std::mutex mutex_;
  std::string names_;
};

TaskSpec Of(Order& order, const std::string& name, Priority priority) {
  return TaskSpec::Once(order.Body(name)).WithPriority(priority);
}

TEST(TaskPriority, OnOneWorkerHigherClassesBeginFirstAlsoInABatch) {
  Harness harness({.workers = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  Order order;
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  std::vector<TaskSpec> batch;
  for (const auto p : {Priority::kLow, Priority::kLow, Priority::kHigh, Priority::kNormal}) {
    batch.push_back(Of(order, std::string(1, "hnl"[static_cast<size_t>(p)]), p));
  }
  ASSERT_TRUE(handle.AddBatch(std::move(batch)).ok());
  ASSERT_TRUE(handle.Add(Of(order, "H", Priority::kHigh)).ok());
  held.LetGo();
  EXPECT_TRUE(Eventually([&] { return handle.Stats().tasks == 0; }));
  EXPECT_EQ(order.names(), "hHnll");
}

TEST(TaskPriority, WithOnePermitHigherClassesGetItFirst) {
  Harness harness({.workers = 4, .max_concurrent = 1});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  Order order;
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(handle.Add(Of(order, "l", Priority::kLow)).ok());
  ASSERT_TRUE(Eventually([&] { return handle.Stats().permits == -50; }));
  ASSERT_TRUE(handle.Add(Of(order, "H", Priority::kHigh)).ok());
  ASSERT_TRUE(Eventually([&] { return handle.Stats().permits == -51; }));
  held.LetGo();
  EXPECT_TRUE(Eventually([&] { return handle.Stats().tasks == 0; }));
  EXPECT_EQ(order.names(), "H" + std::string(50, 'l'));
}

TEST(TaskPriority, IsKeptAfterARetryAndAfterADelay) {
  Harness harness({.workers = 1});
  const SupervisorHandle handle = harness.Serve();
  Order order;
  const auto twice = [&](const std::string& name) {
    return [&order, name](TaskContext& context) {
      if (context.attempt() == 1) return Fail("again");
      order.Body(name)();
      return Ok();
    };
  };
  const BackoffPolicy soon = BackoffPolicy::Constant(10ms);
  for (const auto& [name, priority] : {std::pair{"l", Priority::kLow}, {"H", Priority::kHigh}}) {
    ASSERT_TRUE(
        handle
            .Add(TaskSpec::Restartable(name, twice(name)).WithBackoff(soon).WithPriority(priority))
            .ok());
  }
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kBackoffScheduled), 2).has_value());
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  harness.Advance(10ms);
  const auto queued = [&] {
    for (const TaskInfo& task : handle.List()) {
      if (task.phase == TaskPhase::kDelaying) return false;
    }
    return true;
  };
  ASSERT_TRUE(Eventually(queued));
  held.LetGo();
  EXPECT_TRUE(Eventually([&] { return handle.Stats().tasks == 0; }));
  EXPECT_EQ(order.names(), "Hl");
}

TEST(TaskPriority, IsInheritedUnlessStatedAndExplicitIsNormal) {
  TaskDefaults defaults;
  EXPECT_EQ(defaults.priority, Priority::kNormal);
  defaults.priority = Priority::kLow;
  const auto body = [] {};
  EXPECT_EQ(TaskSpec::Once(body).Resolve(defaults).priority, Priority::kLow);
  EXPECT_EQ(TaskSpec::Once(body).priority(), std::nullopt);
  EXPECT_EQ(TaskSpec::Once(body).WithPriority(Priority::kNormal).Resolve(defaults).priority,
            Priority::kNormal);
  const auto spec = TaskSpec::Explicit("x", RestartPolicy::Never(), {}, std::nullopt, body);
  EXPECT_EQ(spec.Resolve(defaults).priority, Priority::kNormal);
}

TEST(TaskPriority, ANumberThatIsNoneIsRefusedWithTheNameOfTheField) {
  const auto none = static_cast<Priority>(3);
  TaskDefaults defaults;
  defaults.priority = none;
  const auto refused = Supervisor::Create({.task_defaults = defaults});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.status().ToString().find("task_defaults.priority"), std::string::npos);
  Harness harness;
  const auto added = harness.Serve().Add(TaskSpec::Once([] {}).WithPriority(none));
  EXPECT_EQ(added.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(added.status().ToString().find("priority"), std::string::npos);
}

// Slots are recycled: a task does not inherit what the last one in its slot was. Which of the
// pool's seats has run how many of them is not known here, so neither is the turn at which the
// last round begins; but any 16 turns in a row are 12 high, 3 normal and 1 low.
TEST(TaskPriority, OfATaskThatHasEndedIsForgotten) {
  constexpr int kOfEach = 16;
  Harness harness({.workers = 1, .max_tasks = 1 + 3 * kOfEach});
  const SupervisorHandle handle = harness.Serve();
  for (int round = 0; round < 4; ++round) {  // each fills all slots, the last one differently
    HeldBody held;
    Order order;
    ASSERT_TRUE(handle.Add(TaskSpec::Once(held.Body())).ok());
    ASSERT_TRUE(held.Inside());
    for (int i = 0; i < 3 * kOfEach; ++i) {
      const int p = round < 3 ? (i + round) % 3 : i / kOfEach;
      ASSERT_TRUE(handle.Add(Of(order, std::string(1, "Hnl"[p]), static_cast<Priority>(p))).ok());
    }
    held.LetGo();
    ASSERT_TRUE(Eventually([&] { return handle.Stats().tasks == 0; }));
    const std::string first = order.names().substr(0, 16);
    EXPECT_EQ(std::count(first.begin(), first.end(), 'H'), 12) << order.names();
    EXPECT_EQ(std::count(first.begin(), first.end(), 'n'), 3) << order.names();
    EXPECT_EQ(std::count(first.begin(), first.end(), 'l'), 1) << order.names();
  }
}

}  // namespace
}  // namespace taskvisor::testing
