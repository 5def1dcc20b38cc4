// A large batch on its way in: it is announced as a whole, then furnished and committed range by
// range, while workers run what came before.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"

namespace taskvisor::testing {
namespace {

constexpr size_t kTasks = 3000;  // several ranges

// Removes every other task as soon as it is told that it was added.
class Remover final : public Subscriber {
 public:
  void OnEvent(const Event& event) override {
    if (event.kind() != EventKind::kTaskAdded || event.id()->value() % 2 == 0) return;
    const auto removed = handle.load()->Remove(*event.id());
    ASSERT_TRUE(removed.ok());
    removed_count += *removed;
  }
  [[nodiscard]] EventMask Interests() const override { return EventMask{EventKind::kTaskAdded}; }
  [[nodiscard]] size_t QueueCapacity() const override { return 2 * kTasks; }

  std::atomic<const SupervisorHandle*> handle{nullptr};
  std::atomic<size_t> removed_count{0};
};

struct BatchTest : ::testing::TestWithParam<bool> {
  // Watched specs, whose bodies hold `token`; `waiters` in their order.
  [[nodiscard]] std::vector<TaskSpec> Specs(const std::shared_ptr<std::atomic<size_t>>& token) {
    std::vector<TaskSpec> specs;
    for (size_t i = 0; i < kTasks; ++i) {
      auto body = [token] { token->fetch_add(1); };
      specs.push_back(GetParam() ? TaskSpec::Once("task " + std::to_string(i), body)
                                 : TaskSpec::Once(body));
      waiters.push_back(specs.back().Watch());
    }
    return specs;
  }

  // How many did not complete.
  size_t RemoveSome() {
    const auto ran = std::make_shared<std::atomic<size_t>>(0);
    const auto remover = std::make_shared<Remover>();
    SupervisorConfig config;
    config.workers = 2;
    config.bus_capacity = 8 * kTasks;
    config.subscribers.push_back(remover);
    Supervisor supervisor = Supervisor::Create(std::move(config)).value();
    const SupervisorHandle handle = supervisor.Serve();
    remover->handle = &handle;
    const auto ids = handle.AddBatch(Specs(ran));
    EXPECT_TRUE(ids.ok()) << ids.status();
    size_t removed = 0;
    for (size_t i = 0; i < kTasks; ++i) {
      EXPECT_EQ(waiters[i].id(), (*ids)[i]);
      const auto outcome = waiters[i].Wait();
      EXPECT_TRUE(outcome.ok()) << outcome.status();
      if (outcome->IsSuccess()) continue;
      ++removed;
      EXPECT_EQ(outcome->cause(), CancelCause::kRemoved);
    }
    EXPECT_TRUE(supervisor.Shutdown().ok());
    // One that it met while it ran has run, and may complete.
    EXPECT_GE(*ran, kTasks - removed);
    EXPECT_GE(remover->removed_count, removed);
    EXPECT_EQ(ran.use_count(), 1) << "a body outlived its task";
    return removed;
  }

  std::vector<TaskWaiter> waiters;
};

INSTANTIATE_TEST_SUITE_P(AnonymousAndNamed, BatchTest, ::testing::Bool());

TEST_P(BatchTest, WhoIsToldOfATaskMayRemoveItBeforeItIsFurnished) {
  size_t removed = 0;
  for (int round = 0; round < 5 || (removed == 0 && round < 500); ++round) {
    waiters.clear();
    removed += RemoveSome();
  }
  EXPECT_GT(removed, 0u) << "the remover was never faster";
}

TEST_P(BatchTest, AShutdownInTheMiddleOfItLeavesNoTaskBehind) {
  for (int round = 0; round < 20; ++round) {
    waiters.clear();
    const auto ran = std::make_shared<std::atomic<size_t>>(0);
    Supervisor supervisor = Supervisor::Create().value();
    const SupervisorHandle handle = supervisor.Serve();
    std::vector<TaskSpec> specs = Specs(ran);
    std::thread stopper([&] {
      while (*ran < static_cast<size_t>(round) * 10) std::this_thread::yield();
      EXPECT_TRUE(supervisor.Shutdown().ok());
    });
    const auto ids = handle.AddBatch(std::move(specs));
    size_t completed = 0;
    for (const TaskWaiter& waiter : waiters) {
      const auto outcome = waiter.Wait();
      if (ids.ok()) {
        ASSERT_TRUE(outcome.ok()) << outcome.status();
        completed += outcome->IsSuccess();
      }
    }
    stopper.join();
    EXPECT_GE(*ran, completed);
    EXPECT_EQ(ran.use_count(), 1);
  }
}

}  // namespace
}  // namespace taskvisor::testing
