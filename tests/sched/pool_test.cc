#include "sched/pool.h"

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/sched/job.h"
#include "tests/support/gate.h"
#include "tests/support/seed.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::internal {
namespace {

using std::chrono::steady_clock;
using testing::Eventually;
using testing::Gate;
using testing::Random;

TEST(Pool, RunsEverythingOnceThoughNobodyWaits) {
  Pool pool(2);
  pool.Start();
  std::atomic<int> runs{0};
  Job job([&](Seat&) { runs.fetch_add(1); });
  for (int i = 0; i < 100; ++i) pool.Submit(job);
  EXPECT_TRUE(Eventually([&] { return runs == 100; }));
  pool.Join();
  EXPECT_EQ(runs, 100);
}

TEST(Pool, JoinWaitsForWhatIsQueuedAndForWhatThatSubmits) {
  Pool pool(1);
  pool.Start();
  std::atomic<int> runs{0};
  Job last([&](Seat&) { runs.fetch_add(1); });
  Job middle([&](Seat&) {
    runs.fetch_add(1);
    pool.Submit(last);
  });
  Job first([&](Seat&) {
    runs.fetch_add(1);
    pool.Submit(middle);
  });
  pool.Submit(first);
  pool.Join();
  EXPECT_EQ(runs, 3);
}

// An item leaves some 30 us after it has found nothing: what is submitted at that time is seen by
// the item or starts another one. Real processors, as no model knows their store buffers.
TEST(Pool, WhatIsSubmittedWhileTheLastItemLeavesRuns) {
  Pool pool(1);
  pool.Start();
  std::atomic<int> runs{0};
  Job job([&](Seat&) { runs.fetch_add(1); });
  Random random(testing::AnnouncedSeed());
  for (int submitted = 1; submitted <= 20'000; ++submitted) {
    pool.Submit(job);
    ASSERT_TRUE(Eventually([&] { return runs == submitted; })) << "lost: " << submitted;
    const auto next = steady_clock::now() + std::chrono::nanoseconds(random.Below(80'000));
    while (steady_clock::now() < next) {
    }
  }
  pool.Join();
}

// Neither ends before the other one has begun.
TEST(Pool, ARangeOnAnIdlePoolStartsAsManyItemsAsItNeeds) {
  Pool pool(2);
  pool.Start();
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> inside{0};
    std::atomic<int> met{0};
    std::atomic<int> over{0};
    Job job([&](Seat&) {
      inside.fetch_add(1);
      if (Eventually([&] { return inside == 2; })) met.fetch_add(1);
      over.fetch_add(1);
    });
    std::vector<Runnable*> two{&job, &job};
    pool.SubmitRange(two.begin(), two.size());
    while (over < 2) std::this_thread::yield();
    ASSERT_EQ(met, 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // its items leave, mostly
  }
  pool.Join();
}

// One seat claims several elements and meets a long body with them; the other one repeats.
TEST(Pool, ARunnableThatRunsAgainStrandsNothingBehindALongBody) {
  Pool pool(2);
  pool.Start();
  Gate go, all_others;
  std::atomic<int> inside{0};
  std::atomic<int> others{0};
  constexpr int kOthers = 38;
  Job holder([&](Seat&) {
    inside.fetch_add(1);
    go.Pass();
  });
  for (int i = 0; i < 2; ++i) pool.Submit(holder);
  ASSERT_TRUE(Eventually([&] { return inside == 2; }));  // so that all items drain

  std::atomic<bool> waited{false};
  Job long_body([&](Seat&) {
    EXPECT_TRUE(all_others.Wait()) << "stranded: " << kOthers - others;
    waited = true;
  });
  Job repeater({});
  repeater.body = [&](Seat& seat) {
    if (!waited) seat.RunAgain(repeater);
  };
  Job other([&](Seat&) {
    if (others.fetch_add(1) + 1 == kOthers) all_others.Open();
  });
  std::vector<Runnable*> range{&long_body, &repeater};
  range.resize(2 + kOthers, &other);
  pool.SubmitRange(range.begin(), range.size());
  go.Open();
  pool.Join();
  EXPECT_EQ(others, kOthers);
}

// Bodies that wait for one another, as many as there are workers: what was submitted later, and
// runs until they are through, does not come before them.
TEST(Pool, WhatWasSubmittedLaterDoesNotComeBeforeWhileLittleWaits) {
  for (const int others : {1, 10}) {
    for (int round = 0; round < 200; ++round) {
      Pool pool(2);
      pool.Start();
      // So that its items look on.
      std::atomic<int> warm{0};
      Job warming([&](Seat&) { warm.fetch_add(1); });
      for (int i = 0; i < 4; ++i) pool.Submit(warming);
      ASSERT_TRUE(Eventually([&] { return warm == 4; }));

      Gate met;
      std::atomic<bool> in_order{false};
      Job first([&](Seat&) { in_order = met.Wait(); });
      Job second([&](Seat&) { met.Open(); });
      Job later([&](Seat&) { met.Pass(); });
      pool.Submit(first);
      pool.Submit(second);
      for (int i = 0; i < others; ++i) pool.Submit(later);
      pool.Join();
      ASSERT_TRUE(in_order) << "in round " << round;
    }
  }
}

// Though it is the only one that its own thread makes ready, and the others come from elsewhere.
TEST(Pool, WhatRunsAgainComesBehindWhatAnotherThreadSubmitted) {
  constexpr int kRuns = 100;
  Pool pool(1);
  pool.Start();
  std::atomic<int> runs{0};
  std::atomic<int> submitted{0};
  int others = 0;
  Job other([&](Seat&) { ++others; });
  Job repeater({});
  repeater.body = [&](Seat& seat) {
    EXPECT_EQ(others, runs.load());
    if (runs.fetch_add(1) + 1 == kRuns) return;
    EXPECT_TRUE(Eventually([&] { return submitted == runs; }));
    seat.RunAgain(repeater);
  };
  pool.Submit(repeater);
  for (int i = 1; i < kRuns; ++i) {
    ASSERT_TRUE(Eventually([&] { return runs == i; }));
    pool.Submit(other);
    submitted = i;
  }
  pool.Join();
  EXPECT_EQ(others, kRuns - 1);
}

TEST(Pool, ASubmitAfterJoinIsHarmlessAndRunsNothing) {
  std::atomic<int> runs{0};
  Job job([&](Seat&) { runs.fetch_add(1); });
  {
    Pool pool(1);
    pool.Start();
    pool.Submit(job);
    pool.Join();
    pool.Submit(job);
    pool.Join();
  }
  EXPECT_EQ(runs, 1);
}

TEST(Pool, WhatHappenedBeforeSubmitIsSeenByTheBody) {
  Pool pool(2);
  pool.Start();
  constexpr size_t kJobs = 2000;
  std::vector<int> written(kJobs);  // not atomic: the pool's edges are all there is
  std::vector<int> seen(kJobs);
  std::deque<Job> jobs;
  for (size_t i = 0; i < kJobs; ++i) {
    jobs.emplace_back([&, i](Seat&) { seen[i] = written[i]; });
    written[i] = static_cast<int>(i) + 1;
    pool.Submit(jobs.back());
  }
  pool.Join();
  EXPECT_EQ(seen, written);
}

TEST(Pool, SubmitRangeRunsEachElementOnce) {
  Pool pool(2);
  pool.Start();
  std::atomic<int> runs{0};
  std::deque<Job> jobs;
  std::vector<Runnable*> range;
  for (int i = 0; i < 50; ++i) {
    range.push_back(&jobs.emplace_back([&](Seat&) { runs.fetch_add(1); }));
  }
  pool.SubmitRange(range.begin(), range.size());
  pool.Join();
  EXPECT_EQ(runs, 50);
}

TEST(Pool, ManyThreadsSubmitAndNothingIsLost) {
  Pool pool(3);
  pool.Start();
  std::atomic<int> runs{0};
  Job job([&](Seat&) { runs.fetch_add(1); });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) pool.Submit(job);
    });
  }
  for (std::thread& thread : threads) thread.join();
  pool.Join();
  EXPECT_EQ(runs, 20'000);
}

// TBB's own threads would not come: it takes those that run the long bodies for about to be free.
TEST(Pool, LongBodiesOfOthersHoldUpNothing) {
  constexpr size_t kPools = 6;
  std::atomic<size_t> runs{0};
  std::atomic<size_t> inside{0};
  Gate go;
  Job quick([&](Seat&) { runs.fetch_add(1); });
  Job holder([&](Seat&) { inside.fetch_add(1), go.Pass(); });
  std::deque<Pool> pools;
  for (size_t i = 0; i < kPools; ++i) {
    Pool& pool = pools.emplace_back(2);
    pool.Start();
    for (int n = 0; n < 20; ++n) pool.Submit(quick);
    pool.Submit(holder);
    ASSERT_TRUE(Eventually([&] { return inside == i + 1 && runs == 20 * (i + 1); }));
  }
  go.Open();
  for (Pool& pool : pools) pool.Join();
}

TEST(Pool, AsManyBodiesAsWorkersAreInsideAtOnceAndNoMore) {
  Pool pool(4);  // also on fewer cores
  pool.Start();
  Gate release;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  Job job([&](Seat&) {
    const int now = inside.fetch_add(1) + 1;
    int seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    release.Pass();
    inside.fetch_sub(1);
  });
  for (int i = 0; i < 12; ++i) pool.Submit(job);
  EXPECT_TRUE(Eventually([&] { return inside == 4; }));
  release.Open();
  pool.Join();
  EXPECT_EQ(most, 4);
}

// One body may hold its worker for ever; that is nobody else's trouble.
TEST(Pool, PoolsDoNotTakeEachOthersWorkers) {
  Gate release;
  std::atomic<int> inside{0};
  Job held([&](Seat&) {
    inside.fetch_add(1);
    release.Pass();
  });
  std::deque<Pool> pools;
  for (int i = 0; i < 4; ++i) {
    Pool& pool = pools.emplace_back(size_t{1});
    pool.Start();
    pool.Submit(held);
  }
  EXPECT_TRUE(Eventually([&] { return inside == 4; }));
  release.Open();
  for (Pool& pool : pools) pool.Join();
}

// What a seat has set aside must not wait for its body while the others always find something
// newer.
TEST(Pool, NothingWaitsBehindALongBodyWhileOthersGoRoundAndRound) {
  constexpr int kJobs = 200;
  Pool pool(2);
  pool.Start();
  std::atomic<int> rounds[kJobs] = {};
  std::atomic<bool> over{false};
  std::deque<Job> jobs;
  for (int i = 0; i < kJobs; ++i) {
    jobs.emplace_back([&, i](Seat&) {
      rounds[i].fetch_add(1);
      if (!over) pool.Submit(jobs[static_cast<size_t>(i)]);
    });
  }
  Gate gate;
  Gate inside;
  Job long_one([&](Seat&) {
    inside.Open();
    gate.Pass();
  });
  for (Job& job : jobs) pool.Submit(job);
  pool.Submit(long_one);
  ASSERT_TRUE(inside.Wait());
  std::vector<int> before(std::begin(rounds), std::end(rounds));
  EXPECT_TRUE(Eventually([&] {
    for (int i = 0; i < kJobs; ++i) {
      if (rounds[i] <= before[static_cast<size_t>(i)] + 1) return false;
    }
    return true;
  })) << "some job did not get its turn for as long as the other body ran";
  over = true;
  gate.Open();
  pool.Join();
}

[[noreturn]] void RunOnOneCpu() {
  cpu_set_t one;
  CPU_ZERO(&one);
  cpu_set_t mine;
  sched_getaffinity(0, sizeof(mine), &mine);
  size_t cpu = 0;
  while (!CPU_ISSET(cpu, &mine)) ++cpu;
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof(one), &one) != 0) std::_Exit(2);
  for (const size_t workers : {0u, 1u, 3u}) {
    Pool pool(workers);
    pool.Start();
    std::atomic<int> runs{0};
    Job nested([&](Seat&) { oneapi::tbb::parallel_for(0, 100, [&](int) { runs.fetch_add(1); }); });
    Job job([&](Seat&) { pool.Submit(nested); });
    for (int i = 0; i < 10; ++i) pool.Submit(job);
    if (!Eventually([&] { return runs == 1000; })) std::_Exit(3);  // nobody waits for it
    pool.Join();
  }
  std::_Exit(0);
}

class PoolDeathTest : public testing::TbbTest {};

TEST_F(PoolDeathTest, RunsOnOneCpuWithNobodyWaiting) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(RunOnOneCpu(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace taskvisor::internal
