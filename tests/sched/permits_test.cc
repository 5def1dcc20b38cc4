#include "sched/permits.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using testing::AnnouncedSeed;
using testing::Random;

TEST(Permits, GivesOutAsManyAsThereAre) {
  Permits<int> permits(2);
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_FALSE(permits.TryAcquire());
  EXPECT_EQ(permits.balance(), 0);
  EXPECT_FALSE(permits.Release().has_value());
  EXPECT_TRUE(permits.TryAcquire());
}

TEST(Permits, AReleaseGoesToTheTicketThatWaitsLongest) {
  Permits<int> permits(1);
  ASSERT_TRUE(permits.TryAcquire());
  EXPECT_FALSE(permits.Park(1).has_value());
  EXPECT_FALSE(permits.Park(2).has_value());
  EXPECT_EQ(permits.balance(), -2);
  EXPECT_EQ(permits.Release(), 1);
  EXPECT_FALSE(permits.TryAcquire()) << "overtook ticket 2";
  EXPECT_EQ(permits.Release(), 2);
  EXPECT_FALSE(permits.Release().has_value());
  EXPECT_EQ(permits.balance(), 1);
}

TEST(Permits, ParkingOverAFreePermitHandsATicketBackAtOnce) {
  Permits<int> permits(1);
  EXPECT_EQ(permits.Park(7), 7);
  EXPECT_EQ(permits.balance(), 0);
}

TEST(Permits, RefusedTicketsPayForThemselves) {
  Permits<int> permits(1);
  ASSERT_TRUE(permits.TryAcquire());
  for (int stale : {1, 2, 3}) ASSERT_FALSE(permits.Park(stale).has_value());
  ASSERT_FALSE(permits.Park(4).has_value());
  int offered = 0;
  for (auto ticket = permits.Release(); ticket.has_value(); ticket = permits.Release()) {
    ++offered;
    if (*ticket == 4) break;  // the only one that takes it
  }
  EXPECT_EQ(offered, 4);
  EXPECT_EQ(permits.balance(), 0) << "one holder, nobody waits";
  EXPECT_FALSE(permits.Release().has_value());
  EXPECT_EQ(permits.balance(), 1);
}

// Threads that hold, park and give up: never more inside than permits, and at the end all
// permits are back, however many tickets went stale.
TEST(Permits, AreConservedUnderSeededThreadsWithStaleTickets) {
  constexpr int64_t kLimit = 2;
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  const uint64_t seed = AnnouncedSeed();
  enum : int { kIdle, kWaiting, kGone, kGranted };
  Permits<int> permits(kLimit);
  std::array<std::atomic<int>, kThreads> state{};
  std::atomic<int64_t> inside{0};
  std::atomic<int> over{0};

  // Who gets a ticket tells its owner, who runs later, as a worker does.
  const auto offer = [&](std::optional<int> ticket) {
    for (; ticket.has_value(); ticket = permits.Release()) {
      int seen = kWaiting;
      if (state[static_cast<size_t>(*ticket)].compare_exchange_strong(seen, kGranted)) return;
    }
  };
  const auto hold = [&] {
    if (inside.fetch_add(1) >= kLimit) over.fetch_add(1);
    inside.fetch_sub(1);
    offer(permits.Release());
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed + static_cast<uint64_t>(t));
      auto& mine = state[static_cast<size_t>(t)];
      for (int round = 0; round < kRounds; ++round) {
        if (permits.TryAcquire()) {
          hold();
          continue;
        }
        mine.store(kWaiting);
        offer(permits.Park(t));
        int seen = kWaiting;
        if (random.Percent(50) && mine.compare_exchange_strong(seen, kGone)) continue;
        while (mine.load() != kGranted) std::this_thread::yield();
        mine.store(kIdle);
        hold();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(over, 0);
  EXPECT_EQ(inside, 0);
  EXPECT_EQ(permits.balance(), kLimit);
}

}  // namespace
}  // namespace taskvisor::internal
