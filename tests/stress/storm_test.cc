// A storm of events from four threads over one fast, one slow and one stuck subscriber:
// every text arrives whole, every order is kept, and every loss is told exactly.
//
// TASKVISOR_STORM_SECONDS: how long; 2 unless given.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "supervisor/publisher.h"
#include "supervisor/subscriber_set.h"
#include "taskvisor/supervisor_config.h"
#include "tests/contract/subscribers.h"
#include "tests/support/gate.h"
#include "tests/support/seed.h"

namespace taskvisor::testing {
namespace {

using internal::EventDraft;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kPublishers = 4;
constexpr EventKind kStormKind = EventKind::kControllerSlotTransition;

// The texts of event n of a publisher follow from the two numbers: most are short, some
// take several slots.
std::string NameOf(uint64_t publisher, uint64_t n) {
  Random random(publisher * 1'000'003 + n);
  const size_t size = random.Percent(90) ? 1 + random.Below(30) : 1 + random.Below(kMaxNameLength);
  return std::string(size, static_cast<char>('a' + random.Below(26)));
}
std::string ReasonOf(uint64_t publisher, uint64_t n) {
  Random random(publisher * 7'000'003 + n);
  const size_t size = random.Percent(80) ? 0 : random.Below(kMaxReasonLength + 1);
  return std::string(size, static_cast<char>('A' + random.Below(26)));
}

// What one subscriber saw, judged while it comes.
struct Judge {
  void See(const Event& event) {
    if (event.sequence <= last) ++faults;
    missing += event.sequence - last - 1;
    last = event.sequence;
    ++seen;
    if (event.kind() == EventKind::kSubscriberOverflow) {
      told += event.task() == "subscriber_listener" ? *event.count() : 0;
      // Its number is that of the last lost one: not missing, but lost all the same.
      if (event.task() == "subscriber_listener") ++lags;
      return;
    }
    const uint64_t publisher = *event.attempt();
    const uint64_t n = *event.count();
    if (publisher >= kPublishers || n <= of[publisher]) return void(++faults);
    of[publisher] = n;
    if (event.slot() != NameOf(publisher, n) || event.reason() != ReasonOf(publisher, n)) ++faults;
    if (event.duration() != Duration(n) || event.timeout() != Duration(n + 1)) ++faults;
  }

  uint64_t seen = 0;
  uint64_t faults = 0;
  uint64_t last = 0;
  uint64_t missing = 0;
  uint64_t told = 0;  // lost in the ring, by the reports of it
  uint64_t lags = 0;
  std::array<uint64_t, kPublishers> of{};
};

void Fill(EventDraft& draft, uint64_t publisher, uint64_t n, const std::string& name,
          const std::string& reason) {
  draft.WithCount(n).WithTimeout(Duration(n + 1)).WithDuration(Duration(n));
  draft.WithSlot(name).WithReason(reason).WithAttempt(static_cast<uint32_t>(publisher));
}

// Single events and runs of two, until told to stop; how many events.
uint64_t PublishUntil(internal::SubscriberSet& set, uint64_t publisher, uint64_t seed,
                      const std::atomic<bool>& stop) {
  Random random(seed + publisher);
  uint64_t n = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    const uint64_t one = ++n;
    const std::string name = NameOf(publisher, one);
    const std::string reason = ReasonOf(publisher, one);
    EventDraft first(kStormKind);
    Fill(first, publisher, one, name, reason);
    if (random.Percent(50)) {
      internal::PublishRun(set.bus(), first);
      continue;
    }
    const uint64_t other = ++n;
    const std::string other_name = NameOf(publisher, other);
    const std::string other_reason = ReasonOf(publisher, other);
    EventDraft second(kStormKind);
    Fill(second, publisher, other, other_name, other_reason);
    internal::PublishRun(set.bus(), first, second);
    if (random.Percent(1)) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return n;
}

TEST(StressBus, AStormLosesNothingUntold) {
  const uint64_t seed = AnnouncedSeed();
  const seconds length(FromEnvironment("TASKVISOR_STORM_SECONDS", 2));
  Judge fast_judge, slow_judge, stuck_judge;
  const auto fast = std::make_shared<Listener>("fast", [&](const Event& e) { fast_judge.See(e); });
  const auto slow = std::make_shared<Listener>("slow", [&](const Event& e) {
    slow_judge.See(e);
    if (slow_judge.seen % 64 == 0) std::this_thread::sleep_for(milliseconds(1));
  });
  Gate let_go;
  std::atomic<bool> held{true};
  const auto stuck = std::make_shared<Listener>("stuck", [&](const Event& e) {
    stuck_judge.See(e);
    while (held) std::this_thread::sleep_for(milliseconds(1));
  });

  SupervisorConfig config;
  config.clock = RealClock();
  config.bus_capacity = 256;
  config.subscribers = {fast, slow, stuck};
  const internal::Hooks hooks;
  internal::SubscriberSet set(config, hooks, {[](TaskId) { return false; }, [] { return 0; }});
  set.bus().Start();
  std::atomic<bool> stop{false};
  std::array<uint64_t, kPublishers> published{};
  std::vector<std::thread> publishers;
  for (size_t p = 0; p < kPublishers; ++p) {
    publishers.emplace_back([&, p] { published[p] = PublishUntil(set, p, seed, stop); });
  }
  const auto until = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(20));
    for (const SubscriberStats& s : set.Stats()) {
      EXPECT_EQ(s.offered, s.delivered + s.dropped + s.queued) << s.name;
    }
  }
  stop = true;
  for (std::thread& publisher : publishers) publisher.join();
  held = false;
  EXPECT_TRUE(set.Close(*config.clock, kPatience));

  uint64_t total = 0;
  for (const uint64_t n : published) total += n;
  const uint64_t lost = set.bus().lost();
  uint64_t offered_to_last = 0;
  for (const SubscriberStats& s : set.Stats()) {
    std::printf("%-6s offered %llu delivered %llu dropped %llu\n", s.name.c_str(),
                static_cast<unsigned long long>(s.offered),
                static_cast<unsigned long long>(s.delivered),
                static_cast<unsigned long long>(s.dropped));
    EXPECT_EQ(s.queued, 0u);
    EXPECT_EQ(s.offered, s.delivered + s.dropped) << s.name;
    offered_to_last = s.offered;
  }
  std::printf("published %llu lost %llu\n", static_cast<unsigned long long>(total),
              static_cast<unsigned long long>(lost));
  for (const Judge* judge : {&fast_judge, &slow_judge, &stuck_judge}) {
    EXPECT_EQ(judge->faults, 0u);
    EXPECT_GT(judge->seen, 0u);
  }
  EXPECT_GE(offered_to_last + lost, total) << "each was offered, or is counted as lost";
  const std::vector<SubscriberStats> stats = set.Stats();
  EXPECT_EQ(stats[0].delivered, fast_judge.seen);
  if (stats[0].dropped == 0) {  // then it saw every report, and every gap is one of those
    EXPECT_EQ(fast_judge.told, lost);
    EXPECT_EQ(fast_judge.missing, lost - fast_judge.lags);
  }
}

}  // namespace
}  // namespace taskvisor::testing
