// Wrong configurations and specs are answered as documented: never an abort.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::nanoseconds;

TEST(ContractBadInput, EveryFieldOfTheConfigurationIsCheckedAndNamed) {
  const Duration negative = nanoseconds(-1);
  TaskDefaults timeout;
  timeout.timeout = negative;
  TaskDefaults interval;
  interval.restart = RestartPolicy::Always(negative);
  TaskDefaults retries;
  retries.max_retries = 0;
  TaskDefaults heartbeat;
  heartbeat.heartbeat = Duration::zero();
  const std::pair<SupervisorConfig, std::string> rows[] = {
      {{.workers = 257}, "workers: 257 is not in [0, 256]"},
      {{.grace = negative}, "grace: must not be negative"},
      {{.subscriber_drain = negative}, "subscriber_drain: must not be negative"},
      {{.destroy_grace = Duration::min()}, "destroy_grace: must not be negative"},
      {{.max_concurrent = 0}, "max_concurrent: 0 is not in [1, "},
      {{.max_concurrent = std::numeric_limits<size_t>::max()}, "max_concurrent: "},
      {{.max_tasks = 0}, "max_tasks: 0 is not in [1, 16777216]"},
      {{.max_tasks = 16777217}, "max_tasks: 16777217 is not in"},
      {{.bus_capacity = 0}, "bus_capacity: 0 is not in [1, 16777216]"},
      {{.bus_capacity = 16777217}, "bus_capacity: 16777217 is not in"},
      {{.task_defaults = timeout}, "task_defaults.timeout"},
      {{.task_defaults = interval}, "task_defaults.restart.interval"},
      {{.task_defaults = retries}, "task_defaults.max_retries"},
      {{.task_defaults = heartbeat}, "task_defaults.heartbeat: must be above 0"},
      {{.subscribers = {nullptr}}, "subscribers"},
  };
  for (const auto& [config, expected] : rows) {
    const auto supervisor = Supervisor::Create(config);
    ASSERT_FALSE(supervisor.ok()) << expected;
    EXPECT_EQ(supervisor.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(supervisor.status().ToString().find(expected), std::string::npos)
        << supervisor.status() << " does not say " << expected;
    EXPECT_EQ(config.Validate(), supervisor.status());
  }
}

TEST(ContractBadInput, ASpecIsCheckedBeforeAnythingHappens) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  std::vector<std::pair<TaskSpec, std::string>> rows;
  rows.emplace_back(TaskSpec::Once("null", std::function<void()>()), "body: null");
  rows.emplace_back(TaskSpec::Once("null", static_cast<void (*)()>(nullptr)), "body: null");
  rows.emplace_back(TaskSpec::Once("null", TaskBody()), "body: null");
  rows.emplace_back(TaskSpec::Once(std::string(256, 'n'), DoNothing),
                    "name: 256 bytes, at most 255");
  rows.emplace_back(TaskSpec::Once(DoNothing).WithTimeout(nanoseconds(-1)), "timeout: negative");
  rows.emplace_back(TaskSpec::Periodic(nanoseconds(-1), DoNothing), "interval: negative, -1ns");
  rows.emplace_back(TaskSpec::Restartable(DoNothing).WithMaxRetries(0), "max_retries: 0");
  rows.emplace_back(TaskSpec::Once(DoNothing).WithHeartbeat(nanoseconds(0)),
                    "heartbeat: 0; above 0");
  rows.emplace_back(TaskSpec::Once(DoNothing).WithHeartbeat(nanoseconds(-1)),
                    "heartbeat: -1ns; above 0");
  TaskSpec moved_from = TaskSpec::Once("moved", DoNothing);
  const TaskSpec moved_to = std::move(moved_from);
  rows.emplace_back(std::move(moved_from), "body: null");  // NOLINT: on purpose
  for (auto& [spec, expected] : rows) {
    const absl::Status status = handle.Add(std::move(spec)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << expected;
    EXPECT_EQ(ErrorLabel(status), "spec_invalid") << expected;
    EXPECT_NE(status.ToString().find(expected), std::string::npos)
        << status << " does not say " << expected;
  }
  // One bad spec spoils its batch, and says which rule it broke.
  const auto batch =
      handle.AddBatch(Batch(TaskSpec::Once("good", DoNothing), TaskSpec::Once("bad", TaskBody())));
  EXPECT_EQ(ErrorLabel(batch.status()), "spec_invalid");
  EXPECT_EQ(
      std::string(batch.status().message()),
      "of spec 1 of the batch, counted from 0, named \"bad\": body: null; there is nothing to "
      "call");
  EXPECT_TRUE(handle.List().empty());
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kTaskAddRequested)), 0u);
}

TEST(ContractBadInput, AnEmptyBatchIsAnError) {
  Harness harness;
  const auto added = harness.Serve().AddBatch({});
  EXPECT_EQ(added.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorLabel(added.status()), "batch_empty");
  EXPECT_EQ(ErrorLabel(harness.supervisor->Run(std::vector<TaskSpec>())), "batch_empty");
  EXPECT_FALSE(harness.supervisor->shutdown_trigger().has_value());
}

TEST(ContractBadInput, NamesAreBytesAndAnyBytesWillDo) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const std::string names[] = {
      std::string("a\0b", 3), std::string("a\0c", 3), "a",     "line\nbreak", "\xff\xfe", " ",
      std::string(255, 'n'),  std::string(254, 'n'),  "task-1"};
  for (const std::string& name : names) {
    ASSERT_TRUE(handle.Add(TaskSpec::Once(name, UntilCancelled)).ok()) << name;
    EXPECT_EQ(handle.Add(TaskSpec::Once(name, DoNothing)).status().code(),
              absl::StatusCode::kAlreadyExists);
  }
  std::set<std::string> listed;
  for (const TaskInfo& task : handle.List()) listed.insert(task.name);
  EXPECT_EQ(listed, std::set<std::string>(std::begin(names), std::end(names)));
  for (const std::string& name : names) EXPECT_TRUE(handle.CancelByName(name).value());
}

TEST(ContractBadInput, AnonymousTasksNeverCollideAndHaveNoNameToFindThemBy) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const TaskId id = handle.Add(TaskSpec::Once("", UntilCancelled)).value();
  ASSERT_TRUE(handle.Add(TaskSpec::Once("", UntilCancelled)).ok());
  EXPECT_EQ(handle.RemoveByName("").value(), false);
  EXPECT_EQ(handle.CancelByName(id.ToString()).value(), false);
  EXPECT_EQ(handle.List().front().name, id.ToString());
  EXPECT_TRUE(handle.Cancel(id).value());
}

}  // namespace
}  // namespace taskvisor::testing
