// Statements 80 and 81: loops of the library are guarded, and what cannot be contained.
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "supervisor/runtime.h"
#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

TEST(ContractGuards, S080_TheRelaySurvivesAnExceptionAndReportsIt) {
  const auto recorder = std::make_shared<Recorder>();
  internal::Hooks hooks;
  hooks.on_observe = [](const Event& event) {
    if (event.kind() == EventKind::kTaskStarting) throw std::runtime_error("relay boom");
    if (event.IsInternalDiagnostic()) throw std::runtime_error("never reported again");
  };
  auto supervisor =
      internal::RuntimeAccess::Create({.workers = 1, .subscribers = {recorder}}, std::move(hooks));
  ASSERT_TRUE(supervisor.ok());
  const SupervisorHandle handle = supervisor->Serve();
  for (int i = 0; i < 3; ++i) {
    const auto task = handle.AddAndWatch(TaskSpec::Once([] {}));
    EXPECT_TRUE(task->waiter.Wait()->IsSuccess());
    EXPECT_TRUE(recorder->Await(Recorder::Is(EventKind::kTaskRemoved, task->id)).has_value());
  }
  const auto failure = recorder->Await(Recorder::Is(EventKind::kRuntimeFailure), 3);
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->task(), "event_relay");
  EXPECT_EQ(failure->reason(), "relay boom");
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(recorder->Count(Recorder::Is(EventKind::kRuntimeFailure)), 3u);
}

const std::vector<std::string> kPhases = {"close",   "announce", "cancel", "drain",       "abandon",
                                          "verdict", "on_stuck", "pool",   "subscribers", "timers"};

// One shutdown of a task that stops when it is asked to, with a phase that throws.
struct Broken {
  std::vector<std::string> phases;
  std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
  absl::Status first;
  absl::Status second;
  OutcomeKind outcome{};
};

Broken ShutDownWithFailing(const std::string& failing) {
  Broken broken;
  internal::Hooks hooks;
  hooks.on_shutdown_phase = [&](std::string_view phase) {
    broken.phases.emplace_back(phase);
    if (phase == failing) throw std::runtime_error("boom");
  };
  auto supervisor = internal::RuntimeAccess::Create(
      {.workers = 1, .subscribers = {broken.recorder}, .clock = std::make_shared<ManualClock>()},
      std::move(hooks));
  EXPECT_TRUE(supervisor.ok());
  const SupervisorHandle handle = supervisor->Serve();
  const auto task = handle.AddAndWatch(TaskSpec::Once(
      [](TaskContext& context) { EXPECT_TRUE(context.WaitCancelled(Duration::max())); }));
  broken.first = handle.Shutdown();
  broken.second = handle.Shutdown();
  broken.outcome = task->waiter.Wait()->kind();
  return broken;
}

TEST(ContractGuards, S080_AShutdownPhaseThatThrowsSkipsNoLaterPhase) {
  for (const std::string& failing : kPhases) {
    SCOPED_TRACE(failing);
    const Broken broken = ShutDownWithFailing(failing);
    EXPECT_EQ(broken.phases, kPhases);
    EXPECT_EQ(broken.outcome, OutcomeKind::kCancelled);
    EXPECT_EQ(broken.first.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ErrorLabel(broken.first), "runtime_shutting_down");
    EXPECT_EQ(broken.second.code(), absl::StatusCode::kUnavailable) << "one result for all";
    if (failing == "subscribers" || failing == "timers") continue;  // nobody is left to tell
    const auto failure = broken.recorder->Await(Recorder::Is(EventKind::kRuntimeFailure));
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(failure->task(), "shutdown");
    EXPECT_EQ(failure->reason(), failing + ": boom");
  }
}

// The verdict is about the tasks, and they did stop.
TEST(ContractGuards, S080_AShutdownPhaseThatThrowsDoesNotChangeTheVerdict) {
  for (const std::string& failing : kPhases) {
    SCOPED_TRACE(failing);
    const Broken broken = ShutDownWithFailing(failing);
    Recorder& recorder = *broken.recorder;
    EXPECT_EQ(recorder.Count(Recorder::Is(EventKind::kAllStoppedWithinGrace)), 1u);
    EXPECT_EQ(recorder.Count(Recorder::Is(EventKind::kGraceExceeded)), 0u);
  }
}

void ThrowIf(bool really) {
  if (really) throw std::runtime_error("out of a noexcept function");
}

TaskOutcome RunOnce(TaskSpec spec) {
  Served s;
  return s.Outcome(s.Watch(std::move(spec)));
}

// Documented, not isolatable: the language ends the process before anybody can catch.
TEST(ContractGuardsDeathTest, S081_ANoexceptViolationInABodyEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(RunOnce(TaskSpec::Once([]() noexcept { ThrowIf(true); })), "noexcept function");
}

TEST(ContractGuardsDeathTest, S081_TerminateInABodyEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(RunOnce(TaskSpec::Once([] { std::terminate(); })), "terminate called");
}

TEST(ContractGuards, S081_TheSameExceptionThroughAnOrdinaryBodyIsContained) {
  const TaskOutcome outcome = RunOnce(TaskSpec::Once([] { ThrowIf(true); }));
  EXPECT_EQ(outcome.kind(), OutcomeKind::kFailed);
}

}  // namespace
}  // namespace taskvisor::testing
