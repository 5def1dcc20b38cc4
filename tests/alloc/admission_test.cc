// What the life of a short task costs in memory, once the supervisor has warmed up: nothing.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/support/allocations.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

constexpr int kTasks = 64;
constexpr int kRounds = 40;

struct Costs {
  uint64_t adder;   // of the thread that adds and waits
  uint64_t worker;  // of the one worker
};

// The memory that kRounds rounds of kTasks tasks take, after as many to warm up. `add` adds
// the task with this number, whose body is to call the function.
class Rounds {
 public:
  using Add = std::function<void(const SupervisorHandle&, int, std::atomic<uint64_t>*)>;

  static Costs Measure(const Add& add, const std::function<void()>& await) {
    SupervisorConfig config;
    config.workers = 1;
    auto supervisor = Supervisor::Create(std::move(config));
    const SupervisorHandle handle = supervisor->Serve();
    std::atomic<uint64_t> at_last{0};  // the worker's count, as the last body saw it
    const auto run = [&] {
      for (int round = 0; round < kRounds; ++round) {
        for (int task = 0; task < kTasks; ++task) add(handle, task, &at_last);
        await();
        EXPECT_TRUE(Eventually([&] { return handle.Stats().tasks == 0; }));
      }
    };
    run();
    const uint64_t worker = at_last.load();
    const uint64_t adder = AllocationsOfThisThread();
    run();
    return {AllocationsOfThisThread() - adder, at_last.load() - worker};
  }
};

// 16 bytes: with what calls it, the most that sits in place.
struct Body {
  std::atomic<uint64_t>* at_last;
  uint64_t padding;
  void operator()() const { at_last->store(AllocationsOfThisThread()); }
};

void ExpectNone(const Costs& costs) {
  EXPECT_EQ(costs.adder, 0u);
  EXPECT_EQ(costs.worker, 0u);
}

TEST(Alloc, AnAnonymousTaskCostsNothing) {
  ExpectNone(Rounds::Measure(
      [](const SupervisorHandle& handle, int, auto* last) {
        EXPECT_TRUE(handle.Add(TaskSpec::Once(Body{last, 0})).ok());
      },
      [] {}));
}

TEST(Alloc, ANamedTaskCostsNothing) {
  std::array<std::string, kTasks> names;
  for (int i = 0; i < kTasks; ++i) names.at(static_cast<size_t>(i)) = "n-" + std::to_string(i);
  ExpectNone(Rounds::Measure(
      [&](const SupervisorHandle& handle, int task, auto* last) {
        const std::string& name = names.at(static_cast<size_t>(task));
        EXPECT_TRUE(handle.TryAdd(TaskSpec::Once(name, Body{last, 0})).ok());
      },
      [] {}));
}

TEST(Alloc, AWatchedTaskAndItsOutcomeCostNothing) {
  std::vector<TaskWaiter> waiters;
  waiters.reserve(kTasks);
  ExpectNone(Rounds::Measure(
      [&](const SupervisorHandle& handle, int, auto* last) {
        waiters.push_back(handle.AddAndWatch(TaskSpec::Once(Body{last, 0}))->waiter);
      },
      [&] {
        for (const TaskWaiter& waiter : waiters) EXPECT_TRUE(waiter.Wait()->IsSuccess());
        waiters.clear();
      }));
}

TEST(Alloc, StatedRulesCostNothing) {
  ExpectNone(Rounds::Measure(
      [](const SupervisorHandle& handle, int task, auto* last) {
        TaskSpec spec = TaskSpec::Restartable(Body{last, 0})
                            .WithTimeout(std::chrono::minutes(1 + task % 8))
                            .WithMaxRetries(3)
                            .WithHeartbeat(std::chrono::minutes(1))
                            .WithPriority(Priority::kHigh);
        EXPECT_TRUE(handle.Add(std::move(spec)).ok());
      },
      [] {}));
}

// Few state one: the spec has a place for it, made then.
TEST(Alloc, ABackoffCostsTheSpecOnePieceOfMemory) {
  const auto backoff = BackoffPolicy::Constant(std::chrono::milliseconds(1));
  const Costs costs = Rounds::Measure(
      [&](const SupervisorHandle& handle, int, auto* last) {
        EXPECT_TRUE(handle.Add(TaskSpec::Once(Body{last, 0}).WithBackoff(backoff)).ok());
      },
      [] {});
  EXPECT_EQ(costs.adder, uint64_t{kRounds} * kTasks);
  EXPECT_EQ(costs.worker, 0u);
}

// So that the others prove something: what does not fit in place is seen, once a task.
TEST(Alloc, AClosureThatDoesNotFitInPlaceIsSeen) {
  struct Large : Body {
    uint64_t more = 0;
  };
  const Costs costs = Rounds::Measure(
      [](const SupervisorHandle& handle, int, auto* last) {
        EXPECT_TRUE(handle.Add(TaskSpec::Once(Large{{last, 0}})).ok());
      },
      [] {});
  EXPECT_EQ(costs.adder, uint64_t{kRounds} * kTasks);
}

// Nor is there need of any where a task is cancelled because there is none left.
TEST(Alloc, CancelledTakesNoMemory) {
  const uint64_t before = AllocationsOfThisThread();
  TaskResult result = Cancelled();
  result = Cancelled();
  TaskResult other = std::move(result);
  EXPECT_EQ(AllocationsOfThisThread(), before);
  EXPECT_EQ(other.error().kind, TaskErrorKind::kCancelled);
  EXPECT_EQ(Cancelled().error().kind, TaskErrorKind::kCancelled);
}

}  // namespace
}  // namespace taskvisor::testing
