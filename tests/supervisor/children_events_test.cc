// Who a child's parent is: in its events, in List, and in what the flight recorder keeps.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/supervisor/family.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using enum EventKind;

TEST(ChildrenEvents, EveryEventOfAChildNamesItsParentAndNoOthersDoes) {
  for (const std::string name : {"", "child"}) {
    Served s;
    WatchedTask child;
    const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
      auto spec = TaskSpec::Restartable(name, [](TaskContext& own) {
        return own.attempt() < 2 ? Fail("not yet").WithExitCode(3) : Ok();
      });
      child = Spawned(context, std::move(spec).WithCpuTime().WithBackoff(kNoBackoff));
    }));
    EXPECT_TRUE(s.Outcome(parent).IsSuccess());
    EXPECT_EQ(s.Story(child), (std::vector{kTaskAddRequested, kTaskAdded, kTaskStarting,
                                           kTaskFailed, kBackoffScheduled, kTaskStarting,
                                           kTaskStopped, kActorExhausted, kTaskRemoved}));
    s.Await(kTaskRemoved, parent);
    for (const Event& event : s.recorder->Events()) {
      if (event.id() != child.id) {
        EXPECT_EQ(event.parent_id(), std::nullopt) << event.ToString();
        continue;
      }
      ASSERT_TRUE(event.parent_id().has_value()) << event.ToString();
      EXPECT_EQ(event.parent_id()->value(), parent.id.value());
      EXPECT_EQ(event.task(), name.empty() ? child.id.ToString() : name);
      const std::string told = " parent=" + std::to_string(parent.id.value());
      EXPECT_NE(event.ToString().find(told), std::string::npos) << event.ToString();
    }
    const Event failed = s.Await(kTaskFailed, child);
    EXPECT_EQ(failed.reason(), "not yet");
    EXPECT_EQ(failed.exit_code(), 3);
    EXPECT_TRUE(failed.duration() && failed.queue_wait() && failed.cpu_time());
  }
}

TEST(ChildrenEvents, ARefusedChildsEventsNameItsParentToo) {
  Served s;
  const auto parent = s.Watch(TaskSpec::Once("taken", [&](TaskContext& context) {
    EXPECT_FALSE(context.Spawn(TaskSpec::Once("taken", [] {})).ok());
  }));
  s.Await(kTaskRemoved, parent);
  size_t told = 0;
  for (const Event& event : s.recorder->Events()) {
    if (event.id() == parent.id) continue;
    EXPECT_EQ(event.parent_id()->value(), parent.id.value()) << event.ToString();
    ++told;
  }
  EXPECT_EQ(told, 2u);  // requested, failed
}

TEST(ChildrenEvents, TimeoutsAndStuckOnesNameTheirParent) {
  Served s({.workers = 2, .grace = 1s});
  HeldBody held;
  WatchedTask child;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    child = Spawned(context, TaskSpec::Once("child", held.Body()).WithTimeout(2s));
  }));
  ASSERT_TRUE(held.Inside());
  AwaitJoining(s, parent);
  s.Advance(2s);
  EXPECT_EQ(s.Await(kTimeoutHit, child).parent_id()->value(), parent.id.value());
  EXPECT_TRUE(s.handle.Remove(child.id).value());
  s.Advance(1s);
  EXPECT_EQ(s.Await(kActorDead, child).parent_id()->value(), parent.id.value());
  held.LetGo();
  EXPECT_EQ(s.Await(kTaskRemoved, child).parent_id()->value(), parent.id.value());
}

TEST(ChildrenEvents, ListShowsWhoseChildATaskIs) {
  Served s({.workers = 3});
  HeldBody held;
  WatchedTask child;
  WatchedTask grandchild;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    child = Spawned(context, TaskSpec::Once([&](TaskContext& own) {
                      grandchild = Spawned(own, TaskSpec::Once(held.Body()).WithDeadline(1h));
                    }));
  }));
  ASSERT_TRUE(held.Inside());
  AwaitJoining(s, parent);
  AwaitJoining(s, child);
  const auto other = s.Watch(TaskSpec::Once(&UntilCancelled).WithDeadline(1h));
  const auto tasks = s.handle.List();
  ASSERT_EQ(tasks.size(), 4u);
  EXPECT_FALSE(tasks[0].parent.valid());
  EXPECT_EQ(tasks[1].parent, parent.id);
  EXPECT_EQ(tasks[2].parent, child.id);
  EXPECT_EQ(tasks[3].id, other.id);
  EXPECT_FALSE(tasks[3].parent.valid());
  held.LetGo();
  EXPECT_TRUE(s.Outcome(parent).IsSuccess());
  // The same places of the rules, and nobody's child.
  const auto again = s.Watch(TaskSpec::Once(&UntilCancelled).WithDeadline(1h));
  for (const TaskInfo& task : s.handle.List()) EXPECT_FALSE(task.parent.valid());
  EXPECT_TRUE(s.handle.Remove(again.id).value());
}

TEST(ChildrenEvents, TheFlightRecorderKeepsIt) {
  Served s;
  WatchedTask child;
  const auto parent = s.Watch(TaskSpec::Once([&](TaskContext& context) {
    child = Spawned(context, TaskSpec::Once("a child with a name that is longer than others",
                                            [] { return Fail(std::string(255, 'x')); }));
  }));
  s.Await(kTaskRemoved, parent);
  std::FILE* const file = std::tmpfile();
  s.handle.DumpRecent(fileno(file));
  std::rewind(file);
  std::string dumped;
  std::array<char, 4096> part;
  while (const size_t size = std::fread(part.data(), 1, part.size(), file)) {
    dumped.append(part.data(), size);
  }
  std::fclose(file);
  const std::string line = " task_removed task=a child with a name that is longer than others id=" +
                           std::to_string(child.id.value()) +
                           " parent=" + std::to_string(parent.id.value()) + " ";
  EXPECT_NE(dumped.find(line), std::string::npos) << dumped;
}

}  // namespace
}  // namespace taskvisor::testing
