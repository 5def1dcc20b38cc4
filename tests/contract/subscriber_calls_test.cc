// L. Subscribers: their calls (129, 132-133).

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/subscribers.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using ::testing::ElementsAre;

SupervisorConfig With(std::vector<std::shared_ptr<Subscriber>> subscribers) {
  SupervisorConfig config;
  config.subscribers = std::move(subscribers);
  config.bus_capacity = 4096;
  return config;
}

TEST(ContractSubscribers, S129_CallsToOneAreSequentialAndInOrder) {
  constexpr uint64_t kPublishers = 3;
  constexpr uint64_t kEach = 300;
  std::atomic<int> inside_now{0};
  std::atomic<bool> overlapped{false};
  std::vector<uint64_t> numbers;
  auto strict = std::make_shared<Listener>("strict", [&](const Event& event) {
    if (++inside_now != 1) overlapped = true;
    numbers.push_back(event.sequence);
    std::this_thread::yield();
    --inside_now;
  });
  auto panics = std::make_shared<Listener>(
      "panics", [](const Event&) { throw std::runtime_error("no"); }, EventMask{kMark});
  Inside inside(With({panics, strict}));
  {
    std::vector<std::jthread> publishers;
    for (uint64_t p = 0; p < kPublishers; ++p) {
      publishers.emplace_back([&] { inside.Mark(1, kEach); });
    }
  }
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  EXPECT_FALSE(overlapped);
  EXPECT_GE(numbers.size() + inside.StatsOf("strict").dropped, kPublishers * kEach);
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(std::set<uint64_t>(numbers.begin(), numbers.end()).size(), numbers.size());
}

TEST(ContractSubscribers, S132_CallbacksRunOnAThreadOfTheirOwn) {
  const auto thread_id = [] { return static_cast<int>(syscall(SYS_gettid)); };
  std::set<int> one_thread, two_thread;
  auto one =
      std::make_shared<Listener>("one", [&](const Event&) { one_thread.insert(thread_id()); });
  auto two =
      std::make_shared<Listener>("two", [&](const Event&) { two_thread.insert(thread_id()); });
  std::set<int> workers;
  std::mutex mutex;
  Inside inside(With({one, two}));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(inside.handle
                    .Add(TaskSpec::Once([&] {
                      std::lock_guard lock(mutex);
                      workers.insert(thread_id());
                    }))
                    .ok());
  }
  EXPECT_TRUE(Eventually([&] { return inside.handle.Stats().tasks == 0; }));
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  ASSERT_EQ(one_thread.size(), 1u);
  ASSERT_EQ(two_thread.size(), 1u);
  EXPECT_NE(one_thread, two_thread);
  EXPECT_FALSE(workers.contains(*one_thread.begin()));
  EXPECT_FALSE(workers.contains(*two_thread.begin()));
}

TEST(ContractSubscribers, S132_ACallbackMayBlockOnTheSupervisor) {
  std::optional<SupervisorHandle> handle;
  absl::StatusOr<bool> cancelled = false;
  Gate done;
  auto cancels = std::make_shared<Listener>(
      "cancels",
      [&](const Event& event) {
        cancelled = handle->Cancel(*event.id());  // waits until its body has returned
        done.Open();
      },
      EventMask{EventKind::kTaskStarting});
  Inside inside(With({cancels}));
  handle = inside.handle;
  ASSERT_TRUE(inside.handle.Add(TaskSpec::Once(UntilCancelled)).ok());
  ASSERT_TRUE(done.Wait());
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_TRUE(*cancelled);
}

TEST(ContractSubscribers, S132_ABlockingCallbackDelaysOnlyItself) {
  auto slow = std::make_shared<HeldSubscriber>("slow", 4, EventMask::All());
  Inside inside(With({slow}));
  const LetGoAtEnd let_go({slow});
  inside.Mark(1);
  ASSERT_TRUE(slow->Inside());
  for (int i = 0; i < 100; ++i) {
    const auto task = inside.handle.AddAndWatch(TaskSpec::Once(DoNothing));
    ASSERT_TRUE(task.ok()) << task.status();
    ASSERT_EQ(KindOf(task->waiter), OutcomeKind::kCompleted);
    ASSERT_TRUE(inside.recorder->Await(Recorder::Is(EventKind::kTaskRemoved, task->id)));
  }
  EXPECT_EQ(slow->Events().size(), 1u) << "still in its first callback";
}

TEST(ContractSubscribers, S133_AnExceptionIsReportedAndTheNextEventDelivered) {
  std::vector<uint64_t> seen;
  auto throws = std::make_shared<Listener>(
      "throws",
      [&](const Event& event) {
        seen.push_back(*event.count());
        if (event.count() == 1u) throw std::runtime_error("first");
        if (event.count() == 2u) throw 42;
      },
      EventMask{kMark});
  Inside inside(With({throws}));
  const auto is_report = Recorder::Is(EventKind::kSubscriberPanicked, "throws");
  inside.Mark(1);
  const auto named = inside.recorder->Await(is_report, 1);
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->reason(), "first");
  inside.Mark(2);
  const auto unnamed = inside.recorder->Await(is_report, 2);
  ASSERT_TRUE(unnamed.has_value());
  EXPECT_EQ(unnamed->reason(), "unknown panic");
  inside.Mark(3);
  ASSERT_TRUE(inside.supervisor().Shutdown().ok());
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
  EXPECT_EQ(inside.StatsOf("throws").delivered, 3u);
  EXPECT_EQ(inside.recorder->Count(is_report), 2u);
}

}  // namespace
}  // namespace taskvisor::testing
