// O. Signals, and the end without a shutdown (175, 177).

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(ContractShutdown, S175_EachOfTheThreeSignalsEndsARun) {
  const std::pair<int, std::string> signals[] = {
      {SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGQUIT, "SIGQUIT"}};
  for (const auto& [signal, name] : signals) {
    Harness harness;
    absl::Status result;
    std::jthread run(
        [&] { result = harness.supervisor->Run(TaskSpec::Once("victim", UntilCancelled)); });
    ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
    ASSERT_EQ(kill(getpid(), signal), 0);  // to the process: any thread may be picked
    run.join();
    EXPECT_TRUE(result.ok()) << result;
    ASSERT_TRUE(harness.supervisor->shutdown_trigger().has_value());
    EXPECT_EQ(harness.supervisor->shutdown_trigger()->kind, ShutdownTrigger::Kind::kSignal);
    EXPECT_EQ(harness.supervisor->shutdown_trigger()->signal, signal);
    const auto requested = harness.recorder->Events(Recorder::Is(EventKind::kShutdownRequested));
    ASSERT_EQ(requested.size(), 1u);
    EXPECT_EQ(requested.front().reason(), name);
  }
}

TEST(ContractShutdown, S175_ASignalThatLandsOnAWorkerIsNotLost) {
  Harness harness;
  auto body = [](TaskContext& context) {
    std::raise(SIGINT);  // to this very thread
    return UntilCancelled(context);
  };
  TaskSpec spec = TaskSpec::Once(body);
  const TaskWaiter waiter = spec.Watch();
  EXPECT_TRUE(harness.supervisor->Run(std::move(spec)).ok());
  EXPECT_EQ(KindOf(waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(harness.supervisor->shutdown_trigger()->signal, SIGINT);
}

TEST(ContractShutdown, S177_DestroyingTheSupervisorCancelsWhatRuns) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  const auto running = handle.AddAndWatch(TaskSpec::Once(UntilCancelled));
  const auto delaying = handle.AddAndWatch(TaskSpec::Periodic(hours(1), DoNothing));
  harness.supervisor.reset();
  EXPECT_EQ(KindOf(running->waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(KindOf(delaying->waiter), OutcomeKind::kCancelled);
  EXPECT_EQ(handle.shutdown_trigger()->kind, ShutdownTrigger::Kind::kDestroyed);
  EXPECT_EQ(handle.Add(TaskSpec::Once(DoNothing)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(handle.Shutdown().ok());  // it is over, and went well
}

TEST(ContractShutdown, S177_DroppingOneOfSeveralOwnersDoesNothing) {
  Harness harness;
  const auto task = harness.Serve().AddAndWatch(TaskSpec::Once(UntilCancelled));
  Supervisor moved = std::move(*harness.supervisor);
  harness.supervisor.reset();  // an empty shell
  { const SupervisorHandle copy = moved.Serve(); }
  EXPECT_FALSE(task->waiter.Ready());
  EXPECT_FALSE(moved.shutdown_trigger().has_value());
  EXPECT_TRUE(moved.Serve().Add(TaskSpec::Once(DoNothing)).ok());
}

TEST(ContractShutdown, S177_AssigningOverASupervisorDestroysIt) {
  Harness one;
  Harness other;
  const auto task = one.Serve().AddAndWatch(TaskSpec::Once(UntilCancelled));
  const auto survivor = other.Serve().AddAndWatch(TaskSpec::Once(UntilCancelled));
  *one.supervisor = std::move(*other.supervisor);
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled);
  EXPECT_FALSE(survivor->waiter.Ready());
}

TEST(ContractShutdown, S177_TheLastOwnerMayDieInsideABody) {
  Harness harness;
  auto owner = std::make_shared<Supervisor>(std::move(*harness.supervisor));
  harness.supervisor.reset();
  const SupervisorHandle handle = owner->Serve();
  Gate only_owner;
  Gate destroyed;
  auto body = [&, owner](TaskContext& context) mutable {
    only_owner.Pass();
    owner.reset();
    destroyed.Open();
    return UntilCancelled(context);  // by the end of its supervisor
  };
  const auto task = handle.AddAndWatch(TaskSpec::Once("suicidal", std::move(body)));
  owner.reset();
  only_owner.Open();
  ASSERT_TRUE(destroyed.Wait());  // it did not wait for itself
  EXPECT_EQ(KindOf(task->waiter), OutcomeKind::kCancelled);
  EXPECT_TRUE(handle.Shutdown().ok());
  EXPECT_EQ(handle.shutdown_trigger()->kind, ShutdownTrigger::Kind::kDestroyed);
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kAllStoppedWithinGrace)), 1u);
}

TEST(ContractShutdown, S177_TheLastHandleMayDieWithABodyToo) {
  Harness harness;
  TaskWaiter waiter;
  Gate inside;
  {
    const SupervisorHandle handle = harness.Serve();
    auto body = [handle, &inside](TaskContext& context) {
      inside.Open();
      return UntilCancelled(context);
    };
    waiter = handle.AddAndWatch(TaskSpec::Once("holder", body))->waiter;
  }
  ASSERT_TRUE(inside.Wait());
  harness.supervisor.reset();
  EXPECT_EQ(KindOf(waiter), OutcomeKind::kCancelled);
}

TEST(ContractShutdown, S177_AnExplicitShutdownKeepsControlWhenTheOwnerGoes) {
  Harness harness({.grace = seconds(10), .destroy_grace = Duration::zero()});
  const SupervisorHandle handle = harness.Serve();
  HeldBody held;
  const auto task = handle.AddAndWatch(TaskSpec::Once("stubborn", held.Body()));
  ASSERT_TRUE(held.Inside());
  handle.RequestShutdown();
  std::atomic<bool> gone{false};
  std::jthread destroyer([&] {
    harness.supervisor.reset();
    gone = true;
  });
  harness.Advance(seconds(9));  // past the owner's grace, not past the shutdown's
  EXPECT_FALSE(task->waiter.Ready());
  ASSERT_TRUE(harness.AdvanceUntil([&] { return task->waiter.Ready(); }, seconds(1)));
  destroyer.join();
  const auto exceeded = GraceExceeded::From(handle.Shutdown());
  ASSERT_TRUE(exceeded.has_value());
  EXPECT_EQ(exceeded->grace, seconds(10));
  EXPECT_EQ(handle.shutdown_trigger()->kind, ShutdownTrigger::Kind::kExplicit);
}

}  // namespace
}  // namespace taskvisor::testing
