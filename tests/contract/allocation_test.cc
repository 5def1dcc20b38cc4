// Q. The rules where C++ differs: events are records in place (D13).

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "supervisor/runtime.h"
#include "tests/contract/served.h"
#include "tests/support/allocations.h"

namespace taskvisor::testing {
namespace {

TEST(ContractRules, D13_TheCounterCounts) {
  const uint64_t before = AllocationsOfThisThread();
  const auto made = std::make_unique<std::string>(1000, 'x');
  EXPECT_GE(AllocationsOfThisThread() - before, 2u);
  EXPECT_EQ(made->size(), 1000u);
}

TEST(ContractRules, D13_PublishingAllocatesNothingHoweverLongTheTexts) {
  static_assert(std::is_trivially_copyable_v<Event>);
  Served served;
  internal::Runtime& runtime = internal::RuntimeAccess::Of(*served.supervisor);
  const std::string name(kMaxNameLength, 'n');
  const std::string reason(10'000, 'r');
  const uint64_t before = AllocationsOfThisThread();
  // More than the bus holds: also an event that finds no room costs nothing.
  for (uint32_t i = 0; i < 5000; ++i) {
    runtime.publisher().Emit(
        EventKind::kTaskFailed, runtime.clock().Now(), [&](internal::EventDraft& event) {
          event.WithId(TaskId(i + 1, i)).WithTask(name).WithReason(reason).WithAttempt(i);
        });
  }
  EXPECT_EQ(AllocationsOfThisThread() - before, 0u);
}

// Allocations on the one worker between the beginnings of attempts 100 and 1100.
uint64_t AllocationsOfAThousandAttempts(TaskSpec (*make)(std::string, TaskBody),
                                        const std::string& name) {
  SupervisorConfig config;
  config.workers = 1;
  Served served(config);
  uint64_t at_first = 0;
  uint64_t at_last = 0;
  auto body = [&](TaskContext& context) {
    if (context.attempt() == 100) at_first = AllocationsOfThisThread();
    if (context.attempt() == 1100) {
      at_last = AllocationsOfThisThread();
      return Cancelled();
    }
    return Ok();
  };
  EXPECT_EQ(Served::Outcome(served.Watch(make(name, body))).attempts(), 1100u);
  return at_last - at_first;
}

TaskSpec Pump(std::string name, TaskBody body) {
  return TaskSpec::FromDefaults(std::move(name), std::move(body))
      .WithRestart(RestartPolicy::AlwaysImmediately());
}

TaskSpec TimedPump(std::string name, TaskBody body) {
  return Pump(std::move(name), std::move(body)).WithTimeout(std::chrono::hours(1));
}

TEST(ContractRules, D13_ARunningTaskPublishesAndRepeatsWithoutAllocating) {
  EXPECT_EQ(AllocationsOfAThousandAttempts(&Pump, "pump"), 0u);
  EXPECT_EQ(AllocationsOfAThousandAttempts(&Pump, std::string(kMaxNameLength, 'n')), 0u);
  EXPECT_EQ(AllocationsOfAThousandAttempts(&Pump, ""), 0u);
  EXPECT_EQ(AllocationsOfAThousandAttempts(&TimedPump, "timed"), 0u);
}

}  // namespace
}  // namespace taskvisor::testing
