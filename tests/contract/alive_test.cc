// M. The alive tracker: its entries (138-142).

#include "supervisor/alive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

#include "tests/contract/about.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using internal::AliveTracker;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr EventMask kLifecycle{EventKind::kTaskStarting,   EventKind::kTaskStopped,
                               EventKind::kTaskFailed,     EventKind::kTimeoutHit,
                               EventKind::kActorExhausted, EventKind::kActorDead,
                               EventKind::kTaskRemoved};

TEST(ContractAlive, S138_OtherEventsAreIgnoredAndDoNotAdvanceTheSequence) {
  AliveTracker fresh, running;
  EXPECT_TRUE(running.Update(About(EventKind::kTaskStarting, 1, 7, "task")));
  for (int i = 0; i < kEventKindCount; ++i) {
    const auto kind = static_cast<EventKind>(i);
    if (kLifecycle.Has(kind)) continue;
    SCOPED_TRACE(Label(kind));
    EXPECT_FALSE(fresh.Update(About(kind, 100, 7, "task")));
    EXPECT_FALSE(running.Update(About(kind, 100, 7, "task")));
    EXPECT_FALSE(fresh.IsAlive("task"));
    EXPECT_TRUE(running.IsAlive("task"));
  }
  EXPECT_EQ(fresh.size(), 0u);
  // 100 was not noted: 2 is still news.
  EXPECT_TRUE(running.Update(About(EventKind::kTaskStopped, 2, 7, "task")));
  EXPECT_TRUE(fresh.Update(About(EventKind::kTaskStarting, 2, 7, "task")));
}

TEST(ContractAlive, S139_TheKeyIsTheIdWherePresentElseTheName) {
  AliveTracker tracker;
  // Two ids under one name are two.
  tracker.Update(About(EventKind::kTaskStarting, 1, 7, "name"));
  tracker.Update(About(EventKind::kTaskStarting, 2, 8, "name"));
  EXPECT_EQ(tracker.size(), 2u);
  // Without an id the name is the key, and another one than any id's.
  tracker.Update(About(EventKind::kTaskStarting, 3, 0, "name"));
  tracker.Update(About(EventKind::kTaskStarting, 4, 0, "other"));
  EXPECT_EQ(tracker.size(), 4u);
  tracker.Update(About(EventKind::kTaskStopped, 5, 0, "other"));
  EXPECT_FALSE(tracker.IsAlive("other"));
  // An id keeps its entry, whatever the name says.
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskRemoved, 6, 7, "renamed")));
  EXPECT_EQ(tracker.size(), 3u);
  EXPECT_TRUE(tracker.IsAlive("name")) << "8 and the one without an id";
}

TEST(ContractAlive, S140_AnEventThatIsNotNewerIsIgnored) {
  AliveTracker tracker;
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskStarting, 5, 7, "task")));
  for (const EventKind kind :
       {EventKind::kTaskStopped, EventKind::kActorDead, EventKind::kTaskRemoved}) {
    EXPECT_FALSE(tracker.Update(About(kind, 4, 7, "task"))) << "older";
    EXPECT_FALSE(tracker.Update(About(kind, 5, 7, "task"))) << "equal";
    EXPECT_TRUE(tracker.IsAlive("task"));
  }
  // The sequence is each key's own.
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskStarting, 3, 8, "other")));
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskStopped, 6, 7, "task")));
  EXPECT_FALSE(tracker.Update(About(EventKind::kTaskStarting, 6, 7, "task")));
  EXPECT_FALSE(tracker.IsAlive("task"));
}

TEST(ContractAlive, S140_TheFirstEventOfAllIsAccepted) {
  AliveTracker tracker;
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskStarting, 1, 7, "task")));
}

TEST(ContractAlive, S141_StartingMakesAliveAndEveryEndMakesNotAlive) {
  for (const EventKind end :
       {EventKind::kTaskStopped, EventKind::kTaskFailed, EventKind::kTimeoutHit,
        EventKind::kActorExhausted, EventKind::kActorDead}) {
    SCOPED_TRACE(Label(end));
    AliveTracker tracker;
    EXPECT_TRUE(tracker.Update(About(EventKind::kTaskStarting, 1, 7, "task")));
    EXPECT_TRUE(tracker.IsAlive("task"));
    EXPECT_TRUE(tracker.Update(About(end, 2, 7, "task")));
    EXPECT_FALSE(tracker.IsAlive("task"));
    EXPECT_EQ(tracker.size(), 1u) << "known, but not alive";
    EXPECT_TRUE(tracker.Update(About(EventKind::kTaskStarting, 3, 7, "task")));
    EXPECT_TRUE(tracker.IsAlive("task"));
  }
}

TEST(ContractAlive, S141_TaskRemovedDeletesIfNewer) {
  AliveTracker tracker;
  tracker.Update(About(EventKind::kTaskStarting, 5, 7, "task"));
  EXPECT_FALSE(tracker.Update(About(EventKind::kTaskRemoved, 4, 7, "task")));
  EXPECT_TRUE(tracker.IsAlive("task"));
  EXPECT_TRUE(tracker.Update(About(EventKind::kTaskRemoved, 6, 7, "task")));
  EXPECT_FALSE(tracker.IsAlive("task"));
  EXPECT_EQ(tracker.size(), 0u);
}

TEST(ContractAlive, S141_ASupervisorsTasksAreAliveWhileTheirBodiesRun) {
  Served served;
  HeldBody body;
  const WatchedTask task = served.Watch(TaskSpec::Once("task", body.Body()));
  served.Await(EventKind::kTaskStarting, task);
  EXPECT_TRUE(served.handle.IsAlive("task"));
  EXPECT_THAT(served.handle.AliveSnapshot(), ElementsAre("task"));
  body.LetGo();
  served.Await(EventKind::kTaskStopped, task);
  EXPECT_FALSE(served.handle.IsAlive("task"));
  EXPECT_THAT(served.handle.AliveSnapshot(), IsEmpty());
}

TEST(ContractAlive, S142_ALateEventOfAnOldRunLeavesANewerRunAlone) {
  AliveTracker tracker;
  tracker.Update(About(EventKind::kTaskStarting, 1, 7, "name"));
  tracker.Update(About(EventKind::kTaskStarting, 10, 8, "name"));
  for (const EventKind late :
       {EventKind::kTaskStopped, EventKind::kActorExhausted, EventKind::kTaskRemoved}) {
    tracker.Update(About(late, 20 + static_cast<uint64_t>(late), 7, "name"));
    EXPECT_TRUE(tracker.IsAlive("name")) << Label(late);
    EXPECT_THAT(tracker.Snapshot(), ElementsAre("name"));
  }
  EXPECT_EQ(tracker.size(), 1u);
}

}  // namespace
}  // namespace taskvisor::testing
