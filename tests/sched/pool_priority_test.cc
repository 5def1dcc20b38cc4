#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "sched/pool.h"
#include "tests/sched/job.h"
#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;
using testing::Gate;

// A pool of one worker that a body holds until the test lets go.
class HeldPool : public ::testing::Test {
 protected:
  void SetUp() override {
    pool_.Start();
    pool_.Submit(hold_);
    ASSERT_TRUE(inside_.Wait());
  }
  void TearDown() override {
    go_.Open();
    pool_.Join();
  }

  Gate inside_;
  Gate go_;
  Job hold_{[this](Seat&) {
    inside_.Open();
    go_.Pass();
  }};
  Pool pool_{1};
};

// How many of the others ran before the high one did.
void ExpectHighIsNext(Pool& pool, Gate& go, Priority others) {
  constexpr int kOthers = 10'000;
  std::atomic<int> ran{0};
  std::atomic<int> before{-1};
  Job other([&](Seat&) { ran.fetch_add(1); });
  Job high([&](Seat&) { before = ran.load(); });
  for (int i = 0; i < kOthers; ++i) pool.Submit(other, others);
  pool.Submit(high, Priority::kHigh);
  go.Open();
  EXPECT_TRUE(Eventually([&] { return ran == kOthers && before >= 0; }));
  EXPECT_LE(before, 2);
  pool.Join();
}

TEST_F(HeldPool, AHighOneIsNextThoughTenThousandLowOnesCameBefore) {
  ExpectHighIsNext(pool_, go_, Priority::kLow);
}
TEST_F(HeldPool, AHighOneIsNextThoughTenThousandNormalOnesCameBefore) {
  ExpectHighIsNext(pool_, go_, Priority::kNormal);
}

// What a seat has in its range already does not come first.
TEST_F(HeldPool, AHighOneDoesNotWaitForWhatTheSeatHasTakenAtOnce) {
  constexpr int kOthers = 2'000;
  std::atomic<int> ran{0};
  std::atomic<int> submitted_at{-1};
  std::atomic<int> began_at{-1};
  Job high([&](Seat&) { began_at = ran.load(); });
  Job other([&](Seat&) {
    if (ran.fetch_add(1) + 1 != kOthers / 2) return;
    submitted_at = ran.load();
    pool_.Submit(high, Priority::kHigh);
  });
  for (int i = 0; i < kOthers; ++i) pool_.Submit(other);
  go_.Open();
  EXPECT_TRUE(Eventually([&] { return ran == kOthers && began_at >= 0; }));
  EXPECT_LE(began_at - submitted_at, 2);
  pool_.Join();
}

// A worker's 16 turns: 12, 3, 1.
TEST_F(HeldPool, LowerOnesGoOnWhileHighOnesNeverEnd) {
  std::atomic<bool> stop{false};
  std::atomic<int> high_runs{0};
  std::atomic<int> normal_left{300};
  std::atomic<int> low_left{100};
  std::atomic<int> high_when_done{0};
  Job high([&](Seat& seat) {
    high_runs.fetch_add(1);
    if (!stop) seat.RunAgain(high, Priority::kHigh);
  });
  const auto done = [&] {
    if (normal_left == 0 && low_left == 0) high_when_done = high_runs.load();
  };
  Job normal([&](Seat&) {
    normal_left.fetch_sub(1);
    done();
  });
  Job low([&](Seat&) {
    low_left.fetch_sub(1);
    done();
  });
  for (int i = 0; i < 300; ++i) pool_.Submit(normal);
  for (int i = 0; i < 100; ++i) pool_.Submit(low, Priority::kLow);
  pool_.Submit(high, Priority::kHigh);
  go_.Open();
  EXPECT_TRUE(Eventually([&] { return high_when_done > 0; }));
  stop = true;
  pool_.Join();
  EXPECT_GE(high_when_done, 12 * 100 - 12);
  EXPECT_LE(high_when_done, 12 * 100 + 12);
}

TEST_F(HeldPool, OneThatRunsAgainStaysInItsClass) {
  std::atomic<int> normal_left{50};
  std::atomic<int> low_runs{0};
  Job normal([&](Seat&) { normal_left.fetch_sub(1); });
  Job low([&](Seat& seat) {
    low_runs.fetch_add(1);
    if (normal_left > 0) seat.RunAgain(low, Priority::kLow);
  });
  pool_.Submit(low, Priority::kLow);
  for (int i = 0; i < 50; ++i) pool_.Submit(normal);
  go_.Open();
  EXPECT_TRUE(Eventually([&] { return normal_left == 0; }));
  pool_.Join();
  EXPECT_LE(low_runs, 50 / 15 + 2);
}

TEST(PoolPriority, EverythingRunsOnceWhateverItsClassAndWhoeverSubmits) {
  constexpr size_t kThreads = 3;
  constexpr int kEach = 20'000;
  Pool pool(2);
  pool.Start();
  std::deque<std::atomic<int>> runs(kThreads * 3);
  std::deque<Job> jobs;
  for (size_t i = 0; i < kThreads * 3; ++i) jobs.emplace_back([&runs, i](Seat&) { ++runs[i]; });
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const size_t p = static_cast<size_t>(i) % 3;
        pool.Submit(jobs[t * 3 + p], static_cast<Priority>(p));
        if (i % 1000 == 0) std::this_thread::yield();
      }
      const std::vector<Runnable*> range(100, &jobs[t * 3 + 2]);
      pool.SubmitRange(range.begin(), range.size(), Priority::kLow);
    });
  }
  for (std::thread& thread : threads) thread.join();
  pool.Join();
  int sum = 0;
  for (const auto& count : runs) sum += count;
  EXPECT_EQ(sum, static_cast<int>(kThreads) * (kEach + 100));
}

}  // namespace
}  // namespace taskvisor::internal
