// Model of supervisor/actor_state.h: see tests/support/model.h. One task, its worker, and
// all who may act on it from outside at once.

#include <gtest/gtest.h>

#include "sched/event_count.h"
#include "supervisor/actor_state.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

constexpr uint8_t kCause = 1;

// What the rules of actor_state.h promise, as books that every thread checks.
struct Task {
  Task() {
    state.Reserve();
    static_cast<void>(state.Commit());
    submitted = 1;
  }

  // The thread that moved it to kFinishing.
  void Finish() {
    EXPECT_FALSE(finished) << "two finishers";
    finished = true;
    if (!state.Load().abandoned()) GiveOutcome();
    const Snapshot before = state.Release();
    released.store(true);
    if (before.joined() || told_always) gone.Notify();
  }
  void GiveOutcome() {
    Model::Step();
    ++outcomes;
  }
  // A holder of a pin looks at the attempt.
  void TouchAttempt() {
    EXPECT_TRUE(attempt_alive) << "the attempt is gone under a pin";
    Model::Step();
    EXPECT_TRUE(attempt_alive) << "the attempt is gone under a pin";
  }

  void Stop() {
    while (true) {
      const Snapshot seen = state.Load();
      if (seen.epoch() >= first_epoch_of_next || seen.Is(Phase::kFree)) return;
      const auto stop = state.RequestStop(seen, kCause);
      switch (stop.result) {
        case StopResult::kRefused:
          if (stop.before.Is(Phase::kFinishing)) return;
          continue;  // it moved on: look again
        case StopResult::kAlready:
          return;
        case StopResult::kTaken:
          ++stops;
          if (stop.before.has_permit()) ++permits;
          return Finish();
        case StopResult::kPinned:
          ++stops;
          TouchAttempt();
          return state.Unpin();
        case StopResult::kNoted:
          ++stops;
          return;
      }
    }
  }
  void TimeOut(uint64_t epoch) {
    const auto update = state.TryTimeOut(epoch);
    if (!update || !Snapshot{update.seen}.Is(Phase::kRunning)) return;
    ++timeouts;
    EXPECT_FALSE(Snapshot{update.seen}.stopped()) << "a stopped attempt timed out";
    TouchAttempt();
    state.Unpin();
  }
  void Abandon(uint64_t epoch) {
    if (!state.TryAbandon(epoch)) return;
    TouchAttempt();
    GiveOutcome();
    state.Unpin();
  }

  // A worker runs one attempt; true if the body was called.
  bool RunAttempt() {
    const auto taken = state.TryTake();
    if (!taken) return false;
    --submitted;
    if (Snapshot{taken.seen}.has_permit()) ++permits;
    attempt_alive = true;
    const uint64_t epoch = state.Load().epoch() + 1;
    const auto begun = state.TryBegin();
    Snapshot last;
    if (begun) {
      if (Snapshot{begun.seen}.due()) TimeOut(epoch);
      Model::Step();
      last = state.Settle();
      EXPECT_EQ(last.epoch(), epoch);
    } else {
      last = state.SettleUnbegun();
      EXPECT_TRUE(last.stopped());
    }
    attempt_alive = false;
    EXPECT_EQ(last.timed_out(), timeouts > 0 && begun);
    return true;
  }
  // After an attempt: the end.
  void Conclude() {
    bool stopped = false;
    do {
      stopped = state.Load().stopped();
    } while (!state.TryFinish(stopped));
    EXPECT_EQ(state.Load().stopped(), stopped) << "the end was decided without a stop that came";
    Finish();
  }

  void Judge() {
    EXPECT_TRUE(finished);
    EXPECT_EQ(outcomes, 1) << "exactly one outcome";
    EXPECT_LE(stops, 1) << "two claims of one stop";
    EXPECT_LE(timeouts, 1);
    EXPECT_TRUE(state.Load().Is(Phase::kFree));
    EXPECT_FALSE(state.Load().pinned());
    EXPECT_FALSE(attempt_alive);
  }

  ActorState state;
  uint64_t first_epoch_of_next = UINT64_MAX;
  bool told_always = false;  // a Notify at the release, asked for or not
  bool finished = false;
  bool attempt_alive = false;
  int outcomes = 0;
  int stops = 0;
  int timeouts = 0;
  int submitted = 0;
  int permits = 0;  // taken out of the word again
  Atomic<bool> released{false};
  EventCount gone;
};

TEST(ActorStateModel, CancelTimeoutAbandonAndSettleLeaveOneOwner) {
  Explore(20'000, [](Model& model) {
    Task task;
    const uint64_t epoch = task.state.Load().epoch() + 1;
    model.Spawn("worker", [&] {
      if (task.RunAttempt()) task.Conclude();
    });
    model.Spawn("stopper 1", [&] { task.Stop(); });
    model.Spawn("stopper 2", [&] { task.Stop(); });
    model.Spawn("timer", [&] { task.TimeOut(epoch); });
    model.Spawn("grace", [&] {
      task.Abandon(epoch);
      task.Abandon(epoch);
    });
    model.Run();
    task.Judge();
  });
}

// A joiner sleeps until the slot is released, and is always woken.
TEST(ActorStateModel, WhoJoinsIsToldOfTheRelease) {
  Explore(20'000, [](Model& model) {
    Task task;
    const uint64_t epoch = task.state.Load().epoch() + 1;
    const Snapshot first = task.state.Load();
    model.Spawn("worker", [&] {
      if (task.RunAttempt()) task.Conclude();
    });
    model.Spawn("stopper", [&] { task.Stop(); });
    for (const char* name : {"joiner 1", "joiner 2"}) {
      model.Spawn(name, [&] {
        Await(task.gone, [&] {
          while (true) {  // as Registry::AwaitGone
            const Snapshot seen = task.state.Load();
            if (seen.Is(Phase::kFree) || seen.epoch() > epoch) return true;
            if (seen.joined() || task.state.Join(seen)) return false;
          }
        });
        EXPECT_TRUE(task.state.Load().Is(Phase::kFree));
      });
    }
    model.Run();
    // A state of the task that was is good for nothing any more.
    EXPECT_FALSE(task.state.Join(first));
    EXPECT_EQ(task.state.RequestStop(first, kCause).result, StopResult::kRefused);
    task.Judge();
  });
}

// Waiting for a permit: it is granted once or taken by the stopper, never both; a permit
// that was put in the word comes out of it once.
TEST(ActorStateModel, AGrantAndAStopOfAWaitingTaskExcludeEachOther) {
  Explore(20'000, [](Model& model) {
    Task task;
    const uint64_t epoch = task.state.Load().epoch();
    int grants = 0;
    Atomic<bool> queued{false};
    model.Spawn("worker", [&] {
      if (!task.state.TryTake()) return;
      --task.submitted;
      if (task.state.TryPark()) return;
      ASSERT_TRUE(task.state.TryFinish(/*stopped=*/true));
      task.Finish();
    });
    for (const char* name : {"giver 1", "giver 2"}) {
      model.Spawn(name, [&] {
        if (!task.state.TryGrant(epoch)) return;
        ++grants;
        ++task.submitted;
        queued.store(true);
        if (task.RunAttempt()) task.Conclude();
      });
    }
    model.Spawn("giver to a stale ticket", [&] { EXPECT_FALSE(task.state.TryGrant(epoch + 1)); });
    const bool stop = model.random().Percent(80);
    if (stop) model.Spawn("stopper", [&] { task.Stop(); });
    model.Run();
    EXPECT_LE(grants, 1);
    EXPECT_EQ(task.permits, grants) << "a permit got lost, or came out twice";
    if (!task.finished) {  // nobody came in time: it waits on, and can still be stopped
      EXPECT_FALSE(stop);
      EXPECT_TRUE(task.state.Load().Is(Phase::kWaiting) || task.submitted == 1);
      task.Stop();
    }
    task.Judge();
  });
}

// A wait between two attempts: whoever ends it, timer or stopper, is alone; a timer that
// fires before the wait has begun is not lost; one of the attempt before wakes nobody.
TEST(ActorStateModel, AWakeAndAStopOfADelayedTaskExcludeEachOther) {
  Explore(20'000, [](Model& model) {
    Task task;
    const uint64_t epoch = task.state.Load().epoch() + 1;
    int queued = 0;
    bool waited = false;
    model.Spawn("worker", [&] {
      if (!task.RunAttempt()) return;
      const auto delayed = task.state.TryDelay();
      if (!delayed) return task.Conclude();
      waited = true;
      if (Snapshot{delayed.seen}.due()) ++queued;
    });
    model.Spawn("timer", [&] {
      const auto woken = task.state.TryWake(epoch);
      if (woken && Snapshot{woken.seen}.Is(Phase::kDelaying)) ++queued;
    });
    model.Spawn("late timer", [&] {
      // An attempt that was stopped before its body does not raise the epoch; it waits for
      // nothing any more either.
      const auto woken = task.state.TryWake(epoch - 1);
      EXPECT_TRUE(!woken || Snapshot{woken.seen}.stopped());
    });
    const bool stop = model.random().Percent(80);
    if (stop) model.Spawn("stopper", [&] { task.Stop(); });
    model.Run();
    EXPECT_LE(queued, 1);
    const Snapshot end = task.state.Load();
    EXPECT_FALSE(end.due()) << "a wake-up was noted and forgotten";
    EXPECT_EQ(task.finished, stop);
    if (!task.finished) {
      EXPECT_TRUE(waited);
      EXPECT_TRUE(end.Is(queued == 1 ? Phase::kQueued : Phase::kDelaying));
      task.Stop();
    }
    task.Judge();
  });
}

// Two lives of one slot: nothing that was meant for the first touches the second.
TEST(ActorStateModel, WhatIsMeantForOneLifeNeverTouchesTheNext) {
  Explore(20'000, [](Model& model) {
    Task task;
    task.told_always = true;
    const Snapshot first = task.state.Load();
    const uint64_t epoch = first.epoch() + 1;
    Atomic<bool> second_life{false};
    model.Spawn("worker", [&] {
      if (task.RunAttempt()) task.Conclude();
      Await(task.gone, [&] { return task.released.load(); });
      task.state.Reserve();
      second_life.store(true);
      EXPECT_FALSE(task.state.Commit().stopped());
    });
    for (const char* name : {"stopper 1", "stopper 2"}) {
      model.Spawn(name, [&] {
        // Only as long as the state it saw is the task's: it never looks it up again.
        const auto stop = task.state.RequestStop(first, kCause);
        if (stop.result == StopResult::kTaken) task.Finish();
        if (stop.result == StopResult::kPinned) task.state.Unpin();
      });
    }
    model.Spawn("timer", [&] {
      const bool early = !second_life.load();
      const auto update = task.state.TryTimeOut(epoch);
      if (update && Snapshot{update.seen}.Is(Phase::kRunning)) {
        ++task.timeouts;
        EXPECT_TRUE(early);
        task.state.Unpin();
      }
    });
    model.Spawn("ticket", [&] { EXPECT_FALSE(task.state.TryGrant(first.epoch())); });
    model.Spawn("delay", [&] {
      while (!second_life.load()) {
      }
      EXPECT_FALSE(task.state.TryWake(epoch).done);
    });
    model.Run();
    const Snapshot end = task.state.Load();
    EXPECT_TRUE(end.Is(Phase::kQueued));
    EXPECT_FALSE(end.stopped());
    EXPECT_FALSE(end.pinned());
    EXPECT_FALSE(end.due());
    EXPECT_EQ(task.outcomes, 1);
  });
}

}  // namespace
}  // namespace taskvisor::internal
