#include "sched/pool.h"

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "tests/sched/job.h"
#include "tests/support/gate.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;
using testing::Gate;

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

TEST(Pool, WhoRunsAgainAtOnceIsToldThatItsReadingOfTheClockIsStillGood) {
  bool told = false;
  for (int round = 0; round < 100 && !told; ++round) {  // its item's time may be up just then
    Pool pool(1);
    pool.Start();
    std::vector<bool> still_now;
    Job other([&](Seat& seat) { EXPECT_FALSE(seat.StillNow()); });
    Job repeater({});
    repeater.body = [&](Seat& seat) {
      still_now.push_back(seat.StillNow());
      const size_t run = still_now.size();
      if (run == 4) return;
      if (run == 3) pool.Submit(other);  // which comes between
      seat.RunAgain(repeater, Priority::kNormal, /*just_now=*/run != 2);
    };
    pool.Submit(repeater);
    pool.Join();
    EXPECT_FALSE(still_now[0] || still_now[2] || still_now[3]);
    told = still_now[1];
  }
  EXPECT_TRUE(told);
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

class PoolWithLoops : public testing::TbbTest {};

TEST_F(PoolWithLoops, ALoopInABodyGetsAThreadOfTbbs) {
  Pool pool(2);
  pool.Start();
  std::atomic<bool> helped{false};
  Job looper([&](Seat&) {
    std::atomic<int> inside{0};
    oneapi::tbb::parallel_for(0, 2, [&](int) {
      inside.fetch_add(1);
      if (Eventually([&] { return inside == 2; })) helped = true;
    });
  });
  pool.Submit(looper);
  pool.Join();
  EXPECT_TRUE(helped);
}

// When the helper has done its share of the loop.
TEST_F(PoolWithLoops, ARunnableBeginsThoughHelpersHaveTakenAllSlots) {
  using std::chrono::steady_clock;
  Pool pool(2);
  pool.Start();
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<bool> ran{false};
  std::atomic<bool> loop_is_over{false};
  const auto patience = steady_clock::now() + testing::kPatience;
  Job looper([&](Seat&) {
    const auto piece = [&](int) {
      const auto until = steady_clock::now() + std::chrono::microseconds(100);
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
      while (!ran && steady_clock::now() < until) {
      }
    };
    while (!ran && steady_clock::now() < patience) {
      oneapi::tbb::parallel_for(0, 10'000, piece, oneapi::tbb::simple_partitioner());
    }
    loop_is_over = true;
  });
  Job other([&](Seat&) {
    EXPECT_FALSE(loop_is_over);
    ran = true;
  });
  pool.Submit(looper);
  EXPECT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return threads.size() > 1;
  }));
  pool.Submit(other);
  pool.Join();
  EXPECT_TRUE(ran);
}

// A thread of the pool's waits for its item, which a helper runs, and takes another's meanwhile:
// so one item keeps two threads.
TEST_F(PoolWithLoops, AThreadThatIsKeptByAnotherItemIsReplaced) {
  Pool pool(2);
  pool.Start();
  const auto main = std::this_thread::get_id();
  std::atomic<std::thread::id> master{main}, of_b{main}, helper{main};
  std::atomic<bool> helper_may_go{false}, master_may_go{false};
  std::atomic<bool> c_may_go{false}, d_ran{false};
  Gate b_may_go;
  std::atomic<int> inside{0}, c_inside{0};
  Job loops([&](Seat&) {
    master = std::this_thread::get_id();
    oneapi::tbb::parallel_for(
        0, 2,
        [&](int) {
          inside.fetch_add(1);
          const bool own = std::this_thread::get_id() == master.load();
          if (!own) helper = std::this_thread::get_id();
          EXPECT_TRUE(
              Eventually([&] { return own ? master_may_go.load() : helper_may_go.load(); }));
        },
        oneapi::tbb::simple_partitioner());
  });
  Job b([&](Seat&) {
    of_b = std::this_thread::get_id();
    b_may_go.Pass();
  });
  Job c([&](Seat&) {
    c_inside = 1;
    while (!c_may_go) std::this_thread::yield();
  });
  Job d([&](Seat&) { d_ran = true; });
  pool.Submit(loops);
  ASSERT_TRUE(Eventually([&] { return inside == 2; }));  // all slots are taken
  pool.Submit(b);
  // For its thread to find that out: if it does not, this test shows nothing.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  helper_may_go = true;
  ASSERT_TRUE(Eventually([&] { return of_b.load() != main; }));
  EXPECT_EQ(of_b.load(), helper.load());
  master_may_go = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  pool.Submit(c);
  ASSERT_TRUE(Eventually([&] { return c_inside == 1; }));
  b_may_go.Open();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  pool.Submit(d);
  EXPECT_TRUE(Eventually([&] { return d_ran.load(); }));
  c_may_go = true;
  pool.Join();
}

TEST_F(PoolWithLoops, ParallelLoopsInsideBodiesFinish) {
  Pool pool(2);
  pool.Start();
  std::atomic<int> iterations{0};
  Job job(
      [&](Seat&) { oneapi::tbb::parallel_for(0, 1000, [&](int) { iterations.fetch_add(1); }); });
  for (int i = 0; i < 20; ++i) pool.Submit(job);
  pool.Join();
  EXPECT_EQ(iterations, 20'000);
}

TEST_F(PoolWithLoops, CancelNestedEndsTheLoopOfItsSeatOnlyAndOnlyOfThatBody) {
  Pool pool(2);
  pool.Start();
  Gate in_loop;
  Gate cancelled;
  Gate other_in_loop;
  // Each worker has its body before there is a loop: none takes steps of the other's.
  std::atomic<int> begun{0};
  const auto both_begin = [&] {
    begun.fetch_add(1);
    static_cast<void>(Eventually([&] { return begun == 2; }));
  };
  std::atomic<Seat*> seat_of_victim{nullptr};
  std::atomic<int> victim{0};
  std::atomic<int> other{0};
  std::atomic<int> next{0};
  constexpr int kIterations = 2000;
  Job victim_job([&](Seat& seat) {
    seat_of_victim = &seat;
    both_begin();
    oneapi::tbb::parallel_for(0, kIterations, [&](int) {
      victim.fetch_add(1);
      in_loop.Open();
      cancelled.Pass();
    });
  });
  Job other_job([&](Seat&) {
    both_begin();
    oneapi::tbb::parallel_for(0, kIterations, [&](int) {
      other_in_loop.Open();
      cancelled.Pass();
      other.fetch_add(1);
    });
  });
  Job next_job(
      [&](Seat&) { oneapi::tbb::parallel_for(0, kIterations, [&](int) { next.fetch_add(1); }); });
  pool.Submit(victim_job);
  pool.Submit(other_job);
  ASSERT_TRUE(in_loop.Wait());
  ASSERT_TRUE(other_in_loop.Wait());
  seat_of_victim.load()->CancelNested();
  cancelled.Open();
  for (int i = 0; i < 8; ++i) pool.Submit(next_job);  // on both seats
  pool.Join();
  EXPECT_LT(victim, kIterations);
  EXPECT_EQ(other, kIterations);
  EXPECT_EQ(next, 8 * kIterations);
}

TEST_F(PoolWithLoops, KnowsItsWorkersAlsoInsideTheirLoops) {
  Pool pool(2);
  pool.Start();
  Pool other(1);
  other.Start();
  std::atomic<int> wrong{0};
  Job job([&](Seat&) {
    if (!pool.OnWorker() || other.OnWorker()) wrong.fetch_add(1);
    oneapi::tbb::parallel_for(0, 100, [&](int) {
      if (!pool.OnWorker()) wrong.fetch_add(1);
    });
  });
  for (int i = 0; i < 10; ++i) pool.Submit(job);
  pool.Join();
  other.Join();
  EXPECT_EQ(wrong, 0);
  EXPECT_FALSE(pool.OnWorker());
  EXPECT_FALSE(Pool::OnWorkerOf(0));
}

// In a process of its own, that has one CPU before TBB looks.
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
