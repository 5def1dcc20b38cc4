// Model of the inbox protocol of sched/timer_queue.h, the wheel included: see
// tests/support/model.h. Time is the model's: it passes only when nobody can go on, and
// then to the earliest deadline that the timer thread really sleeps until, so a timer that
// is forgotten, or looked for too late, shows as late.
//
// Compiled without access control: the timer thread's loop runs as one of the model's
// threads.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "sched/timer_queue.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

constexpr int64_t kMs = 1'000'000;

class ModelClock final : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(Duration(Model::Now())); }
  WallTime WallAt(TimePoint) const override { return {}; }
  bool RunsByItself() const override { return true; }
  void Watch(const void*, std::function<void()>) override {}
  void Unwatch(const void*) override {}
};

struct Scene;

struct ProbeTimer : Timer {
  ProbeTimer() : Timer(&OnFire) {}
  static void OnFire(Timer& timer, uint64_t tag);

  Scene* scene = nullptr;
  int64_t expected = 0;  // of the current arming
  uint64_t tag_armed = 0;
  int fired = 0;
};

struct Scene {
  Scene() {
    for (ProbeTimer& timer : timers) timer.scene = this;
  }

  void Arm(ProbeTimer& timer, int64_t at) {
    timer.expected = at;
    ++timer.tag_armed;
    open.fetch_add(1);
    queue.Arm(timer, TimePoint(Duration(at)), timer.tag_armed);
  }
  // As a model thread: until everything armed has fired, then the end.
  void Close(int owners) {
    Await(changed, [&] { return owners_done.load() == owners && open.load() == 0; });
    queue.stop_.store(true);
    queue.events_.Notify();
  }
  void OwnerDone() {
    owners_done.fetch_add(1);
    changed.Notify();
  }

  // A look that fires something, and the rest after it.
  struct Look {
    int64_t at = -1;
    int64_t rested_until = 0;  // before this look
    int64_t rests_until = 0;
  };
  // A timer that falls into a rest may wait for its end; any other fires on time.
  int64_t LatestFor(int64_t deadline) {
    if (look.at != Model::Now()) {
      look.at = Model::Now();
      look.rested_until = look.rests_until;
      if (look.at >= look.rests_until) look.rests_until = look.at + TimerQueue::kGather.count();
    }
    return std::max(deadline, look.rested_until);
  }

  Look look;
  // Time also passes while threads are busy. If it does not, it moves only because the timer
  // thread sleeps, and then never past a deadline.
  bool hasty = false;
  TimerQueue queue{std::make_shared<ModelClock>()};
  std::array<ProbeTimer, 3> timers;
  Atomic<int> open{0};  // armings that have neither fired nor been cancelled
  Atomic<int> owners_done{0};
  EventCount changed;
};

void ProbeTimer::OnFire(Timer& timer, uint64_t tag) {
  auto& self = static_cast<ProbeTimer&>(timer);
  EXPECT_EQ(tag, self.tag_armed) << "fired for another arming";
  EXPECT_GE(Model::Now(), self.expected) << "fired early";
  const int64_t latest = self.scene->LatestFor(self.expected);
  EXPECT_TRUE(self.scene->hasty || Model::Now() <= latest) << "fired late";
  ++self.fired;
  self.scene->open.fetch_sub(1);
  self.scene->changed.Notify();
}

void RunLoop(Model& model, Scene& scene, int owners) {
  model.Spawn("timer thread", [&] { scene.queue.Loop(); });
  model.Spawn("closer", [&scene, owners] { scene.Close(owners); });
  model.Run();
}

TEST(TimerQueueModel, WhatIsArmedFiresOnceAtItsDeadline) {
  Explore(10'000, [](Model& model) {
    Scene scene;
    for (ProbeTimer& timer : scene.timers) {
      const auto at = static_cast<int64_t>(model.random().Below(4)) * kMs / 2 + 1;
      model.Spawn("owner", [&scene, &timer, at] {
        scene.Arm(timer, at);
        scene.OwnerDone();
      });
    }
    RunLoop(model, scene, 3);
    for (const ProbeTimer& timer : scene.timers) EXPECT_EQ(timer.fired, 1);
  });
}

// Owners who arm without a pause for what comes due during the thread's rest do not put
// each other off.
TEST(TimerQueueModel, WhatFallsIntoARestIsLateByThatRestAtMost) {
  Explore(10'000, [](Model& model) {
    Scene scene;
    for (ProbeTimer& timer : scene.timers) {
      std::array<int64_t, 3> delays{};
      for (int64_t& delay : delays) {
        delay = 1 + static_cast<int64_t>(model.random().Below(8)) * TimerQueue::kGather.count() / 4;
      }
      model.Spawn("owner", [&scene, &timer, delays] {
        for (int turn = 0; turn < 3; ++turn) {
          scene.Arm(timer, Model::Now() + delays[static_cast<size_t>(turn)]);
          Await(scene.changed, [&] { return timer.fired == turn + 1; });
        }
        scene.OwnerDone();
      });
    }
    RunLoop(model, scene, 3);
    for (const ProbeTimer& timer : scene.timers) EXPECT_EQ(timer.fired, 3);
  });
}

// The owner takes its timer back and arms it for an earlier or a later point, while others
// are armed: nothing fires twice, for an old arming, or late because of another.
void RearmAndCancel(Model& model, Scene& scene) {
  for (ProbeTimer& timer : scene.timers) {
    std::array<int64_t, 3> at{};
    for (int64_t& a : at) a = (1 + static_cast<int64_t>(model.random().Below(50))) * kMs / 4;
    model.Spawn("owner", [&scene, &timer, at] {
      size_t cancelled = 0;
      while (cancelled < at.size()) {
        scene.Arm(timer, Model::Now() + at[cancelled]);
        if (!scene.queue.Cancel(timer)) break;  // too late: it fires, or has fired
        ++cancelled;
        scene.open.fetch_sub(1);
      }
      if (cancelled == at.size()) scene.Arm(timer, Model::Now() + at[0]);
      scene.OwnerDone();
    });
  }
}

TEST(TimerQueueModel, RearmingOneTimerMakesNoOtherLate) {
  Explore(10'000, [](Model& model) {
    Scene scene;
    RearmAndCancel(model, scene);
    RunLoop(model, scene, 3);
    for (const ProbeTimer& timer : scene.timers) EXPECT_EQ(timer.fired, 1);
  });
}

// The owner never cancels: it arms again for a later or an earlier point, as an Entry does.
// An older arming may fire, with its old tag; the last one does, and not early.
struct RearmedTimer : Timer {
  RearmedTimer() : Timer(&OnFire) {}
  static void OnFire(Timer& timer, uint64_t tag) {
    auto& self = static_cast<RearmedTimer&>(timer);
    if (tag == self.last_armed) {
      EXPECT_GE(Model::Now(), self.deadlines[tag]) << "fired early";
    }
    self.last_fired = std::max(self.last_fired, tag);
    self.changed.Notify();
  }

  std::array<int64_t, 5> deadlines{};  // by tag
  uint64_t last_armed = 0;
  uint64_t last_fired = 0;
  EventCount changed;
};

void RearmWithoutCancel(Model& model, TimerQueue& queue, std::array<RearmedTimer, 2>& timers) {
  for (RearmedTimer& timer : timers) {
    std::array<int64_t, 4> after{};
    for (int64_t& a : after) a = static_cast<int64_t>(model.random().Below(50)) * kMs / 4;
    model.Spawn("owner", [&queue, &timer, after] {
      uint64_t tag = 0;
      for (const int64_t a : after) {
        timer.deadlines[++tag] = Model::Now() + a;
        timer.last_armed = tag;
        queue.Arm(timer, TimePoint(Duration(timer.deadlines[tag])), tag);
      }
    });
  }
  model.Spawn("timer thread", [&queue] { queue.Loop(); });
  model.Spawn("closer", [&] {
    for (RearmedTimer& timer : timers) {
      Await(timer.changed, [&] { return timer.last_fired == timer.deadlines.size() - 1; });
    }
    queue.stop_.store(true);
    queue.events_.Notify();
  });
  model.Run();
}

TEST(TimerQueueModel, TheLastOfSeveralArmingsFiresAndNoneEarly) {
  Explore(40'000, [](Model& model) {
    TimerQueue queue(std::make_shared<ModelClock>());
    std::array<RearmedTimer, 2> timers;
    model.Spawn("clock", [] {
      for (int step = 0; step < 60; ++step) {
        Model::Advance(kMs / 4);
        Model::Step();
      }
    });
    RearmWithoutCancel(model, queue, timers);
    for (const RearmedTimer& timer : timers) EXPECT_EQ(timer.last_fired, 4u);
  });
}

TEST(TimerQueueModel, ATimerIsCancelledOrFiresButNeverBoth) {
  Explore(40'000, [](Model& model) {
    Scene scene;
    scene.hasty = true;
    RearmAndCancel(model, scene);
    model.Spawn("clock", [] {
      for (int step = 0; step < 100; ++step) {
        Model::Advance(kMs / 8);
        Model::Step();
      }
    });
    RunLoop(model, scene, 3);
    for (const ProbeTimer& timer : scene.timers) EXPECT_EQ(timer.fired, 1);
  });
}

}  // namespace
}  // namespace taskvisor::internal
