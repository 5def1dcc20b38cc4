// Model of a suspended attempt (supervisor/actor_state.h, supervisor/wake_list.h): see
// tests/support/model.h. Workers that may run it, who sets what it waits for, and who ends it.

#include <gtest/gtest.h>

#include "sched/event_count.h"
#include "supervisor/actor_state.h"
#include "supervisor/wake_list.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

constexpr uint8_t kCause = 1;

// One task with a coroutine body that waits for `things` things, one after the other, and the
// ready queue with its workers.
class Suspending {
 public:
  explicit Suspending(int things) : things_(things) {
    state.Reserve();
    static_cast<void>(state.Commit());
    Submit();
  }

  // A worker: runs what is ready until the task has ended.
  void Work() {
    while (true) {
      Await(ready, [&] { return over.load() || queued.load() > 0; });
      if (over.load()) return;
      if (!UpdateIf(
              queued, [](int n) { return n > 0; }, [](int n) { return n - 1; })) {
        continue;
      }
      const auto taken = state.TryTake();
      if (!taken) continue;
      if (Snapshot{taken.seen}.Is(Phase::kQueued)) {
        ASSERT_TRUE(state.TryBegin() || state.Load().stopped());
        if (!state.Load().Is(Phase::kRunning)) {
          static_cast<void>(state.SettleUnbegun());
          End();
          continue;
        }
      } else if (!stalled && may_stall) {  // no permit is free just now
        stalled = true;
        if (state.TryStall(state.Load())) {
          has_ticket.store(true);
          ready.Notify();
          continue;
        }
        static_cast<void>(state.TryResume());
      } else {
        static_cast<void>(state.TryResume());
      }
      Drive();
    }
  }

  // Sets thing number `n`.
  void Set(int n) {
    Await(ready, [&] { return over.load() || began.load() >= n; });
    WakeList(word[n]).WakeAll();
  }
  void Stop() {
    while (true) {
      const Snapshot seen = state.Load();
      if (seen.Is(Phase::kFree)) return;
      const auto stop = state.RequestStop(seen, kCause);
      if (stop.result == StopResult::kRefused) {
        if (stop.before.Is(Phase::kFinishing)) return;
        continue;
      }
      if (stop.result == StopResult::kTaken) return Finish();
      if (stop.result == StopResult::kPinned) Told(stop.before);
      return;
    }
  }
  void TimeOut(uint64_t epoch) {
    const auto update = state.TryTimeOut(epoch);
    const Snapshot before{update.seen};
    if (update && before.InAttempt()) Told(before);
  }
  void Grant(uint64_t epoch) {
    Await(ready, [&] { return over.load() || has_ticket.load(); });
    if (state.TryGrant(epoch)) Submit();
  }

  ActorState state;
  Atomic<uint64_t> word[3] = {};
  Atomic<int> queued{0};
  Atomic<int> began{-1};  // the thing that it waits for, or is about to
  Atomic<bool> over{false};
  Atomic<bool> has_ticket{false};
  EventCount ready;
  bool may_stall = false;
  bool stalled = false;
  int resumed_for = 0;  // things that were there
  int frames = 1;
  int finishes = 0;
  int in_body = 0;

 private:
  struct Node : WakeNode {
    explicit Node(Suspending& the_task)
        : WakeNode([](WakeNode& node) {
            Node& self = static_cast<Node&>(node);
            EXPECT_TRUE(self.alive) << "woken after it had left";
            self.task.Wake();
            EXPECT_TRUE(self.alive) << "gone under its wake";
          }),
          task(the_task) {}
    Suspending& task;
    bool alive = true;
  };

  void Wake() {
    if (state.Wake(state.Load().epoch())) Submit();
  }
  void Submit() {
    queued.fetch_add(1);
    ready.Notify();
  }
  void Told(Snapshot before) {
    EXPECT_EQ(finishes, 0) << "the attempt is gone under a pin";
    Model::Step();
    EXPECT_EQ(finishes, 0) << "the attempt is gone under a pin";
    state.Unpin();
    if (before.Dormant()) Submit();
  }

  // As Actor::Drive, with the frame's members here.
  void Drive() {
    EXPECT_EQ(in_body++, 0) << "two workers in one body";
    while (true) {
      if (began.load() == -1) Next();
      while (resumed_for < things_ && WakeList(word[resumed_for]).over()) {
        Leave();
        ++resumed_for;
        Next();
      }
      if (resumed_for == things_ || state.Load().cancelled()) break;
      EXPECT_EQ(in_body--, 1);
      if (state.TrySuspend(ActorState::Rest::kWaits, /*keeps_permit=*/false)) return;
      EXPECT_EQ(in_body++, 0) << "two workers in one body";
      state.TakeWake();
    }
    Leave();
    --frames;
    --in_body;
    static_cast<void>(state.Settle());
    End();
  }
  void Next() {
    if (resumed_for == things_) return;
    node_ = new Node(*this);
    static_cast<void>(WakeList(word[resumed_for]).Add(*node_));
    began.store(resumed_for);
    ready.Notify();
  }
  void Leave() {
    if (node_ == nullptr) return;
    WakeList(word[resumed_for]).Remove(*node_);
    node_->alive = false;
    delete node_;
    node_ = nullptr;
  }
  void End() {
    bool stopped = false;
    do {
      stopped = state.Load().stopped();
    } while (!state.TryFinish(stopped));
    Finish();
  }
  void Finish() {
    ++finishes;
    static_cast<void>(state.Release());
    over.store(true);
    ready.Notify();
  }

  const int things_;
  Node* node_ = nullptr;
};

// A lost wake-up shows as "no thread can go on".
TEST(SuspensionModel, NoWakeIsLostAndNoTwoWorkersHaveTheBody) {
  Explore(20'000, [](Model& model) {
    Suspending task(2);
    model.Spawn("worker 1", [&] { task.Work(); });
    model.Spawn("worker 2", [&] { task.Work(); });
    model.Spawn("setter 1", [&] { task.Set(0); });
    model.Spawn("setter 2", [&] { task.Set(1); });
    model.Run();
    EXPECT_EQ(task.resumed_for, 2);
    EXPECT_EQ(task.finishes, 1);
    EXPECT_EQ(task.frames, 0);
  });
}

TEST(SuspensionModel, ACancelAndATimeoutRouseItWhoeverComesFirst) {
  Explore(20'000, [](Model& model) {
    Suspending task(2);
    const uint64_t epoch = task.state.Load().epoch() + 1;
    model.Spawn("worker 1", [&] { task.Work(); });
    model.Spawn("worker 2", [&] { task.Work(); });
    if (model.random().Percent(50)) model.Spawn("setter", [&] { task.Set(0); });
    const bool stop = model.random().Percent(60);
    if (stop) model.Spawn("stopper 1", [&] { task.Stop(); });
    if (stop) model.Spawn("stopper 2", [&] { task.Stop(); });
    if (!stop || model.random().Percent(50)) {
      model.Spawn("timer", [&] {
        // Armed before kRunning: it does not come before the body has begun here.
        Await(task.ready, [&] { return task.over.load() || task.began.load() >= 0; });
        task.TimeOut(epoch);
      });
    }
    model.Spawn("late timer", [&] { static_cast<void>(task.state.Wake(epoch - 1)); });
    model.Run();
    EXPECT_EQ(task.finishes, 1);
    EXPECT_EQ(task.in_body, 0);
    EXPECT_TRUE(task.state.Load().Is(Phase::kFree));
    EXPECT_FALSE(task.state.Load().due());
  });
}

TEST(SuspensionModel, OneThatWaitsForAPermitIsGrantedItOrRoused) {
  Explore(20'000, [](Model& model) {
    Suspending task(1);
    task.may_stall = true;
    const uint64_t epoch = task.state.Load().epoch() + 1;
    model.Spawn("worker 1", [&] { task.Work(); });
    model.Spawn("worker 2", [&] { task.Work(); });
    model.Spawn("setter", [&] { task.Set(0); });
    model.Spawn("giver", [&] { task.Grant(epoch); });
    if (model.random().Percent(60)) model.Spawn("stopper", [&] { task.Stop(); });
    model.Run();
    EXPECT_EQ(task.finishes, 1);
    EXPECT_EQ(task.in_body, 0);
  });
}

// The list alone: who is in it is told once, who has left is never touched.
TEST(SuspensionModel, AListTellsWhoIsInItAndLetsGoOfWhoLeaves) {
  struct Waiter : WakeNode {
    Waiter() : WakeNode([](WakeNode& node) { static_cast<Waiter&>(node).Told(); }) {}
    void Told() {
      EXPECT_TRUE(alive);
      ++told;
      Model::Step();
      EXPECT_TRUE(alive);
    }
    bool alive = true;
    int told = 0;
  };
  Explore(20'000, [](Model& model) {
    Atomic<uint64_t> word{0};
    Waiter waiters[3];
    bool in[3] = {};
    for (int i = 0; i < 3; ++i) {
      model.Spawn("waiter", [&, i] {
        in[i] = WakeList(word).Add(waiters[i]);
        if (i == 2) return;
        Model::Step();
        WakeList(word).Remove(waiters[i]);
        waiters[i].alive = false;
      });
    }
    model.Spawn("waker 1", [&] { WakeList(word).WakeAll(); });
    model.Spawn("waker 2", [&] { WakeList(word).WakeAll(); });
    model.Run();
    EXPECT_TRUE(WakeList(word).over());
    for (const Waiter& waiter : waiters) EXPECT_LE(waiter.told, 1);
    EXPECT_EQ(waiters[2].told, in[2] ? 1 : 0) << "who stays is told";
  });
}

}  // namespace
}  // namespace taskvisor::internal
