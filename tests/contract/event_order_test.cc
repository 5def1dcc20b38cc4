// B. The order of events (27-28).

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

// One letter an event, in the order of statement 27; requests to stop are left out.
std::string Letters(const std::vector<EventKind>& kinds) {
  std::string letters;
  for (const EventKind kind : kinds) {
    switch (kind) {
      case EventKind::kTaskAddRequested:
        letters += 'q';
        break;
      case EventKind::kTaskAdded:
        letters += 'a';
        break;
      case EventKind::kTaskStarting:
        letters += 's';
        break;
      case EventKind::kTimeoutHit:
        letters += 't';
        break;
      case EventKind::kTaskStopped:
      case EventKind::kTaskFailed:
        letters += 'e';
        break;
      case EventKind::kBackoffScheduled:
        letters += 'b';
        break;
      case EventKind::kActorExhausted:
      case EventKind::kActorDead:
        letters += 'E';
        break;
      case EventKind::kTaskRemoved:
        letters += 'R';
        break;
      case EventKind::kTaskRemoveRequested:
        break;
      default:
        letters += '?';
    }
  }
  return letters;
}

TEST(ContractBus, S027_EventsOfOneTaskComeInTheOrderOfItsLife) {
  const std::regex kLife("qa(st?eb?)*ER");
  Served served(WithBus(1 << 14));
  std::vector<WatchedTask> ended_by_rules;
  std::vector<WatchedTask> ended_by_removal;
  for (int round = 0; round < 10; ++round) {
    for (const char* script : {"s", "f", "ffs", "fx", "ttc"}) {
      ended_by_rules.push_back(served.Watch(
          TaskSpec::Restartable(Scripted(script)).WithBackoff(BackoffPolicy::Constant(2ms))));
    }
    ended_by_rules.push_back(served.Watch(TaskSpec::Once(UntilCancelled).WithTimeout(3ms)));
    ended_by_removal.push_back(served.Watch(TaskSpec::Periodic(1ms, DoNothing)));
    ended_by_removal.push_back(served.Watch(TaskSpec::Periodic(Duration::zero(), DoNothing)));
  }
  // A step at a time, so that nothing is lost.
  ASSERT_TRUE(Eventually([&] {
    served.Advance(1ms);
    Flush(served.handle, *served.recorder);
    return std::all_of(ended_by_rules.begin(), ended_by_rules.end(),
                       [](const WatchedTask& task) { return task.waiter.Ready(); });
  }));
  for (const WatchedTask& task : ended_by_removal) EXPECT_TRUE(*served.handle.Remove(task.id));
  ASSERT_TRUE(served.supervisor->Shutdown().ok());

  ASSERT_EQ(served.handle.Stats().events_lost, 0u);
  ASSERT_EQ(served.handle.SubscriberStats().front().dropped, 0u);
  ended_by_rules.insert(ended_by_rules.end(), ended_by_removal.begin(), ended_by_removal.end());
  for (const WatchedTask& task : ended_by_rules) {
    const std::string life = Letters(served.recorder->KindsOf(task.id));
    EXPECT_TRUE(std::regex_match(life, kLife)) << life;
  }
}

TEST(ContractBus, S027_AWholeLifeWithATimeoutAndARetry) {
  Served served;
  const WatchedTask task = served.Watch(TaskSpec::Restartable("life",
                                                              [](TaskContext& context) {
                                                                return context.attempt() == 1
                                                                           ? UntilCancelled(context)
                                                                           : Ok();
                                                              })
                                            .WithTimeout(5ms)
                                            .WithBackoff(BackoffPolicy::Constant(1s)));
  served.Await(EventKind::kTaskStarting, task);
  served.Advance(5ms);
  served.Await(EventKind::kBackoffScheduled, task);
  served.Advance(1s);
  EXPECT_EQ(Letters(served.Story(task)), "qastebseER");
}

TEST(ContractBus, S028_NumbersAreTheOrderInWhichEventsWereMade) {
  constexpr uint64_t kPublishers = 4;
  constexpr uint64_t kEach = 500;
  Inside inside(WithBus(kPublishers * kEach + 16));
  {
    std::vector<std::jthread> publishers;
    for (uint64_t p = 0; p < kPublishers; ++p) {
      publishers.emplace_back([&inside, p] { inside.Mark(p * kEach, (p + 1) * kEach - 1); });
    }
  }
  inside.Mark(1'000'000);  // after all of them
  ASSERT_TRUE(inside.recorder->Await(IsMark(1'000'000)));
  const std::vector<Event> events = inside.recorder->Events();
  ASSERT_EQ(events.size(), kPublishers * kEach + 1);
  std::vector<uint64_t> next(kPublishers, 0);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence, i + 1) << "each number once, in order, none left out";
    const uint64_t mark = events[i].count().value_or(0);
    if (i + 1 == events.size()) {
      EXPECT_EQ(mark, 1'000'000u) << "what was made after others has the higher number";
    } else {
      EXPECT_EQ(mark % kEach, next[mark / kEach]++) << "each publisher's own order is kept";
    }
  }
}

TEST(ContractBus, S028_AHandOffBetweenThreadsIsAnOrderToo) {
  Inside inside;
  Gate second_turn, third_turn;
  std::jthread other([&] {
    second_turn.Pass();
    inside.Mark(2);
    third_turn.Open();
  });
  inside.Mark(1);
  second_turn.Open();
  ASSERT_TRUE(third_turn.Wait());
  inside.Mark(3);
  inside.Flush();
  EXPECT_EQ(Marks(inside.recorder->Events()), Range(1, 3));
}

}  // namespace
}  // namespace taskvisor::testing
