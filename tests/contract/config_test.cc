// P. Configuration, defaults, validation (179-184).

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ContractConfig, S179_DefaultsAreWhatTheContractSays) {
  const SupervisorConfig config;
  EXPECT_EQ(config.grace, seconds(60));
  EXPECT_EQ(config.subscriber_drain, seconds(5));
  EXPECT_EQ(config.max_concurrent, std::nullopt);
  EXPECT_EQ(config.bus_capacity, 1024u);
  EXPECT_EQ(config.max_tasks, size_t{1} << 20);  // in the place of a command queue
  EXPECT_EQ(config.workers, 0u);
  EXPECT_EQ(config.destroy_grace, seconds(1));
  EXPECT_EQ(config.on_stuck, OnStuck::kLeak);
  EXPECT_EQ(config.clock, nullptr);
  EXPECT_TRUE(config.subscribers.empty());
  EXPECT_TRUE(config.Validate().ok());
}

// Create with `config` is refused, and the answer names the field and its label.
void ExpectRefused(SupervisorConfig config, const std::string& field) {
  const auto supervisor = Supervisor::Create(std::move(config));
  ASSERT_FALSE(supervisor.ok()) << field;
  EXPECT_EQ(supervisor.status().code(), absl::StatusCode::kInvalidArgument) << field;
  EXPECT_EQ(ErrorLabel(supervisor.status()), "config_invalid") << field;
  EXPECT_NE(supervisor.status().ToString().find(field), std::string::npos)
      << supervisor.status() << " does not name " << field;
}

TEST(ContractConfig, S180_ZeroIsRefusedWithTheNameOfTheField) {
  ExpectRefused({.max_concurrent = 0}, "max_concurrent");
  ExpectRefused({.max_tasks = 0}, "max_tasks");
  ExpectRefused({.bus_capacity = 0}, "bus_capacity");
  TaskDefaults defaults;
  defaults.max_retries = 0;
  ExpectRefused({.task_defaults = defaults}, "max_retries");

  Harness harness;
  const auto spec = harness.Serve().Add(TaskSpec::Restartable(DoNothing).WithMaxRetries(0));
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(spec.status().ToString().find("max_retries"), std::string::npos);
}

TEST(ContractConfig, S180_OneIsTheLeastOfEachAndWorks) {
  Harness harness({.workers = 1, .max_concurrent = 1, .max_tasks = 1, .bus_capacity = 1});
  const SupervisorHandle handle = harness.Serve();
  for (int i = 0; i < 10; ++i) {
    const auto task = handle.AddAndWatch(TaskSpec::Once(DoNothing));
    ASSERT_TRUE(task.ok()) << task.status();
    EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
  }
}

TEST(ContractConfig, S181_ConfigurationIsReadableAndFixed) {
  SupervisorConfig config{.grace = seconds(7), .max_tasks = 12};
  config.task_defaults.timeout = seconds(3);
  auto supervisor = Supervisor::Create(config);
  ASSERT_TRUE(supervisor.ok());
  config.grace = seconds(1);  // ours, not the supervisor's
  static_assert(std::is_same_v<decltype(supervisor->config()), const SupervisorConfig&>);
  static_assert(std::is_same_v<decltype(supervisor->task_defaults()), const TaskDefaults&>);
  EXPECT_EQ(supervisor->config().grace, seconds(7));
  EXPECT_EQ(supervisor->config().max_tasks, 12u);
  EXPECT_NE(supervisor->config().clock, nullptr);  // with defaults filled in
  EXPECT_EQ(supervisor->task_defaults().timeout, seconds(3));
}

TEST(ContractConfig, S181_RulesCanBeBuiltAtCompileTime) {
  static constexpr RestartPolicy kPulse = RestartPolicy::Always(seconds(1));
  static constexpr TaskDefaults kRules{
      .restart = kPulse, .backoff = {}, .timeout = seconds(2), .max_retries = 3};
  static_assert(kRules.restart.interval() == seconds(1));
  auto supervisor = Supervisor::Create({.task_defaults = kRules});
  ASSERT_TRUE(supervisor.ok());
  EXPECT_EQ(supervisor->task_defaults().restart, kPulse);
}

TEST(ContractConfig, S182_AStatedSettingWinsAlsoAStatedNone) {
  TaskDefaults defaults;
  defaults.restart = RestartPolicy::Never();
  defaults.timeout = seconds(9);
  defaults.max_retries = 4;
  const TaskDefaults inherited = TaskSpec::FromDefaults("", DoNothing).Resolve(defaults);
  EXPECT_EQ(inherited.restart, RestartPolicy::Never());
  EXPECT_EQ(inherited.timeout, seconds(9));
  EXPECT_EQ(inherited.max_retries, 4u);

  const TaskDefaults none = TaskSpec::FromDefaults("", DoNothing)
                                .WithoutTimeout()
                                .WithUnlimitedRetries()
                                .Resolve(defaults);
  EXPECT_EQ(none.timeout, std::nullopt);
  EXPECT_EQ(none.max_retries, std::nullopt);

  const TaskDefaults stated = TaskSpec::FromDefaults("", DoNothing)
                                  .WithRestart(RestartPolicy::Always(seconds(1)))
                                  .WithTimeout(milliseconds(1))
                                  .WithMaxRetries(1)
                                  .WithBackoff(BackoffPolicy::Constant(seconds(5)))
                                  .Resolve(defaults);
  EXPECT_EQ(stated.restart, RestartPolicy::Always(seconds(1)));
  EXPECT_EQ(stated.timeout, milliseconds(1));
  EXPECT_EQ(stated.max_retries, 1u);
  EXPECT_EQ(stated.backoff.options().first, seconds(5));
}

TEST(ContractConfig, S182_InheritedSettingsAreResolvedWhenTheTaskIsAdded) {
  // One spec's making, two supervisors, two sets of rules.
  auto make = [] {
    return TaskSpec::FromDefaults("inherits", [](TaskContext& context) {
      return context.Deadline() == TimePoint::max() ? Fatal("no timeout") : Fail("timeout");
    });
  };
  Harness one({.task_defaults = {.restart = RestartPolicy::Never(), .timeout = hours(1)}});
  Harness other({.task_defaults = {.restart = RestartPolicy::Always(seconds(1))}});
  EXPECT_EQ(KindOf(one.Serve().AddAndWatch(make())->waiter), OutcomeKind::kFailed);
  EXPECT_EQ(KindOf(other.Serve().AddAndWatch(make())->waiter), OutcomeKind::kFatal);
  // A stated "none" is what the body sees, too.
  EXPECT_EQ(KindOf(one.Serve().AddAndWatch(make().WithoutTimeout())->waiter), OutcomeKind::kFatal);
}

TEST(ContractConfig, S183_TaskDefaultsAreSafe) {
  const TaskDefaults defaults;
  EXPECT_EQ(defaults.restart, RestartPolicy::OnFailure());
  EXPECT_EQ(defaults.timeout, std::nullopt);
  EXPECT_EQ(defaults.max_retries, std::nullopt);
  const BackoffPolicy::Options& backoff = defaults.backoff.options();
  EXPECT_EQ(backoff.first, milliseconds(200));
  EXPECT_EQ(backoff.max, seconds(30));
  EXPECT_EQ(backoff.factor, 2.0);
  EXPECT_EQ(backoff.jitter, Jitter::kEqual);
}

TEST(ContractConfig, S184_ConstructorsStateTheRestartAndInheritTheRest) {
  struct {
    TaskSpec spec;
    std::optional<RestartPolicy> restart;
  } rows[] = {
      {TaskSpec::Once("n", DoNothing), RestartPolicy::Never()},
      {TaskSpec::Once(DoNothing), RestartPolicy::Never()},
      {TaskSpec::Restartable("n", DoNothing), RestartPolicy::OnFailure()},
      {TaskSpec::Restartable(DoNothing), RestartPolicy::OnFailure()},
      {TaskSpec::Periodic("n", seconds(3), DoNothing), RestartPolicy::Always(seconds(3))},
      {TaskSpec::Periodic("n", Duration::zero(), DoNothing), RestartPolicy::Always()},
      {TaskSpec::Periodic(seconds(3), DoNothing), RestartPolicy::Always(seconds(3))},
      {TaskSpec::FromDefaults("n", DoNothing), std::nullopt},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(row.spec.restart(), row.restart);
    EXPECT_FALSE(row.spec.backoff().has_value());
    EXPECT_FALSE(row.spec.timeout().has_value());
    EXPECT_FALSE(row.spec.max_retries().has_value());
  }
  EXPECT_EQ(rows[0].spec.name(), "n");
  EXPECT_EQ(rows[1].spec.name(), "");
}

TEST(ContractConfig, S184_ExplicitInheritsNothingAndRetriesWithoutLimit) {
  TaskDefaults defaults;
  defaults.timeout = seconds(9);
  defaults.max_retries = 4;
  const TaskSpec spec =
      TaskSpec::Explicit("n", RestartPolicy::OnFailure(), BackoffPolicy::Constant(seconds(1)),
                         std::nullopt, DoNothing);
  const TaskDefaults rules = spec.Resolve(defaults);
  EXPECT_EQ(rules.restart, RestartPolicy::OnFailure());
  EXPECT_EQ(rules.backoff.options().first, seconds(1));
  EXPECT_EQ(rules.timeout, std::nullopt);
  EXPECT_EQ(rules.max_retries, std::nullopt);
}

}  // namespace
}  // namespace taskvisor::testing
