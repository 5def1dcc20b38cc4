// Model of sched/cell_lane.h and sched/cell_queue.h: see tests/support/model.h. Strips of two
// cells, blocks of two strips, so that blocks are taken up again all the time.

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "sched/cell_queue.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

struct TinyShape {
  static constexpr size_t kStrip = 2;
  static constexpr size_t kStrips = 2;
};
using Lane = CellLane<uint64_t, TinyShape>;
using Queue = CellQueue<uint64_t, TinyShape>;

constexpr size_t kTakers = 3;

// A queue and who counted what. All threads of a model are one, so one of them may push.
struct Scene {
  explicit Scene(Model& m) : model(m) {}

  void Push(uint64_t count) {
    std::vector<uint64_t> range(count);
    std::iota(range.begin(), range.end(), pushed + 1);
    pushed += count;
    EXPECT_TRUE(count == 1 ? queue.Push(pushed) : queue.PushRange(range.begin(), count));
    rights += count;
    whole += count;
  }
  // Pushes all there is, as much at a time as it likes, and not too far ahead of the takers.
  void PushAll() {
    while (pushed < total) {
      Push(std::min<uint64_t>(1 + model.random().Below(6), total - pushed));
      while (rights > 6) Model::Step();
    }
  }
  void TakeAll(size_t number) {
    Queue::Cursor cursor(queue, number);
    while (taken.size() + in_hand < total) {
      if (rights == 0) {
        Model::Step();
        continue;
      }
      --rights;
      ++in_hand;
      const auto first = model.random().Below(4) == 0 ? Queue::First::kStrays : Queue::First::kOwn;
      uint64_t value = 0;
      while (!queue.TryTake(cursor, value, first, [](uint64_t) {})) Model::Step();
      EXPECT_TRUE(taken.insert(value).second) << value << " came twice";
      --in_hand;
    }
  }

  Model& model;
  Queue queue{kTakers, 1};
  uint64_t total = 30;
  uint64_t pushed = 0;
  uint64_t whole = 0;  // of those, when the push is over
  uint64_t rights = 0;
  uint64_t in_hand = 0;
  std::set<uint64_t> taken;
};

TEST(CellQueueModel, EachElementIsTakenOnceAndWhoCountedFindsOne) {
  Explore(20'000, [](Model& model) {
    Scene scene(model);
    model.Spawn("pusher", [&] { scene.PushAll(); });
    model.Spawn("taker 0", [&] { scene.TakeAll(0); });
    model.Spawn("taker 1", [&] { scene.TakeAll(1); });
    model.Spawn("taker 2", [&] { scene.TakeAll(2); });
    model.Run();
    EXPECT_EQ(scene.taken.size(), scene.total);
    Queue::Cursor cursor(scene.queue, 0);
    uint64_t value = 0;
    EXPECT_FALSE(scene.queue.TryTake(cursor, value, Queue::First::kOwn, [](uint64_t) {}));
  });
}

// A look that finds nothing means that all that was pushed before is taken, or a taker has it in
// hand.
TEST(CellQueueModel, WhoSeesNothingHasMissedNothing) {
  Explore(20'000, [](Model& model) {
    Scene scene(model);
    model.Spawn("pusher", [&] { scene.PushAll(); });
    model.Spawn("taker 0", [&] { scene.TakeAll(0); });
    model.Spawn("taker 1", [&] { scene.TakeAll(1); });
    model.Spawn("looker", [&] {
      const Queue::Cursor cursor(scene.queue, 2);
      while (scene.taken.size() < scene.total) {
        const uint64_t before = scene.whole;
        const bool any = scene.queue.Any(cursor);
        EXPECT_TRUE(any || scene.taken.size() + scene.in_hand >= before);
        Model::Step();
      }
    });
    model.Run();
    Queue::Cursor cursor(scene.queue, 2);
    uint64_t value = 0;
    EXPECT_FALSE(scene.queue.TryTake(cursor, value, Queue::First::kOwn, [](uint64_t) {}));
    EXPECT_FALSE(scene.queue.Any(cursor)) << "who has looked in vain may leave";
  });
}

// Wherever a taker is stopped, it keeps what it has counted, and one element at most.
TEST(CellQueueModel, ATakerThatIsStoppedKeepsOneElementAtMost) {
  Explore(20'000, [](Model& model) {
    Scene scene(model);
    const uint64_t step = 1 + model.random().Below(120);
    bool over = false;
    model.Spawn("pusher", [&] { scene.PushAll(); });
    model.Spawn("stopped", [&] {
      Model::StopAtStep(step, &scene);
      scene.TakeAll(0);
      over = true;
    });
    model.Spawn("taker", [&] { scene.TakeAll(1); });
    model.Spawn("thaws it", [&] {
      while (scene.taken.size() < scene.total - 1) Model::Step();
      while (!over) {
        Model::WakeAll(&scene);
        Model::Step();
      }
    });
    model.Run();
    EXPECT_EQ(scene.taken.size(), scene.total);
  });
}

// Two takers lose claims to each other until nothing is left. What is pushed then comes in its
// order, also to one that looks for strays first.
TEST(CellQueueModel, AClaimThatWasLostPutsNothingBeforeItsTurn) {
  Explore(20'000, [](Model& model) {
    Queue queue(/*takers=*/2, /*parts=*/32);
    const uint64_t total = 2 + model.random().Below(6);
    uint64_t pushed = 0;
    uint64_t taken = 0;
    Queue::Cursor cursors[] = {{queue, 0}, {queue, 1}};
    const auto take = [&](Queue::Cursor& cursor, Queue::First first) {
      uint64_t value = 0;
      return queue.TryTake(cursor, value, first, [](uint64_t) {}) ? value : 0;
    };
    model.Spawn("pusher", [&] {
      while (pushed < total) EXPECT_TRUE(queue.Push(++pushed));
    });
    for (Queue::Cursor& cursor : cursors) {
      model.Spawn("taker", [&] {
        while (taken < total) {
          if (take(cursor, Queue::First::kOwn) != 0) ++taken;
          Model::Step();
        }
      });
    }
    model.Run();
    for (Queue::Cursor& cursor : cursors) ASSERT_EQ(take(cursor, Queue::First::kOwn), 0u);
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(queue.Push(++pushed));
    Queue::First first = Queue::First::kStrays;
    for (uint64_t next = total + 1; next <= pushed; ++next) {
      EXPECT_EQ(take(cursors[1], first), next);
      first = Queue::First::kOwn;
    }
  });
}

// Its own strip is not where a taker looks for strays, so it must not say that something is there:
// it would look for ever, while a pusher stands in the middle of a range.
TEST(CellQueueModel, WhatATakerWouldNotTakeIsNotSomething) {
  Queue queue(/*takers=*/2, /*parts=*/1);
  Queue::Cursor cursor(queue, 0);
  uint64_t value = 0;
  ASSERT_TRUE(queue.Push(1));
  ASSERT_TRUE(queue.TryTake(cursor, value, Queue::First::kOwn, [](uint64_t) {}));
  Lane& lane = queue.lanes_[0];
  queue.shown_[0].strip.store(&lane.block_->cells[0]);
  lane.block_->cells[1].store(2);  // filled, and not counted yet
  EXPECT_FALSE(queue.TryTake(cursor, value, Queue::First::kOwn, [](uint64_t) {}));
  queue.shown_[0].strip.store(&lane.block_->cells[0]);
  EXPECT_FALSE(queue.Any(cursor));
  lane.block_->cells[1].store(0);
}

// Of one taker that is busy all elements are gone, and its strip is used again, lap after lap: that
// keeps nobody from what strays in another's.
TEST(CellQueueModel, StraysOfEachTakerHaveTheirTurn) {
  constexpr auto kNoCall = [](uint64_t) {};
  Queue queue(3, 1);
  Queue::Cursor cursor(queue, 0);
  Queue::Cursor robbed(queue, 1);
  Queue::Cursor busy(queue, 2);
  uint64_t pushed = 0;
  const auto push = [&] { ASSERT_TRUE(queue.Push(++pushed)); };
  for (int i = 0; i < 18; ++i) push();
  uint64_t value = 0;
  const auto take = [&](Queue::Cursor& taker, uint64_t element) {
    ASSERT_TRUE(queue.TryTake(taker, value, Queue::First::kOwn, kNoCall));
    ASSERT_EQ(value, element);
  };
  // The first element that a taker claims comes alone, then two, as many as a strip has.
  for (uint64_t element = 1; element <= 4; ++element) take(cursor, element);
  take(robbed, 5);
  take(cursor, 6);
  take(robbed, 7);
  take(busy, 9);
  take(cursor, 10);
  take(busy, 11);
  const Queue::Cell* const strip = queue.shown_[1].strip.load();
  int looks = 0;
  for (int i = 0; i < 2000 && value != 8; ++i) {
    push();
    const bool filled = strip[0].load() != 0 || strip[1].load() != 0;
    looks += filled;
    const auto first = filled ? Queue::First::kStrays : Queue::First::kOwn;
    ASSERT_TRUE(queue.TryTake(cursor, value, first, kNoCall));
  }
  EXPECT_EQ(value, 8u);
  EXPECT_LE(looks, 4);
}

// Ranges do not overlap, have all been filled, and come in the order of the positions.
TEST(CellLaneModel, RangesAreFilledAndInOrder) {
  Explore(20'000, [](Model& model) {
    constexpr uint64_t kTotal = 24;
    Lane lane;
    uint64_t taken = 0;
    std::set<uint64_t> all;
    model.Spawn("pusher", [&] {
      for (uint64_t n = 1; n <= kTotal; ++n) EXPECT_TRUE(lane.Push(n));
    });
    const auto take = [&] {
      uint64_t last = 0;
      while (taken < kTotal) {
        Lane::Cell* shown = nullptr;
        auto [next, end] = lane.Claim(Lane::kStrip, 2, [&](Lane::Cell* strip) { shown = strip; });
        for (; next != end; ++next) {
          EXPECT_TRUE(shown <= next && next < shown + Lane::kStrip);
          uint64_t value = 0;
          EXPECT_TRUE(Lane::TryTake(*next, value)) << "nobody else takes from here";
          EXPECT_GT(value, last);
          last = value;
          EXPECT_TRUE(all.insert(value).second);
          ++taken;
        }
        Model::Step();
      }
    };
    model.Spawn("one", take);
    model.Spawn("two", take);
    model.Run();
    EXPECT_EQ(all.size(), kTotal);
  });
}

// A block is taken up again when it is free: a lane whose takers keep up has two or three.
TEST(CellLaneModel, ABlockIsTakenUpAgain) {
  Lane lane;
  std::set<Lane::Cell*> strips;
  for (uint64_t n = 1; n <= 1000; ++n) {
    ASSERT_TRUE(lane.Push(n));
    const Lane::Range range =
        lane.Claim(Lane::kStrip, 2, [&](Lane::Cell* strip) { strips.insert(strip); });
    ASSERT_EQ(range.end - range.next, 1);
    uint64_t value = 0;
    ASSERT_TRUE(Lane::TryTake(*range.next, value));
    ASSERT_EQ(value, n);
  }
  EXPECT_LE(strips.size(), 2 * TinyShape::kStrips);
}

}  // namespace
}  // namespace taskvisor::internal
