// J. Modes and batch run: how Run ends, how Serve starts (109-112).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

#include "supervisor/runtime.h"
#include "tests/contract/inside.h"
#include "tests/support/background_run.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::seconds;

TEST(ContractModes, S109_ARejectedBatchStopsNothingButTheRunIsUsedUp) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const auto early = handle.AddAndWatch(TaskSpec::Once("early", UntilCancelled));
  EXPECT_EQ(harness.supervisor->Run(TaskSpec::Once("early", DoNothing)).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(early->waiter.Ready());
  EXPECT_FALSE(harness.supervisor->shutdown_trigger().has_value());
  EXPECT_TRUE(handle.AddAndWatch(TaskSpec::Once(DoNothing))->waiter.Wait()->IsSuccess());
  EXPECT_EQ(ErrorLabel(harness.supervisor->Run(TaskSpec::Once("fine", DoNothing))),
            "runtime_already_running");
}

TEST(ContractModes, S110_RunReturnsWhenNothingIsLeftAndSaysNothingAboutSuccess) {
  Harness harness;
  HeldBody held;
  const SupervisorHandle handle = harness.Serve();
  BackgroundRun run(*harness.supervisor,
                    Batch(TaskSpec::Once("held", held.Body()),
                          TaskSpec::Once("bad", [](TaskContext&) { return Fatal("bad"); })));
  ASSERT_TRUE(held.Inside());
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved, "bad")));
  const auto later = handle.AddAndWatch(TaskSpec::Once("later", UntilCancelled));
  held.LetGo();
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskRemoved, "held")));
  EXPECT_FALSE(run.Over());  // a task that came later counts as well
  EXPECT_EQ(handle.Cancel(later->id).value(), true);
  EXPECT_TRUE(run.Result().ok());
  EXPECT_EQ(handle.shutdown_trigger()->kind, ShutdownTrigger::Kind::kNatural);
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kAllStoppedWithinGrace)), 1u);
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kShutdownRequested)), 0u);
}

TEST(ContractModes, S110_RunReturnsOnAShutdown) {
  Harness harness;
  BackgroundRun run(*harness.supervisor, Batch(TaskSpec::Once(UntilCancelled)));
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
  EXPECT_TRUE(harness.Serve().Shutdown().ok());
  EXPECT_TRUE(run.Result().ok());
  EXPECT_EQ(harness.supervisor->shutdown_trigger()->kind, ShutdownTrigger::Kind::kExplicit);
}

TEST(ContractModes, S110_RunReturnsOnASignal) {
  Harness harness;
  BackgroundRun run(*harness.supervisor, Batch(TaskSpec::Once(UntilCancelled)));
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
  ASSERT_EQ(std::raise(SIGTERM), 0);
  EXPECT_TRUE(run.Result().ok());
  EXPECT_EQ(harness.supervisor->shutdown_trigger()->kind, ShutdownTrigger::Kind::kSignal);
}

TEST(ContractModes, S111_RunJoinsAShutdownThatBeganFirst) {
  Harness harness({.grace = seconds(3)});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  ASSERT_TRUE(handle.Add(TaskSpec::Once("stubborn", held.Body())).ok());
  ASSERT_TRUE(held.Inside());
  handle.RequestShutdown();
  std::atomic<bool> ran{false};
  BackgroundRun run(*harness.supervisor, Batch(TaskSpec::Once([&] { ran = true; })));
  EXPECT_FALSE(run.Over());
  ASSERT_TRUE(harness.AdvanceUntil([&] { return run.Over(); }, seconds(1)));
  const absl::Status result = run.Result();
  EXPECT_EQ(ErrorLabel(result), "runtime_grace_exceeded");
  EXPECT_EQ(GraceExceeded::From(result)->stuck, GraceExceeded::From(handle.Shutdown())->stuck);
  EXPECT_FALSE(ran);
}

TEST(ContractModes, S112_BuildingStartsNothingAndServeStartsOnce) {
  Harness harness;
  internal::Runtime& runtime = internal::RuntimeAccess::Of(*harness.supervisor);
  EXPECT_FALSE(runtime.started());
  std::atomic<int> ready{0};
  std::atomic<int> working{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (++ready; ready < 4;) std::this_thread::yield();
        const SupervisorHandle handle = harness.Serve();
        EXPECT_TRUE(runtime.started());  // whoever started it
        const auto task = handle.AddAndWatch(TaskSpec::Once(DoNothing));
        if (KindOf(task->waiter) == OutcomeKind::kCompleted) ++working;
      });
    }
  }
  EXPECT_EQ(working, 4);
  EXPECT_TRUE(harness.Serve().Shutdown().ok());
  // One set of threads: each event went out once.
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kTaskAdded)), 4u);
  EXPECT_EQ(harness.Serve().Add(TaskSpec::Once(DoNothing)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(ContractModes, S112_ASupervisorThatNeverServedGoesQuietly) {
  Harness harness;
  harness.supervisor.reset();
  EXPECT_TRUE(harness.recorder->Events().empty());
}

}  // namespace
}  // namespace taskvisor::testing
