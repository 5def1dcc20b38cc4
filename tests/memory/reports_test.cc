// What the bus reports while its threads have no memory.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"
#include "tests/support/failing_memory.h"
#include "tests/support/gate.h"

namespace taskvisor::testing {
namespace {

// A name that no string keeps in place.
class Slow final : public Subscriber {
 public:
  void OnEvent(const Event& event) override {
    if (event.kind() == EventKind::kSubscriberOverflow) {
      (event.task() == Name() ? refusals : lags) += event.count().value_or(0);
      said_full = said_full || event.reason() == "full";
    }
    gate.Pass();
  }
  std::string_view Name() const override { return name_; }
  size_t QueueCapacity() const override { return 64; }

  Gate gate;
  std::atomic<uint64_t> refusals{0};
  std::atomic<uint64_t> lags{0};
  std::atomic<bool> said_full{false};

 private:
  const std::string name_ = std::string(200, 's');
};

TEST(Reports, OfLossAreMadeWithoutMemory) {
  const auto slow = std::make_shared<Slow>();
  SupervisorConfig config{.workers = 1};
  config.bus_capacity = 64;
  config.subscribers = {slow, std::make_shared<Slow>()};
  static_cast<Slow&>(*config.subscribers.back()).gate.Open();
  auto supervisor = Supervisor::Create(std::move(config));
  const SupervisorHandle handle = supervisor->Serve();
  {
    const StarvedOthers no_memory;
    // Until the slow one's queue was full, and the bus's lane too.
    EXPECT_TRUE(Eventually([&] {
      for (int i = 0; i < 200; ++i) EXPECT_TRUE(handle.Add(TaskSpec::Once(DoNothing)).ok());
      return handle.SubscriberStats().front().dropped > 0 && handle.Stats().events_lost > 0;
    }));
    slow->gate.Open();
    EXPECT_TRUE(Eventually([&] { return handle.Stats().tasks == 0; }));
    EXPECT_TRUE(Eventually([&] {
      EXPECT_TRUE(handle.Add(TaskSpec::Once(DoNothing)).ok());
      return slow->refusals > 0;
    }));
  }
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(slow->said_full);
  for (const SubscriberStats& stats : handle.SubscriberStats()) {
    EXPECT_EQ(stats.offered, stats.delivered + stats.dropped);
  }
}

}  // namespace
}  // namespace taskvisor::testing
