// Parallel loops of TBB inside of what a pool runs.

#include <gtest/gtest.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "sched/pool.h"
#include "tests/sched/job.h"
#include "tests/support/gate.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;
using testing::Gate;

class PoolWithLoops : public testing::TbbTest {
  // A helper, also where there is one core.
  const oneapi::tbb::global_control threads_{oneapi::tbb::global_control::max_allowed_parallelism,
                                             4};
};

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

// Though a helper is in the loop, and stays: each worker has a slot of its own.
TEST_F(PoolWithLoops, ARunnableWaitsForNoHelper) {
  Pool pool(2);
  pool.Start();
  std::atomic<int> inside{0};
  std::atomic<bool> ran{false};
  Job looper([&](Seat&) {
    oneapi::tbb::parallel_for(
        0, 2,
        [&](int) {
          inside.fetch_add(1);
          EXPECT_TRUE(Eventually([&] { return ran.load(); }));
        },
        oneapi::tbb::simple_partitioner());
  });
  Job other([&](Seat&) { ran = true; });
  pool.Submit(looper);
  ASSERT_TRUE(Eventually([&] { return inside == 2; }));
  pool.Submit(other);
  pool.Join();
  EXPECT_TRUE(ran);
}

// Though there is always another one that waits: a helper takes no worker's turn.
TEST_F(PoolWithLoops, ALoopWaitsForNoRunnable) {
  Pool pool(2);
  pool.Start();
  std::atomic<bool> helped{false};
  std::atomic<int> inside{0};
  Job looper([&](Seat&) {
    oneapi::tbb::parallel_for(
        0, 2,
        [&](int) {
          inside.fetch_add(1);
          if (Eventually([&] { return inside == 2; })) helped = true;
        },
        oneapi::tbb::simple_partitioner());
  });
  Job hog([&](Seat& seat) {
    if (!helped) seat.RunAgain(hog);
  });
  pool.Submit(hog);
  pool.Submit(looper);
  pool.Join();
  EXPECT_TRUE(helped);
}

// Also if the pool has one worker, or as many as slots that are kept for them.
TEST_F(PoolWithLoops, WhatABodyEnqueuesRuns) {
  for (const size_t workers : {1U, 2U, 3U}) {
    SCOPED_TRACE(workers);
    Pool pool(workers);
    pool.Start();
    std::atomic<bool> ran{false};
    Job job([&](Seat&) { oneapi::tbb::this_task_arena::enqueue([&] { ran = true; }); });
    pool.Submit(job);
    pool.Join();
    EXPECT_TRUE(Eventually([&] { return ran.load(); }));
  }
}

// Long enough for another thread to find the parts behind it.
void WorkForAWhile() {
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(5);
  while (std::chrono::steady_clock::now() < until) {
  }
}

// A thread that waits for its loop's last part leaves the loops of others alone: it would not be
// back before such a part is over, and would have to answer for it.
TEST_F(PoolWithLoops, WhoWaitsForItsLoopDoesNoPartOfAnothers) {
  constexpr int kParts = 2000;
  Pool pool(2);
  pool.Start();
  const auto none = std::this_thread::get_id();
  std::atomic<std::thread::id> waiter{none};
  std::atomic<int> inside{0}, parts{0}, parts_of_the_waiter{0};
  Job waits([&](Seat&) {
    waiter = std::this_thread::get_id();
    oneapi::tbb::parallel_for(
        0, 2,
        [&](int) {
          inside.fetch_add(1);
          static_cast<void>(Eventually([&] { return inside == 2; }));
          if (std::this_thread::get_id() == waiter.load()) return;
          EXPECT_TRUE(Eventually([&] { return parts == kParts; }));  // the helper is here till then
        },
        oneapi::tbb::simple_partitioner());
  });
  Job loops([&](Seat&) {
    oneapi::tbb::parallel_for(
        0, kParts,
        [&](int) {
          WorkForAWhile();
          if (std::this_thread::get_id() == waiter.load()) parts_of_the_waiter.fetch_add(1);
          parts.fetch_add(1);
        },
        oneapi::tbb::simple_partitioner());
  });
  pool.Submit(waits);
  ASSERT_TRUE(Eventually([&] { return inside == 2; }));
  pool.Submit(loops);
  pool.Join();
  EXPECT_EQ(parts_of_the_waiter, 0);
}

// TBB does a task of high priority before what a thread was about to begin, and lets others steal
// that: an item would run inside of a body's wait.
TEST_F(PoolWithLoops, NoRunnableRunsInsideOfAnothersWait) {
  Pool pool(2);
  pool.Start();
  static thread_local bool in_the_graphs_body = false;
  std::atomic<bool> stop{false}, begun{false};
  std::atomic<int> inside_of_it{0};
  Job graphs([&](Seat&) {
    in_the_graphs_body = true;
    while (!stop) {
      oneapi::tbb::flow::graph graph;
      oneapi::tbb::flow::function_node<int, int> node(
          graph, oneapi::tbb::flow::unlimited,
          [](int i) {
            WorkForAWhile();
            return i;
          },
          oneapi::tbb::flow::node_priority_t(1));
      for (int i = 0; i < 100; ++i) node.try_put(i);
      graph.wait_for_all();
      begun = true;
    }
    in_the_graphs_body = false;
  });
  pool.Submit(graphs);
  ASSERT_TRUE(Eventually([&] { return begun.load(); }));
  for (int i = 0; i < 300; ++i) {
    std::atomic<bool> ran{false};
    Job other([&](Seat&) {
      if (in_the_graphs_body) inside_of_it.fetch_add(1);
      ran = true;
    });
    pool.Submit(other);
    ASSERT_TRUE(Eventually([&] { return ran.load(); }));
    std::this_thread::sleep_for(std::chrono::microseconds(200));  // so that its item leaves
  }
  stop = true;
  pool.Join();
  EXPECT_EQ(inside_of_it, 0);
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

// Which a body can do that leaves its context to others.
TEST_F(PoolWithLoops, ASeatThatIsCancelledWhileNothingRunsHasWholeLoopsAfterwards) {
  Pool pool(1);
  pool.Start();
  std::atomic<Seat*> kept{nullptr};
  Job keeper([&](Seat& seat) { kept = &seat; });
  pool.Submit(keeper);
  ASSERT_TRUE(Eventually([&] { return kept != nullptr; }));
  kept.load()->CancelNested();
  std::atomic<int> iterations{0};
  Job next(
      [&](Seat&) { oneapi::tbb::parallel_for(0, 1000, [&](int) { iterations.fetch_add(1); }); });
  pool.Submit(next);
  pool.Join();
  EXPECT_EQ(iterations, 1000);
}

TEST_F(PoolWithLoops, WhatIsThrownInTheContextOfASeatWhileNothingRunsIsNobodys) {
  Pool pool(1);
  pool.Start();
  std::atomic<oneapi::tbb::task_group_context*> context{nullptr};
  Job keeper([&](Seat&) { context = oneapi::tbb::task::current_context(); });
  pool.Submit(keeper);
  ASSERT_TRUE(Eventually([&] { return context != nullptr; }));
  const auto thrower = [](int) { throw std::runtime_error("left behind"); };
  EXPECT_THROW(oneapi::tbb::parallel_for(0, 4, thrower, *context.load()), std::runtime_error);
  pool.Join();
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
    oneapi::tbb::task_arena same{oneapi::tbb::attach{}};
    oneapi::tbb::task_arena(2).execute([&] {
      same.execute([&] {
        if (!pool.OnWorker()) wrong.fetch_add(1);
      });
    });
    if (!pool.OnWorker()) wrong.fetch_add(1);
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
