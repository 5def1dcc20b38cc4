// A bus that nobody listens to: its reader sleeps until there is time, or need.

#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is not in <csignal>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bus/bus.h"
#include "bus/late_wake.h"
#include "tests/bus/recording_sink.h"

namespace taskvisor::internal {
namespace {

using namespace std::chrono_literals;
using testing::Eventually;

struct CountingHooks final : FanOutHooks<TestRecord> {
  void Observe(const TestRecord&) noexcept override {
    observed.fetch_add(1);
    if (Bus<TestRecord>* const bus = feeds.load()) static_cast<void>(bus->PublishReport({}));
  }
  Report<TestRecord> MakeLag(uint64_t lost) noexcept override { return {{.lost = lost}}; }
  Report<TestRecord> MakeRefusal(const Subscription<TestRecord>&, Subscription<TestRecord>::Offered,
                                 uint64_t) noexcept override {
    return {};
  }
  bool IsDiagnostic(const TestRecord& record) const noexcept override { return record.lost > 0; }
  void OnIdle() noexcept override {}

  std::atomic<int> observed{0};
  std::atomic<Bus<TestRecord>*> feeds{nullptr};  // each record makes another one
};

std::chrono::nanoseconds Took(const std::function<void()>& action) {
  const auto since = std::chrono::steady_clock::now();
  action();
  return std::chrono::steady_clock::now() - since;
}

struct UnattendedBus : ::testing::Test {
  UnattendedBus() { bus.Start(); }
  ~UnattendedBus() override {
    bus.Close();
    bus.Join();
  }
  void Publish(int count) {
    for (int i = 0; i < count; ++i) {
      bus.Publish([=](TestRecord& record) { record = {.value = i}; });
    }
  }
  [[nodiscard]] bool Observes(int count) {
    return Eventually([&] { return hooks.observed == count; });
  }

  static constexpr size_t kCapacity = 1024;
  CountingHooks hooks;
  Bus<TestRecord> bus{kCapacity, {}, hooks, {}, nullptr, /*attended=*/false};
};

TEST_F(UnattendedBus, ItsReaderSleepsUntilItIsRoused) {
  int published = 0;
  int slept_on = 0;
  for (int round = 0; round < 50; ++round) {
    Publish(1);
    ++published;
    std::this_thread::yield();
    slept_on += hooks.observed < published;
    bus.Rouse();
    ASSERT_TRUE(Observes(published)) << "in round " << round;
    // It looks on for a few yields, and sleeps again.
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
  }
  EXPECT_GT(slept_on, 0);
}

TEST_F(UnattendedBus, WhoWantsToSeeWhatWasPublishedCatchesUp) {
  int caught_up = 0;
  for (int round = 1; round <= 50; ++round) {
    Publish(4);
    bus.CatchUp();
    caught_up += hooks.observed == 4 * round;  // unless that took more than its 20 ms
    ASSERT_TRUE(Observes(4 * round));
  }
  EXPECT_GT(caught_up, 0);
}

// The publisher that ended the sleep stands between its record and the wake-up that it owes.
TEST_F(UnattendedBus, RousesThoughSomebodyOwesTheWakeUp) {
  for (int published = 1; published <= 20; ++published) {
    const LateWake late(bus.baton());
    Publish(1);
    bus.Rouse();
    ASSERT_TRUE(Observes(published));
    bus.CatchUp();
  }
}

TEST_F(UnattendedBus, CatchesUpThoughSomebodyOwesTheWakeUp) {
  int caught_up = 0;
  for (int published = 1; published <= 20; ++published) {
    const LateWake late(bus.baton());
    Publish(1);
    bus.CatchUp();
    caught_up += hooks.observed == published;
    ASSERT_TRUE(Observes(published));
  }
  EXPECT_GT(caught_up, 0);
}

TEST_F(UnattendedBus, CatchesUpThoughTheReaderNeverRests) {
  hooks.feeds = &bus;
  Publish(1);
  auto least = std::chrono::nanoseconds::max();
  for (int round = 0; round < 20; ++round) {
    const int before = hooks.observed;
    least = std::min(least, Took([&] { bus.CatchUp(); }));
    EXPECT_GT(hooks.observed, before);
  }
  EXPECT_LT(least, 10ms);
  hooks.feeds = nullptr;
}

// In the middle of a record, which therefore does not come.
TEST_F(UnattendedBus, ToCatchUpEndsInTimeAndLeavesErrnoAlone) {
  struct sigaction ignored {};
  ignored.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGALRM, &ignored, nullptr), 0);
  auto least = std::chrono::nanoseconds::max();
  for (int round = 0; round < 10; ++round) {
    bus.Publish([&](TestRecord& record) {
      const itimerval soon{{}, {0, 2'000}};
      ASSERT_EQ(setitimer(ITIMER_REAL, &soon, nullptr), 0);
      errno = EXDEV;
      least = std::min(least, Took([&] { bus.CatchUp(); }));
      EXPECT_EQ(errno, EXDEV);
      record = {};
    });
  }
  EXPECT_GE(least, 20ms);
  EXPECT_LT(least, 30ms);
}

TEST_F(UnattendedBus, IsWokenLongBeforeALaneIsFull) {
  constexpr int kRounds = 200;
  constexpr int kEach = kCapacity / 8;
  for (int round = 1; round <= kRounds; ++round) {
    Publish(kEach);
    ASSERT_TRUE(Eventually([&] { return hooks.observed >= round * kEach - int{kCapacity} / 16; }));
  }
  EXPECT_EQ(bus.lost(), 0u);
}

TEST_F(UnattendedBus, TheCloseIsToldAtOnceAndReadsAll) {
  Publish(3);
  bus.Close();
  bus.Join();
  EXPECT_EQ(hooks.observed, 3);
}

TEST(AttendedBus, OneWithASubscriptionIsWhateverIsSaid) {
  CountingHooks hooks;
  const auto received = std::make_shared<Received>();
  const auto subscription = MakeSubscription(8, received);
  Bus<TestRecord> bus(1024, {subscription}, hooks, {}, nullptr, /*attended=*/false);
  bus.Start();
  bus.Publish([](TestRecord& record) { record = {.value = 1}; });
  EXPECT_TRUE(received->Await(1));
  bus.Close();
  bus.Join();
  EXPECT_TRUE(Eventually([&] { return subscription->Done(); }));
}

}  // namespace
}  // namespace taskvisor::internal
