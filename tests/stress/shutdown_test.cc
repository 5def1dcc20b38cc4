// Many small supervisors, each shut down or destroyed at a random moment while other threads
// use its handles. What was accepted has one outcome, and what comes later is refused.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/stress/workload.h"
#include "tests/support/gate.h"

namespace taskvisor::testing {
namespace {

using std::chrono::microseconds;

class Counter final : public Subscriber {
 public:
  void OnEvent(const Event& event) override {
    if (event.sequence <= last_) out_of_order.fetch_add(1);
    last_ = event.sequence;
    const EventKind kind = event.kind();
    if (kind == EventKind::kAllStoppedWithinGrace) verdicts.fetch_add(1);
    if (kind == EventKind::kGraceExceeded || kind == EventKind::kRuntimeFailure) bad.fetch_add(1);
  }
  std::atomic<int> out_of_order{0};
  std::atomic<int> verdicts{0};
  std::atomic<int> bad{0};

 private:
  uint64_t last_ = 0;
};

struct Added {
  std::shared_ptr<Probe> probe;
  bool accepted = false;
};

// One supervisor's life.
class Round {
 public:
  Round(uint64_t seed, size_t threads) : seed_(seed), threads_(threads), random_(seed) {
    SupervisorConfig config;
    config.workers = 1 + random_.Below(3);
    if (random_.Percent(50)) config.max_concurrent = 1 + random_.Below(2);
    config.max_tasks = 4 + random_.Below(60);
    config.bus_capacity = 1024;
    config.destroy_grace = kPatience;
    config.subscribers = {counter_};
    shared_.max_inside = static_cast<int64_t>(config.max_concurrent.value_or(config.workers));
    shared_.add_child = [](uint32_t) {};
    supervisor_.emplace(Supervisor::Create(std::move(config)).value());
    moment_ = random_.Below(80);
    books_.resize(threads);
  }

  void Run() {
    handle_.emplace(supervisor_->Serve());
    std::vector<std::thread> threads;
    for (size_t t = 1; t < threads_; ++t) threads.emplace_back([this, t] { Use(t); });
    Use(0);
    for (std::thread& thread : threads) thread.join();
    Judge();
  }

 private:
  void Use(size_t thread) {
    Workload work(seed_ * 31 + thread, shared_);
    SupervisorHandle handle = *handle_;
    while (UseOnce(work, handle, books_[thread])) {
      if (adds_.fetch_add(1) == moment_) End(work, handle);
    }
    // From here on nothing is taken any more, by any door.
    EXPECT_TRUE(absl::IsUnavailable(handle.TryAdd(TaskSpec::Once([] {})).status()));
  }

  // False once an add was answered kUnavailable.
  bool UseOnce(Workload& work, SupervisorHandle& handle, std::vector<Added>& book) {
    const auto probe = std::make_shared<Probe>();
    TaskSpec spec = work.Draw(probe, /*named=*/20);
    probe->others_may_stop_it = true;  // the shutdown
    TaskWaiter waiter = spec.Watch();
    const bool wait = work.random().Percent(70);
    const auto added = wait ? handle.Add(std::move(spec)) : handle.TryAdd(std::move(spec));
    probe->waiter = std::move(waiter);
    book.push_back({probe, added.ok()});
    if (!added.ok()) return !absl::IsUnavailable(added.status());
    switch (work.random().Below(8)) {
      case 0:
        static_cast<void>(handle.Remove(*added));
        break;
      case 1:
        static_cast<void>(handle.CancelWithTimeout(*added, microseconds(100)));
        break;
      case 2:
        static_cast<void>(handle.Cancel(*added));
        EXPECT_TRUE(probe->waiter.Ready() || handle.shutdown_trigger().has_value());
        break;
      case 3:
        EXPECT_LE(handle.List().size(), handle.Stats().tasks + book.size() + 1000);
        break;
      default:
        break;
    }
    return true;
  }

  void End(Workload& work, SupervisorHandle& handle) {
    switch (work.random().Below(4)) {
      case 0:
        handle.RequestShutdown();
        return;
      case 1:
        EXPECT_TRUE(handle.Shutdown().ok());
        return;
      case 2: {
        std::thread second([&] { EXPECT_TRUE(handle.Shutdown().ok()); });
        EXPECT_TRUE(handle.Shutdown().ok());
        second.join();
        return;
      }
      default:
        supervisor_.reset();
    }
  }

  void Judge() {
    EXPECT_TRUE(handle_->Shutdown().ok());
    for (const auto& book : books_) {
      for (const Added& added : book) {
        // The shutdown is over: whatever there is to say has been said.
        ASSERT_TRUE(added.probe->waiter.Ready());
        const auto outcome = added.probe->waiter.Wait();
        if (!added.accepted) {
          EXPECT_EQ(added.probe->runs.load(), 0u);
          EXPECT_TRUE(!outcome.ok() || outcome->kind() == OutcomeKind::kRejected);
          continue;
        }
        ASSERT_TRUE(outcome.ok()) << "accepted, but " << outcome.status();
        EXPECT_EQ(taskvisor::testing::Judge(*added.probe, *outcome), "");
      }
    }
    EXPECT_EQ(handle_->Stats().tasks, 0u);
    EXPECT_TRUE(handle_->List().empty());
    EXPECT_EQ(shared_.inside.load(), 0);
    EXPECT_EQ(shared_.violations.overlaps.load(), 0u);
    EXPECT_EQ(shared_.violations.over_limit.load(), 0u);
    EXPECT_EQ(counter_->out_of_order.load(), 0);
    EXPECT_EQ(counter_->bad.load(), 0);
    EXPECT_LE(counter_->verdicts.load(), 1);
    EXPECT_TRUE(absl::IsUnavailable(handle_->Add(TaskSpec::Once([] {})).status()));
  }

  const uint64_t seed_;
  const size_t threads_;
  Random random_;
  const std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
  Workload::Shared shared_;
  std::optional<Supervisor> supervisor_;
  std::optional<SupervisorHandle> handle_;
  uint64_t moment_ = 0;
  std::atomic<uint64_t> adds_{0};
  std::vector<std::vector<Added>> books_;
};

void RunRounds(uint64_t rounds, size_t threads) {
  const uint64_t seed = AnnouncedSeed();
  for (uint64_t i = 0; i < rounds; ++i) {
    SCOPED_TRACE("round " + std::to_string(i) + ": TASKVISOR_SEED=" + std::to_string(seed + i) +
                 " repeats it as round 0");
    Round(seed + i, threads).Run();
    if (::testing::Test::HasFailure()) return;
  }
}

uint64_t Rounds() { return FromEnvironment("TASKVISOR_STRESS_TASKS", 100'000) / 50; }

TEST(StressShutdown, AtAnyMomentEveryAcceptedTaskHasOneOutcome) { RunRounds(Rounds(), 3); }

TEST(StressShutdown, TheSameOnOneThread) { RunRounds(Rounds() / 5, 1); }

}  // namespace
}  // namespace taskvisor::testing
