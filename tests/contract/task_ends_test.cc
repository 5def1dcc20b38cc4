// A. Events: of the end of a task (20-21).

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/served.h"
#include "tests/contract/subscribers.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

constexpr EventMask kEnd{EventKind::kActorExhausted, EventKind::kActorDead};

// The one end event of a task that is gone, of this kind; between its last attempt and
// its removal.
void ExpectOneEnd(Served& served, const WatchedTask& task, EventKind kind, OutcomeKind outcome) {
  served.Await(EventKind::kTaskRemoved, task);
  const std::vector<Event> story =
      served.recorder->Events([&](const Event& e) { return e.id() == task.id; });
  ASSERT_GE(story.size(), 2u);
  EXPECT_EQ(story.back().kind(), EventKind::kTaskRemoved);
  const Event& end = story[story.size() - 2];
  EXPECT_EQ(end.kind(), kind);
  EXPECT_EQ(end.outcome_kind(), outcome);
  EXPECT_EQ(served.recorder->Count(
                [&](const Event& e) { return e.id() == task.id && kEnd.Has(e.kind()); }),
            1u);
  EXPECT_EQ(served.Outcome(task).kind(), outcome);
}

TEST(ContractEvents, S020_OneEndEventWithTheOutcomeKindForEveryTask) {
  Served served;
  const auto end_of = [&](const char* script, EventKind kind, OutcomeKind outcome) {
    SCOPED_TRACE(script);
    ExpectOneEnd(served, served.Watch(TaskSpec::Once("task", Scripted(script))), kind, outcome);
  };
  end_of("s", EventKind::kActorExhausted, OutcomeKind::kCompleted);
  end_of("f", EventKind::kActorExhausted, OutcomeKind::kFailed);
  end_of("t", EventKind::kActorExhausted, OutcomeKind::kFailed);
  end_of("x", EventKind::kActorDead, OutcomeKind::kFatal);
  end_of("c", EventKind::kActorDead, OutcomeKind::kCancelled);

  const WatchedTask coded =
      served.Watch(TaskSpec::Once([] { return Fatal("broken").WithExitCode(70); }));
  const Event end = served.Await(EventKind::kActorDead, coded);
  EXPECT_EQ(end.reason(), "broken");
  EXPECT_EQ(end.exit_code(), 70);
}

TEST(ContractEvents, S020_ATaskCancelledBeforeItsFirstAttemptHasAnEndEventToo) {
  SupervisorConfig config;
  config.workers = 1;
  Served served(std::move(config));
  HeldBody body;
  const WatchedTask busy = served.Watch(TaskSpec::Once("busy", body.Body()));
  ASSERT_TRUE(body.Inside());
  const WatchedTask queued = served.Watch(TaskSpec::Once("queued", DoNothing));
  EXPECT_TRUE(*served.handle.Remove(queued.id));
  ExpectOneEnd(served, queued, EventKind::kActorDead, OutcomeKind::kCancelled);
  EXPECT_EQ(served.Count(EventKind::kTaskStarting, queued), 0u);
}

TEST(ContractEvents, S020_AFailureOfTheActorItselfEndsAsPanicked) {
  SupervisorConfig config;
  config.jitter_source = [](std::string_view, uint64_t) -> double {
    throw std::runtime_error("no dice");
  };
  Served served(std::move(config));
  const WatchedTask task = served.Watch(TaskSpec::Restartable("unlucky", Scripted("f")));
  ExpectOneEnd(served, task, EventKind::kActorDead, OutcomeKind::kPanicked);
}

TEST(ContractEvents, S020_AStuckTaskEndsOnceAndIsRemovedWhenItsBodyIsBack) {
  SupervisorConfig config;
  config.grace = 10ms;
  Served served(std::move(config));
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("stubborn", body.Body()));
  ASSERT_TRUE(body.Inside());
  EXPECT_TRUE(*served.handle.Remove(task.id));
  served.Advance(10ms);
  EXPECT_EQ(served.Await(EventKind::kActorDead, task).outcome_kind(), OutcomeKind::kStuck);
  Flush(served.handle, *served.recorder);
  EXPECT_EQ(served.Count(EventKind::kTaskRemoved, task), 0u);
  body.LetGo();
  ExpectOneEnd(served, task, EventKind::kActorDead, OutcomeKind::kStuck);
}

TEST(ContractEvents, S020_TheEndComesAfterTheActorIsJoined) {
  // What the body holds is gone when the end event is delivered.
  std::weak_ptr<int> held;
  Gate seen;
  bool gone = false;
  auto listener = std::make_shared<Listener>(
      "joined",
      [&](const Event&) {
        gone = held.expired();
        seen.Open();
      },
      kEnd);
  SupervisorConfig config;
  config.subscribers = {listener};
  Served served(std::move(config));
  auto owned = std::make_shared<int>(1);
  held = owned;
  served.Watch(TaskSpec::Once([keep = std::move(owned)] { EXPECT_EQ(*keep, 1); }));
  ASSERT_TRUE(seen.Wait());
  EXPECT_TRUE(gone);
}

TEST(ContractEvents, S021_TaskRemovedIsTheLastEventAndTheNameIsFree) {
  std::optional<SupervisorHandle> handle;
  Gate added_all;
  int again = 0;
  absl::Status refused;
  auto listener = std::make_shared<Listener>(
      "again",
      [&](const Event& event) {
        if (again == 50 || event.task() != "name") return;
        const auto added = handle->TryAdd(TaskSpec::Once("name", DoNothing));
        refused.Update(added.status());
        if (++again == 50 || !added.ok()) added_all.Open();
      },
      EventMask{EventKind::kTaskRemoved});
  SupervisorConfig config;
  config.subscribers = {listener};
  Served served(std::move(config));
  handle = served.handle;
  served.Watch(TaskSpec::Once("name", DoNothing));
  ASSERT_TRUE(added_all.Wait());
  EXPECT_TRUE(refused.ok()) << refused;
  ASSERT_TRUE(served.supervisor->Shutdown().ok());

  const auto removed = served.recorder->Events(Recorder::Is(EventKind::kTaskRemoved));
  EXPECT_EQ(removed.size(), 51u);
  for (const Event& event : removed) {
    ASSERT_TRUE(event.id().has_value());
    EXPECT_EQ(event.task(), "name");
    const auto story = served.recorder->KindsOf(*event.id());
    EXPECT_EQ(story.back(), EventKind::kTaskRemoved);
    EXPECT_EQ(std::count(story.begin(), story.end(), EventKind::kTaskRemoved), 1);
  }
}

}  // namespace
}  // namespace taskvisor::testing
