// A. Events: of the end of a supervisor (22-23).

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// The kinds that a supervisor's end is told with, in the order they came.
std::vector<EventKind> EndOf(Recorder& recorder) {
  constexpr EventMask kKinds{EventKind::kShutdownRequested, EventKind::kAllStoppedWithinGrace,
                             EventKind::kGraceExceeded};
  std::vector<EventKind> kinds;
  for (const Event& e : recorder.Events()) {
    if (kKinds.Has(e.kind())) kinds.push_back(e.kind());
  }
  return kinds;
}

TEST(ContractEvents, S022_ShutdownRequestedComesOnceForAllCallers) {
  Served served;
  const WatchedTask task = served.Watch(TaskSpec::Once(UntilCancelled));
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] { EXPECT_TRUE(served.handle.Shutdown().ok()); });
    }
  }
  served.handle.RequestShutdown();
  EXPECT_TRUE(served.supervisor->Shutdown().ok());
  EXPECT_THAT(EndOf(*served.recorder),
              ElementsAre(EventKind::kShutdownRequested, EventKind::kAllStoppedWithinGrace));
  const Event requested = *served.recorder->Await(Recorder::Is(EventKind::kShutdownRequested));
  EXPECT_EQ(requested.id(), std::nullopt);
}

TEST(ContractEvents, S022_ShutdownRequestedComesOnceForASignal) {
  Harness harness;
  std::jthread runs(
      [&] { EXPECT_TRUE(harness.supervisor->Run(TaskSpec::Once("waits", UntilCancelled)).ok()); });
  // The handlers are in place before anything is added.
  ASSERT_TRUE(harness.recorder->Await(Recorder::Is(EventKind::kTaskStarting)).has_value());
  kill(getpid(), SIGTERM);
  runs.join();
  EXPECT_TRUE(harness.supervisor->Shutdown().ok());
  EXPECT_THAT(EndOf(*harness.recorder),
              ElementsAre(EventKind::kShutdownRequested, EventKind::kAllStoppedWithinGrace));
  EXPECT_EQ(harness.recorder->Await(Recorder::Is(EventKind::kShutdownRequested))->reason(),
            "SIGTERM");
}

TEST(ContractEvents, S022_NeitherANaturalEndNorAFailedSignalSetupIsARequest) {
  Harness natural;
  EXPECT_TRUE(natural.supervisor->Run(TaskSpec::Once(DoNothing)).ok());
  EXPECT_TRUE(natural.supervisor->Shutdown().ok());
  EXPECT_THAT(EndOf(*natural.recorder), ElementsAre(EventKind::kAllStoppedWithinGrace));

  internal::Hooks hooks;
  hooks.signal_setup = [] { return absl::FailedPreconditionError("no signals today"); };
  Inside failed({}, std::move(hooks));
  EXPECT_FALSE(failed.supervisor().Run(TaskSpec::Once(DoNothing)).ok());
  EXPECT_FALSE(failed.supervisor().Shutdown().ok());
  EXPECT_THAT(EndOf(*failed.recorder), ElementsAre());
}

TEST(ContractEvents, S023_OneVerdictPerDrain) {
  Served empty;
  EXPECT_TRUE(empty.supervisor->Shutdown().ok());
  EXPECT_TRUE(empty.supervisor->Shutdown().ok());
  EXPECT_EQ(EndOf(*empty.recorder).back(), EventKind::kAllStoppedWithinGrace);
  EXPECT_EQ(EndOf(*empty.recorder).size(), 2u);

  Served cooperative;
  cooperative.Watch(TaskSpec::Once(UntilCancelled));
  EXPECT_TRUE(cooperative.supervisor->Shutdown().ok());
  EXPECT_EQ(cooperative.recorder->Count(Recorder::Is(EventKind::kAllStoppedWithinGrace)), 1u);
  EXPECT_EQ(cooperative.recorder->Count(Recorder::Is(EventKind::kGraceExceeded)), 0u);
}

TEST(ContractEvents, S023_GraceExceededCarriesGraceAndWhoIsStuck) {
  SupervisorConfig config;
  config.grace = 30s;
  config.workers = 3;
  Served served(std::move(config));
  HeldBody one, two;
  const WatchedTask b = served.Watch(TaskSpec::Once("b", one.Body()));
  const WatchedTask a = served.Watch(TaskSpec::Once("a", two.Body()));
  const WatchedTask good = served.Watch(TaskSpec::Once("good", UntilCancelled));
  ASSERT_TRUE(one.Inside() && two.Inside());
  served.Await(EventKind::kTaskStarting, good);
  absl::Status result;
  {
    std::jthread shuts_down([&] { result = served.supervisor->Shutdown(); });
    served.Outcome(good);
    EXPECT_TRUE(served.AdvanceUntil([&] { return b.waiter.Ready() && a.waiter.Ready(); }, 1s));
  }
  const auto exceeded = GraceExceeded::From(result);
  ASSERT_TRUE(exceeded.has_value()) << result;
  EXPECT_THAT(EndOf(*served.recorder),
              ElementsAre(EventKind::kShutdownRequested, EventKind::kGraceExceeded));
  const Event verdict = *served.recorder->Await(Recorder::Is(EventKind::kGraceExceeded));
  EXPECT_EQ(verdict.grace(), 30s);
  EXPECT_EQ(verdict.count(), 2u);
  EXPECT_EQ(verdict.reason(), "a, b");
  EXPECT_EQ(exceeded->grace, 30s);
  ASSERT_EQ(exceeded->stuck.size(), 2u);
  EXPECT_EQ(exceeded->stuck[0].name, "a");

  one.LetGo();
  two.LetGo();
  EXPECT_TRUE(a.waiter.Drained().ok());
  EXPECT_TRUE(b.waiter.Drained().ok());
}

}  // namespace
}  // namespace taskvisor::testing
