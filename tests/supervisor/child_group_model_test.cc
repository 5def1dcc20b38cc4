// Model of an attempt and its children (supervisor/child_group.h with actor_state.h): see
// tests/support/model.h. A body that has more children, children that end, and who cancels.

#include <gtest/gtest.h>

#include <memory>

#include "sched/event_count.h"
#include "supervisor/actor_state.h"
#include "supervisor/child_group.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;
using Rest = ActorState::Rest;

constexpr size_t kMost = 3;

// One attempt, its worker and its children. A child's task is a flag: asked to stop or not.
class Family {
 public:
  struct Task {
    Child child;
    Atomic<bool> admitted{false};
    Atomic<bool> stopped{false};
    bool left = false;
  };

  Family() {
    state.Reserve();
    static_cast<void>(state.Commit());
    static_cast<void>(state.TryTake());
    static_cast<void>(state.TryBegin());
    for (size_t i = 0; i < kMost; ++i) tasks[i].child.id = TaskId(i + 1, 0);
  }

  // The body's: as Actor::Spawn.
  void Spawn(size_t i) {
    EXPECT_TRUE(group->Enter());
    if (!group->Enlist(tasks[i].child)) tasks[i].stopped.store(true);
    tasks[i].admitted.store(true);
    changed.Notify();
  }

  // A child's end, by itself or because it was asked to: as Children::Leave.
  void End(size_t i, bool when_stopped) {
    Task& task = tasks[i];
    Await(changed, [&] { return task.admitted.load() && (!when_stopped || task.stopped.load()); });
    group->Delist(task.child);
    task.left = true;
    const uint64_t epoch = 1;
    if (group->Leave() && state.Wake(epoch)) Submit();
  }

  // The worker whose body is over, and others that may take the attempt: as Actor::Drive.
  void Join() {
    while (!group->Join()) {
      if (state.TrySuspend(Rest::kJoins, /*keeps_permit=*/false)) return;
      state.TakeWake();
    }
    for (const Task& task : tasks) EXPECT_EQ(task.left, task.admitted.load());
    static_cast<void>(state.Settle());
    group->StopAll([](TaskId) { ADD_FAILURE() << "it has left, and is in the list"; });
    group.reset();  // the attempt's, and it is over: nobody touches it any more
    over.store(true);
    changed.Notify();
  }
  void Work() {
    while (true) {
      Await(changed, [&] { return over.load() || queued.load() > 0; });
      if (over.load()) return;
      const auto one = UpdateIf(
          queued, [](int n) { return n > 0; }, [](int n) { return n - 1; });
      if (!one || !state.TryTake()) continue;
      static_cast<void>(state.TryResume());
      Join();
    }
  }

  // As Actor::Stop: the flag with a pin, then whom it concerns.
  void Cancel(bool cut) {
    const auto pinned = cut ? state.TryCut(1) : state.TryTimeOut(1);
    if (!pinned) return;
    group->StopAll([&](TaskId id) { Ask(id); });
    state.Unpin();
    if (Snapshot{pinned.seen}.Dormant()) Submit();
  }

  ActorState state;
  std::unique_ptr<ChildGroup> group = std::make_unique<ChildGroup>();
  Task tasks[kMost];
  EventCount changed;
  Atomic<int> queued{0};
  Atomic<bool> over{false};

 private:
  void Ask(TaskId id) {
    EXPECT_FALSE(tasks[id.value() - 1].stopped.load()) << "asked twice";
    tasks[id.value() - 1].stopped.store(true);
    changed.Notify();
  }
  void Submit() {
    queued.fetch_add(1);
    changed.Notify();
  }
};

// The worker whose body spawns them all, and another one.
void SpawnWorkers(Model& model, Family& family) {
  model.Spawn("body", [&] {
    for (size_t i = 0; i < kMost; ++i) family.Spawn(i);
    family.Join();
    family.Work();
  });
  model.Spawn("worker", [&] { family.Work(); });
}

// A lost wake shows as "no thread can go on", a group that is used after its attempt as a crash.
TEST(ChildGroupModel, TheAttemptEndsOnceWhenItsLastChildHas) {
  Explore(20'000, [](Model& model) {
    Family family;
    SpawnWorkers(model, family);
    for (size_t i = 0; i < kMost; ++i) {
      model.Spawn("child", [&, i] { family.End(i, /*when_stopped=*/false); });
    }
    model.Run();
    EXPECT_TRUE(family.state.Load().Is(Phase::kSettling));
  });
}

// Children that only end when they are asked to: whoever is forgotten hangs.
TEST(ChildGroupModel, ACancellationReachesEveryChildWheneverItComes) {
  Explore(20'000, [](Model& model) {
    Family family;
    SpawnWorkers(model, family);
    for (size_t i = 0; i < kMost; ++i) {
      const bool when_stopped = i == 0 || model.random().Percent(60);
      model.Spawn("child", [&, i, when_stopped] { family.End(i, when_stopped); });
    }
    // The first of the two cancels; the other finds that done. The body may still be spawning.
    model.Spawn("timer", [&] { family.Cancel(/*cut=*/false); });
    model.Spawn("failed child", [&] { family.Cancel(/*cut=*/true); });
    model.Run();
    EXPECT_TRUE(family.state.Load().Is(Phase::kSettling));
  });
}

// Two threads of one body, and a refusal half-way.
TEST(ChildGroupModel, AnAdmissionThatFailsLeavesNoTrace) {
  Explore(20'000, [](Model& model) {
    Family family;
    Atomic<int> threads{2};
    const auto spawned = [&] {
      if (threads.fetch_sub(1) != 1) return;
      family.Join();
    };
    model.Spawn("thread 1", [&] {
      family.Spawn(0);
      spawned();
      family.Work();
    });
    model.Spawn("thread 2", [&] {
      EXPECT_TRUE(family.group->Enter());
      EXPECT_FALSE(family.group->Leave()) << "the body is not over";
      spawned();
      family.Work();
    });
    model.Spawn("child", [&] { family.End(0, false); });
    model.Run();
    EXPECT_TRUE(family.over.load());
  });
}

TEST(ChildGroupModel, ABodyThatIsOverGetsNoMoreChildren) {
  ChildGroup group;
  ASSERT_TRUE(group.Enter());
  EXPECT_FALSE(group.joining());
  EXPECT_FALSE(group.Join());
  EXPECT_TRUE(group.joining());
  EXPECT_FALSE(group.Enter());
  EXPECT_TRUE(group.Leave()) << "the last one wakes";
  EXPECT_TRUE(group.Join());
}

}  // namespace
}  // namespace taskvisor::internal
