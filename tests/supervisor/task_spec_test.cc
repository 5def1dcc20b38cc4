#include "taskvisor/task_spec.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <utility>

namespace taskvisor::testing {
namespace {

using std::chrono::seconds;

TaskSpec WithEverything() {
  return TaskSpec::Once("n", [] {})
      .WithRestart(RestartPolicy::Always(seconds(1)))
      .WithBackoff(BackoffPolicy::Constant(seconds(2)))
      .WithTimeout(seconds(3))
      .WithMaxRetries(4)
      .WithHeartbeat(seconds(5))
      .WithPriority(Priority::kLow)
      .WithCpuTime()
      .WithDeadline(seconds(6));
}

void ExpectEverything(const TaskSpec& spec) {
  EXPECT_EQ(spec.name(), "n");
  EXPECT_EQ(spec.restart(), RestartPolicy::Always(seconds(1)));
  ASSERT_TRUE(spec.backoff().has_value());
  EXPECT_EQ(spec.backoff()->Base(0), seconds(2));
  EXPECT_EQ(spec.timeout(), std::optional<Duration>(seconds(3)));
  EXPECT_EQ(spec.max_retries(), std::optional<uint32_t>(4));
  EXPECT_EQ(spec.heartbeat(), std::optional<Duration>(seconds(5)));
  EXPECT_EQ(spec.priority(), Priority::kLow);
  EXPECT_EQ(spec.cpu_time(), true);
  EXPECT_EQ(spec.deadline(), std::optional<Duration>(seconds(6)));
}

TEST(TaskSpec, KeepsEachSettingApartAndThroughMoves) {
  TaskSpec spec = WithEverything();
  ExpectEverything(spec);
  TaskSpec other = std::move(spec);
  ExpectEverything(other);
  spec = std::move(other);
  ExpectEverything(spec);
}

TEST(TaskSpec, KeepsEachFormOfARestart) {
  const RestartPolicy forms[] = {RestartPolicy::Never(), RestartPolicy::OnFailure(),
                                 RestartPolicy::Always(), RestartPolicy::Always(seconds(7)),
                                 RestartPolicy::AlwaysImmediately()};
  for (const RestartPolicy& form : forms) {
    const auto kept = TaskSpec::Periodic(seconds(1), [] {}).WithRestart(form).restart();
    ASSERT_TRUE(kept.has_value());
    EXPECT_EQ(*kept, form);
    EXPECT_EQ(kept->kind(), form.kind());
    EXPECT_EQ(kept->interval(), form.interval());
    EXPECT_EQ(kept->floor(), form.floor());
  }
}

template <class T>
bool IsStatedAsNone(const std::optional<std::optional<T>>& setting) {
  return setting.has_value() && !setting->has_value();
}

TEST(TaskSpec, StatesNoneAsNone) {
  const TaskSpec spec =
      WithEverything().WithoutTimeout().WithoutHeartbeat().WithoutDeadline().WithUnlimitedRetries();
  EXPECT_TRUE(IsStatedAsNone(spec.timeout()));
  EXPECT_TRUE(IsStatedAsNone(spec.heartbeat()));
  EXPECT_TRUE(IsStatedAsNone(spec.deadline()));
  EXPECT_TRUE(IsStatedAsNone(spec.max_retries()));
}

// What is in memory of its own has gone with the other one.
TEST(TaskSpec, MayBeAskedWhenItWasMovedFrom) {
  TaskSpec spec = WithEverything();
  const TaskSpec other = std::move(spec);
  EXPECT_FALSE(spec.backoff().has_value());  // NOLINT(bugprone-use-after-move): just that
  EXPECT_FALSE(spec.deadline().has_value());
  EXPECT_TRUE(spec.heartbeat().has_value()) << "as what else is in place";
  static_cast<void>(spec.Resolve({}));
  ExpectEverything(other);
}

}  // namespace
}  // namespace taskvisor::testing
