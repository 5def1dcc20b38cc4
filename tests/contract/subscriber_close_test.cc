// L. Subscribers: how they end (134-135).

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/contract/inside.h"
#include "tests/contract/subscribers.h"
#include "tests/contract/watched_clock.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

// A supervisor whose close can be waited for: it tells when the shutdown has come to
// its subscribers and waits for them.
class Closing {
 public:
  explicit Closing(std::vector<std::shared_ptr<HeldSubscriber>> subscribers, Duration drain = 5s)
      : held_(subscribers), inside_(Config(subscribers, drain), Hooks()), let_go_(subscribers) {}

  Inside* operator->() { return &inside_; }
  WatchedClock& clock() { return *clock_; }

  // Every subscriber is held in a callback, with `more` events behind it.
  [[nodiscard]] bool Hold(uint64_t more) {
    inside_.Mark(1);
    for (const auto& subscriber : held_) {
      if (!subscriber->Inside()) return false;
    }
    inside_.Mark(2, 1 + more);
    inside_.Flush();
    return true;
  }
  // The shutdown waits for the subscribers: its deadline is fixed.
  [[nodiscard]] bool Waits() {
    return reached_.Wait() && Eventually([this] { return clock_->watchers() > before_; });
  }

 private:
  SupervisorConfig Config(const std::vector<std::shared_ptr<HeldSubscriber>>& subscribers,
                          Duration drain) {
    SupervisorConfig config;
    config.clock = clock_;
    config.subscriber_drain = drain;
    config.subscribers.assign(subscribers.begin(), subscribers.end());
    return config;
  }
  internal::Hooks Hooks() {
    internal::Hooks hooks;
    hooks.on_shutdown_phase = [this](std::string_view phase) {
      if (phase != "subscribers") return;
      before_ = clock_->watchers();
      reached_.Open();
    };
    return hooks;
  }

  const std::shared_ptr<WatchedClock> clock_ = std::make_shared<WatchedClock>();
  const std::vector<std::shared_ptr<HeldSubscriber>> held_;
  int before_ = 0;
  Gate reached_;
  Inside inside_;
  const LetGoAtEnd let_go_;
};

std::shared_ptr<HeldSubscriber> MakeHeld(std::string name) {
  return std::make_shared<HeldSubscriber>(std::move(name), 64, EventMask{kMark});
}

// A shutdown on a thread of its own.
class ShuttingDown {
 public:
  explicit ShuttingDown(const SupervisorHandle& handle)
      : thread_([this, handle] {
          result_ = handle.Shutdown();
          returned_.Open();
        }) {}
  [[nodiscard]] bool Returned() { return returned_.Wait(); }
  [[nodiscard]] bool HasReturned() { return returned_.IsOpen(); }
  // REQUIRES: Returned().
  [[nodiscard]] const absl::Status& result() const { return result_; }

 private:
  absl::Status result_;
  Gate returned_;
  std::jthread thread_;
};

TEST(ContractSubscribers, S134_CloseDrainsAllQueues) {
  auto one = MakeHeld("one");
  auto two = MakeHeld("two");
  Closing closing({one, two});
  ASSERT_TRUE(closing.Hold(/*more=*/50));
  ShuttingDown shutdown(closing->handle);
  ASSERT_TRUE(closing.Waits());
  EXPECT_FALSE(shutdown.HasReturned());
  one->LetGo();
  two->LetGo();
  ASSERT_TRUE(shutdown.Returned());
  EXPECT_TRUE(shutdown.result().ok()) << shutdown.result();
  for (const auto& subscriber : {one, two}) {
    EXPECT_EQ(Marks(subscriber->Events()), Range(1, 51));
    const SubscriberStats stats = closing->StatsOf(std::string(subscriber->Name()));
    EXPECT_EQ(stats.delivered, 51u);
    EXPECT_EQ(stats.dropped, 0u);
    EXPECT_EQ(stats.queued, 0u);
  }
}

TEST(ContractSubscribers, S134_AllShareOneDeadline) {
  EXPECT_EQ(SupervisorConfig().subscriber_drain, 5s);
  auto one = MakeHeld("one");
  auto two = MakeHeld("two");
  auto three = MakeHeld("three");
  Closing closing({one, two, three});
  ASSERT_TRUE(closing.Hold(/*more=*/3));
  ShuttingDown shutdown(closing->handle);
  ASSERT_TRUE(closing.Waits());
  closing.clock().Advance(5s - 1ns);
  EXPECT_FALSE(shutdown.HasReturned());
  closing.clock().Advance(1ns);
  EXPECT_TRUE(shutdown.Returned()) << "5 s for three of them, not for each";
}

TEST(ContractSubscribers, S134_ZeroDropsAtOnce) {
  auto held = MakeHeld("held");
  Closing closing({held}, Duration::zero());
  ASSERT_TRUE(closing.Hold(/*more=*/7));
  ASSERT_TRUE(closing->handle.Shutdown().ok());  // time stands still
  const SubscriberStats stats = closing->StatsOf("held");
  EXPECT_EQ(stats.offered, 8u);
  EXPECT_EQ(stats.delivered, 1u);
  EXPECT_EQ(stats.dropped, 7u);
  EXPECT_EQ(stats.queued, 0u);
}

TEST(ContractSubscribers, S135_AtTheDeadlineShutdownReturnsAndARunningCallbackFinishes) {
  auto held = MakeHeld("held");
  const std::weak_ptr<HeldSubscriber> alive = held;
  {
    Closing closing({held});
    ASSERT_TRUE(closing.Hold(/*more=*/5));
    ShuttingDown shutdown(closing->handle);
    ASSERT_TRUE(closing.Waits());
    closing.clock().Advance(5s);
    ASSERT_TRUE(shutdown.Returned());
    EXPECT_EQ(closing->StatsOf("held").dropped, 5u);
    EXPECT_EQ(held->Events().size(), 1u) << "its callback still runs";
    EXPECT_GT(alive.use_count(), 1);
    held->LetGo();
  }
  // Its thread lets it go when the callback has returned; nothing more was delivered.
  ASSERT_TRUE(Eventually([&] { return alive.use_count() == 1; }));
  EXPECT_EQ(Marks(held->Events()), Range(1, 1));
}

TEST(ContractSubscribers, S135_TheDeadlineBoundsANaturalEndToo) {
  auto held = MakeHeld("held");
  Closing closing({held});
  ASSERT_TRUE(closing.Hold(/*more=*/5));
  absl::Status result = absl::UnknownError("not yet");
  Gate returned;
  std::jthread runs([&] {
    result = closing->supervisor().Run(TaskSpec::Once(DoNothing));
    returned.Open();
  });
  ASSERT_TRUE(closing.Waits());
  EXPECT_FALSE(returned.IsOpen());
  closing.clock().Advance(5s);
  ASSERT_TRUE(returned.Wait());
  EXPECT_TRUE(result.ok()) << result;
  EXPECT_EQ(closing->StatsOf("held").dropped, 5u);
}

}  // namespace
}  // namespace taskvisor::testing
