// I. Management, the errors (102-104).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "tests/contract/inside.h"
#include "tests/contract/shutdown_hooks.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::seconds;

void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& label) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(ErrorLabel(status), label) << status;
}

TEST(ContractManagement, S102_RuntimeErrorLabelsAreStable) {
  Harness harness({.grace = seconds(1), .max_tasks = 2});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("held", held.Body()));
  ASSERT_TRUE(held.Inside());
  ExpectError(handle.Add(TaskSpec::Once("held", DoNothing)).status(),
              absl::StatusCode::kAlreadyExists, "runtime_task_already_exists");
  ASSERT_TRUE(handle.Add(TaskSpec::Once(UntilCancelled)).ok());
  ExpectError(handle.TryAdd(TaskSpec::Once(DoNothing)).status(),
              absl::StatusCode::kResourceExhausted, "runtime_command_queue_full");
  ExpectError(handle.CancelWithTimeout(task->id, Duration::zero()).status(),
              absl::StatusCode::kDeadlineExceeded, "runtime_task_termination_timeout");
  ExpectError(harness.supervisor->Run(Batch(TaskSpec::Once("held", DoNothing))),
              absl::StatusCode::kResourceExhausted, "runtime_command_queue_full");
  ExpectError(harness.supervisor->Run(TaskSpec::Once(DoNothing)),
              absl::StatusCode::kFailedPrecondition, "runtime_already_running");

  handle.RequestShutdown();
  ExpectError(handle.Add(TaskSpec::Once(DoNothing)).status(), absl::StatusCode::kUnavailable,
              "runtime_shutting_down");
  std::atomic<bool> over{false};
  std::jthread caller([&] {
    ExpectError(handle.Shutdown(), absl::StatusCode::kDeadlineExceeded, "runtime_grace_exceeded");
    over = true;
  });
  ASSERT_TRUE(harness.AdvanceUntil([&] { return over.load(); }, seconds(1)));
}

TEST(ContractManagement, S102_SignalSetupHasItsLabelToo) {
  Inside inside({}, SignalsFailWith("no"));
  ExpectError(inside.supervisor().Run(TaskSpec::Once(DoNothing)),
              absl::StatusCode::kFailedPrecondition, "runtime_signal_setup_failed");
}

TEST(ContractManagement, S102_AStatusOfSomebodyElseHasNoLabel) {
  EXPECT_EQ(ErrorLabel(absl::OkStatus()), "");
  EXPECT_EQ(ErrorLabel(absl::UnavailableError("theirs")), "");
}

TEST(ContractManagement, S103_TaskErrorsHaveStableLabelsAndAClass) {
  struct {
    TaskResult result;
    std::string label;
    bool retryable;
    bool takes_details;
  } rows[] = {
      {TimedOut("t"), "task_timeout", true, false},
      {Fatal("f"), "task_fatal", false, true},
      {Fail("f"), "task_failed", true, true},
      {Cancelled(), "task_canceled", false, false},
  };
  for (auto& row : rows) {
    EXPECT_EQ(Label(row.result.error().kind), row.label);
    EXPECT_EQ(row.result.error().IsRetryable(), row.retryable) << row.label;
    const TaskResult full = std::move(row.result)
                                .WithExitCode(-7)
                                .WithSource(std::make_exception_ptr(std::runtime_error("why")));
    EXPECT_EQ(full.error().exit_code.has_value(), row.takes_details) << row.label;
    EXPECT_EQ(full.error().source != nullptr, row.takes_details) << row.label;
    EXPECT_EQ(full.error().exit_code.value_or(-7), -7) << row.label;
  }
  EXPECT_TRUE(Ok().WithExitCode(3).ok());
}

struct DiskFull : std::runtime_error {
  explicit DiskFull(int device_number) : std::runtime_error("disk full"), device(device_number) {}
  int device;
};

// The device of a DiskFull behind `outcome`, or -1.
int DeviceOf(const TaskOutcome& outcome) {
  try {
    if (outcome.source() != nullptr) std::rethrow_exception(outcome.source());
  } catch (const DiskFull& error) {
    return error.device;
  } catch (...) {
  }
  return -1;
}

TEST(ContractManagement, S104_TheOriginalErrorSurvivesToTheOutcome) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  auto throws = [](TaskContext&) -> TaskResult { throw DiskFull(3); };
  auto attaches = [](TaskContext&) {
    return Fatal("wrapped").WithSource(std::make_exception_ptr(DiskFull(4)));
  };
  auto plain = [](TaskContext&) { return Fail("nothing was thrown"); };
  const auto thrown = handle.AddAndWatch(TaskSpec::Once(throws))->waiter.Wait();
  EXPECT_EQ(thrown->kind(), OutcomeKind::kFailed);
  EXPECT_EQ(DeviceOf(*thrown), 3);
  const auto attached = handle.AddAndWatch(TaskSpec::Once(attaches))->waiter.Wait();
  EXPECT_EQ(attached->kind(), OutcomeKind::kFatal);
  EXPECT_EQ(DeviceOf(*attached), 4);
  const auto none = handle.AddAndWatch(TaskSpec::Once(plain))->waiter.Wait();
  EXPECT_EQ(none->source(), nullptr);
}

}  // namespace
}  // namespace taskvisor::testing
