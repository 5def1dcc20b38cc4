// Statement 75: a stop cancels the loops that TBB runs inside the body, and nothing else.
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task.h>
#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/contract/served.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

class ContractNestedLoops : public TbbTest {};

constexpr size_t kSteps = 1'000'000;

// As many TBB tasks as steps, and no look at any cancellation.
template <class Step>
void RunSteps(size_t steps, const Step& step) {
  oneapi::tbb::parallel_for(
      oneapi::tbb::blocked_range<size_t>(0, steps, 1),
      [&](const oneapi::tbb::blocked_range<size_t>& range) { step(range.begin()); },
      oneapi::tbb::simple_partitioner());
}

// A long loop whose steps stay inside until `go`.
struct HeldLoop {
  Gate started;
  Gate go;
  std::atomic<size_t> steps = 0;

  void operator()() {
    RunSteps(kSteps, [this](size_t) {
      ++steps;
      started.Open();
      go.Pass();
    });
  }
};

// Those that had begun, one for each worker, and one more that was about to.
constexpr size_t kSoon = 4;

TEST_F(ContractNestedLoops, S075_AStopEndsANestedLoopWithoutAPoll) {
  HeldLoop loop;
  Served s({.workers = 2});
  const auto task = s.Watch(TaskSpec::Once([&] { loop(); }));
  ASSERT_TRUE(loop.started.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  loop.go.Open();
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
  EXPECT_LE(loop.steps, kSoon);
}

TEST_F(ContractNestedLoops, S075_ATimeoutEndsANestedLoopToo) {
  HeldLoop loop;
  Gate told;  // scopes are told after loops
  Served s({.workers = 2});
  const auto task =
      s.Watch(TaskSpec::Restartable([&](TaskContext& context) {
                const std::stop_callback tell(context.StopToken(), [&] { told.Open(); });
                if (context.attempt() == 1) return loop();
                // The next attempt has the whole machine again.
                std::atomic<size_t> steps = 0;
                RunSteps(1000, [&](size_t) { ++steps; });
                EXPECT_EQ(steps, 1000u);
              })
                  .WithTimeout(1s)
                  .WithBackoff(kNoBackoff));
  ASSERT_TRUE(loop.started.Wait());
  s.Advance(1s);
  s.Await(EventKind::kTimeoutHit, task);
  ASSERT_TRUE(told.Wait());
  loop.go.Open();
  EXPECT_EQ(s.Outcome(task).attempts(), 2u);
  EXPECT_LE(loop.steps, kSoon);
}

TEST_F(ContractNestedLoops, S075_AStopEndsATaskGroupOfTheBody) {
  Gate started;
  Gate go;
  std::atomic<size_t> ran = 0;
  Served s({.workers = 1});
  const auto task = s.Watch(TaskSpec::Once([&] {
    oneapi::tbb::task_group group;
    for (int i = 0; i < 1000; ++i) group.run([&] { ++ran; });
    started.Open();
    go.Pass();
    EXPECT_EQ(group.wait(), oneapi::tbb::canceled);
  }));
  ASSERT_TRUE(started.Wait());
  EXPECT_TRUE(*s.handle.Remove(task.id));
  go.Open();
  EXPECT_EQ(s.Outcome(task).kind(), OutcomeKind::kCancelled);
  EXPECT_EQ(ran, 0u);
}

TEST_F(ContractNestedLoops, S075_TheNextBodyOnTheSameWorkerIsUntouched) {
  Served s({.workers = 1});
  for (int round = 0; round < 100; ++round) {
    HeldLoop loop;
    const auto stopped = s.Watch(TaskSpec::Once([&] { loop(); }));
    ASSERT_TRUE(loop.started.Wait());
    std::atomic<size_t> steps = 0;
    const auto next = s.Watch(TaskSpec::Once([&](TaskContext& context) {
      RunSteps(100, [&](size_t) { ++steps; });
      EXPECT_FALSE(context.Cancelled());
    }));
    EXPECT_TRUE(*s.handle.Remove(stopped.id));
    loop.go.Open();
    ASSERT_TRUE(s.Outcome(next).IsSuccess());
    ASSERT_EQ(steps, 100u) << "round " << round;
    s.Outcome(stopped);
    ASSERT_LE(loop.steps, kSoon);
  }
}

TEST_F(ContractNestedLoops, S075_ALoopOfAnotherBodyIsUntouched) {
  HeldLoop stopped_loop;
  Gate go;
  Gate started;
  std::atomic<size_t> steps = 0;
  Served s({.workers = 2});
  const auto stopped = s.Watch(TaskSpec::Once([&] { stopped_loop(); }));
  ASSERT_TRUE(stopped_loop.started.Wait());
  const auto other = s.Watch(TaskSpec::Once([&] {
    RunSteps(1000, [&](size_t) {
      ++steps;
      started.Open();
      go.Pass();
    });
  }));
  EXPECT_TRUE(*s.handle.Remove(stopped.id));
  stopped_loop.go.Open();
  ASSERT_TRUE(started.Wait());
  go.Open();
  EXPECT_TRUE(s.Outcome(other).IsSuccess());
  EXPECT_EQ(steps, 1000u);
  s.Outcome(stopped);
}

// Stops that come at any moment of a body, also just before and after it.
TEST_F(ContractNestedLoops, S075_AStopThatRacesWithTheEndOfABodyHitsNoLaterLoop) {
  Served s({.workers = 2});
  for (int round = 0; round < 300; ++round) {
    std::atomic<size_t> steps = 0;
    const auto first = s.Watch(TaskSpec::Once([] { RunSteps(2, [](size_t) {}); }));
    const auto second = s.Watch(TaskSpec::Once([&] { RunSteps(50, [&](size_t) { ++steps; }); }));
    static_cast<void>(s.handle.Remove(first.id));
    s.Outcome(first);
    ASSERT_TRUE(s.Outcome(second).IsSuccess());
    ASSERT_EQ(steps, 50u) << "round " << round;
  }
}

thread_local bool t_in_body = false;

// A worker that waits for its loop may help with that loop, but must not begin another
// body: the first one could not return before the second, whoever is asked to stop.
TEST_F(ContractNestedLoops, S075_AWorkerThatWaitsForItsLoopBeginsNoOtherBody) {
  Gate stolen;
  Gate own_step_done;
  Gate go;
  std::atomic<int> intruders = 0;
  // Also where there is one core: TBB has no helper there by itself.
  const oneapi::tbb::global_control threads(oneapi::tbb::global_control::max_allowed_parallelism,
                                            4);
  Served s({.workers = 2});
  const auto task = s.Watch(TaskSpec::Once([&] {
    const std::thread::id self = std::this_thread::get_id();
    t_in_body = true;
    RunSteps(2, [&](size_t) {
      if (std::this_thread::get_id() == self) {
        stolen.Pass();
        own_step_done.Open();
      } else {
        stolen.Open();
        go.Pass();
      }
    });
    t_in_body = false;
  }));
  ASSERT_TRUE(own_step_done.Wait());
  std::vector<WatchedTask> others;
  for (int i = 0; i < 20; ++i) {
    others.push_back(s.Watch(TaskSpec::Once([&] { intruders += t_in_body ? 1 : 0; })));
  }
  for (int i = 0; i < 2000; ++i) std::this_thread::yield();  // a fair chance
  go.Open();
  EXPECT_TRUE(s.Outcome(task).IsSuccess());
  for (const WatchedTask& other : others) EXPECT_TRUE(s.Outcome(other).IsSuccess());
  EXPECT_EQ(intruders, 0);
}

TEST_F(ContractNestedLoops, S075_ABodyThatCancelsItsOwnTbbContextHarmsNoOther) {
  Served s({.workers = 1});
  for (int round = 0; round < 20; ++round) {
    const auto task = s.Watch(
        TaskSpec::Once([] { oneapi::tbb::task::current_context()->cancel_group_execution(); }));
    EXPECT_TRUE(s.Outcome(task).IsSuccess());
    std::atomic<size_t> steps = 0;
    const auto next = s.Watch(TaskSpec::Once([&] { RunSteps(100, [&](size_t) { ++steps; }); }));
    ASSERT_TRUE(s.Outcome(next).IsSuccess());
    ASSERT_EQ(steps, 100u);
  }
}

// The queue is never empty: each of these runs again as soon as it has run.
TEST_F(ContractNestedLoops, S075_ALoopGetsASecondWorkerThoughTasksAreAlwaysWaiting) {
  // Also where there is one core: TBB has no helper there by itself.
  const oneapi::tbb::global_control threads(oneapi::tbb::global_control::max_allowed_parallelism,
                                            4);
  std::atomic<uint64_t> pumped = 0;  // longer than the supervisor: some go on to its end
  Served s({.workers = 2});
  std::vector<WatchedTask> pumps;
  for (int i = 0; i < 64; ++i) {
    pumps.push_back(s.Watch(TaskSpec::Once([&] {
                              ++pumped;
                              for (int n = 0; n < 100; ++n)
                                std::this_thread::yield();  // few events
                            }).WithRestart(RestartPolicy::AlwaysImmediately())));
  }
  ASSERT_TRUE(Eventually([&] { return pumped > 1000; }));
  for (int round = 0; round < 2; ++round) {
    std::atomic<bool> helped = false;
    const auto task = s.Watch(TaskSpec::Once([&] {
      const std::thread::id self = std::this_thread::get_id();
      RunSteps(kSteps, [&](size_t) {
        if (std::this_thread::get_id() != self) helped = true;
        for (int i = 0; i < 1000 && !helped; ++i) std::this_thread::yield();
      });
    }));
    const bool in_time = Eventually([&] { return helped.load(); });
    EXPECT_TRUE(in_time) << "the body had to do its loop alone; " << pumped << " others ran";
    // The premise. Not that one of them has begun meanwhile: help may come at once.
    const auto all = s.handle.List();
    const auto waits = [](const TaskInfo& info) { return info.phase == TaskPhase::kQueued; };
    EXPECT_GT(std::ranges::count_if(all, waits), 32) << "nobody else was waiting";
    static_cast<void>(*s.handle.Remove(task.id));  // or it would go on alone for long
    s.Outcome(task);
  }
  for (const WatchedTask& pump : pumps) EXPECT_TRUE(*s.handle.Remove(pump.id));
}

TEST_F(ContractNestedLoops, S077_AnExceptionOutOfANestedLoopIsContained) {
  Served s({.workers = 2});
  for (int round = 0; round < 50; ++round) {
    const TaskOutcome outcome = s.Outcome(s.Watch(TaskSpec::Once([] {
      oneapi::tbb::parallel_for(0, 100, [](int i) {
        if (i == 57) throw std::runtime_error("step 57");
      });
    })));
    ASSERT_EQ(outcome.reason(), "task panicked: step 57");
    std::atomic<int> steps = 0;
    const auto next =
        s.Watch(TaskSpec::Once([&] { oneapi::tbb::parallel_for(0, 100, [&](int) { ++steps; }); }));
    ASSERT_TRUE(s.Outcome(next).IsSuccess());
    ASSERT_EQ(steps, 100);
  }
}

}  // namespace
}  // namespace taskvisor::testing
