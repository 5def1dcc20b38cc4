// Parallel loops of TBB inside of what a pool runs.

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "sched/pool.h"
#include "tests/sched/job.h"
#include "tests/support/gate.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;
using testing::Gate;

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

}  // namespace
}  // namespace taskvisor::internal
