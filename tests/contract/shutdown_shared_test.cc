// O. Shutdown: one operation for all callers (171, 173, 174).

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(ContractShutdown, S171_TheRecordsSurviveTheStatusWhateverTheirNamesAre) {
  GraceExceeded exceeded;
  exceeded.grace = hours(24 * 365 * 40);
  for (const std::string& name : {std::string("a b, c: 7 "), std::string("\0\xff\n", 3),
                                  std::string(kMaxNameLength, 'n'), std::string()}) {
    exceeded.stuck.push_back({.id = TaskId(7, 3),
                              .name = name,
                              .attempt = 2,
                              .running_for = Duration::max(),
                              .thread = -1,
                              .stack = "f()\ng()"});
  }
  const auto read = GraceExceeded::From(exceeded.ToStatus());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->grace, exceeded.grace);
  EXPECT_EQ(read->stuck, exceeded.stuck);
  EXPECT_FALSE(GraceExceeded::From(absl::DeadlineExceededError("other")).has_value());
  EXPECT_FALSE(GraceExceeded::From(absl::OkStatus()).has_value());
}

TEST(ContractShutdown, S173_AllCallersShareOneOperationAndOneResult) {
  for (const bool stubborn : {false, true}) {
    Harness harness({.grace = seconds(2)});
    const SupervisorHandle handle = harness.Serve();
    HeldBody held;
    TaskWaiter waiter;
    if (stubborn) {
      waiter = handle.AddAndWatch(TaskSpec::Once("stubborn", held.Body()))->waiter;
      ASSERT_TRUE(held.Inside());
    }
    std::vector<absl::Status> results(4);
    {
      std::vector<std::jthread> callers;
      for (absl::Status& mine : results) {
        callers.emplace_back([&] { mine = handle.Shutdown(); });
      }
      ASSERT_TRUE(harness.AdvanceUntil([&] { return waiter.Ready(); }));
    }
    const absl::Status later = handle.Shutdown();
    EXPECT_EQ(later.ok(), !stubborn);
    EXPECT_EQ(GraceExceeded::From(later).has_value(), stubborn);
    for (const absl::Status& result : results) EXPECT_EQ(result, later);
    const auto verdicts = harness.recorder->Events([](const Event& event) {
      return event.kind() == EventKind::kAllStoppedWithinGrace ||
             event.kind() == EventKind::kGraceExceeded;
    });
    EXPECT_EQ(verdicts.size(), 1u);
    EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kShutdownRequested)), 1u);
  }
}

TEST(ContractShutdown, S173_TheFirstTriggerWins) {
  Harness harness;
  const SupervisorHandle handle = harness.Serve();
  EXPECT_FALSE(handle.shutdown_trigger().has_value());
  EXPECT_TRUE(harness.supervisor->Run(TaskSpec::Once(DoNothing)).ok());
  EXPECT_TRUE(handle.Shutdown().ok());  // too late to be the one
  EXPECT_EQ(handle.shutdown_trigger()->kind, ShutdownTrigger::Kind::kNatural);
  EXPECT_EQ(harness.recorder->Count(Recorder::Is(EventKind::kShutdownRequested)), 0u);
}

TEST(ContractShutdown, S174_AShutdownNeedsNobodyToWaitForIt) {
  auto harness = std::make_unique<Harness>(SupervisorConfig{.grace = hours(1)});
  const auto recorder = harness->recorder;
  TaskWaiter waiter;
  {
    const SupervisorHandle handle = harness->Serve();
    waiter = handle.AddAndWatch(TaskSpec::Once(UntilCancelled))->waiter;
    ASSERT_TRUE(recorder->Await(Recorder::Is(EventKind::kTaskStarting)));
    handle.RequestShutdown();  // and the caller goes away
  }
  EXPECT_EQ(KindOf(waiter), OutcomeKind::kCancelled);
  EXPECT_TRUE(recorder->Await(Recorder::Is(EventKind::kAllStoppedWithinGrace)));
  EXPECT_TRUE(harness->supervisor->Shutdown().ok());  // a later one gets its result
  EXPECT_EQ(recorder->Count(Recorder::Is(EventKind::kShutdownRequested)), 1u);
}

}  // namespace
}  // namespace taskvisor::testing
