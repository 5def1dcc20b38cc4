// Statement 75 for TBB's other algorithms: each ends after a cancel, a timeout, a deadline and a
// shutdown without a poll, and the one that follows on the same worker runs to its end.
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/partitioner.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "tests/contract/served.h"
#include "tests/support/tbb_test.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

class ContractNestedAlgorithms : public TbbTest {};

using Step = std::function<void()>;
struct Algorithm {
  const char* name;
  void (*run)(size_t steps, const Step& step);
};

void Reduce(size_t steps, const Step& step) {
  using Range = oneapi::tbb::blocked_range<size_t>;
  static_cast<void>(oneapi::tbb::parallel_reduce(
      Range(0, steps, 1), size_t{0},
      [&](const Range& range, size_t sum) {
        step();
        return sum + range.size();
      },
      std::plus<>(), oneapi::tbb::simple_partitioner()));
}

void Pipeline(size_t steps, const Step& step) {
  using oneapi::tbb::filter_mode;
  size_t made = 0;
  oneapi::tbb::parallel_pipeline(
      4,
      oneapi::tbb::make_filter<void, size_t>(filter_mode::serial_in_order,
                                             [&](oneapi::tbb::flow_control& control) {
                                               if (made == steps) control.stop();
                                               return made++;
                                             }) &
          oneapi::tbb::make_filter<size_t, void>(filter_mode::parallel, [&](size_t) { step(); }));
}

void Graph(size_t steps, const Step& step) {
  oneapi::tbb::flow::graph graph;
  oneapi::tbb::flow::function_node<size_t> node(graph, /*concurrency=*/2, [&](size_t) { step(); });
  for (size_t i = 0; i < steps; ++i) node.try_put(i);
  graph.wait_for_all();
}

constexpr Algorithm kAlgorithms[] = {{"reduce", Reduce}, {"pipeline", Pipeline}, {"graph", Graph}};
constexpr size_t kAllSteps = 10'000;
// Those that had begun, one for each worker, and a few that were about to.
constexpr size_t kFewSteps = 8;

// What a stop does to a task whose body is in its algorithm.
using Stop = void (*)(Served& s, const WatchedTask& task);
constexpr Stop kStops[] = {
    [](Served& s, const WatchedTask& task) { EXPECT_TRUE(*s.handle.Remove(task.id)); },
    [](Served& s, const WatchedTask&) { s.Advance(1s); },  // its timeout
    [](Served& s, const WatchedTask&) { s.Advance(1s); },  // its deadline
    [](Served& s, const WatchedTask&) { s.handle.RequestShutdown(); },
};

TEST_F(ContractNestedAlgorithms, S075_EachEndsAfterEachStopWithoutAPoll) {
  for (const Algorithm& algorithm : kAlgorithms) {
    for (size_t i = 0; i < std::size(kStops); ++i) {
      SCOPED_TRACE(algorithm.name + std::string(", stop ") + std::to_string(i));
      Gate inside;
      Gate told;  // scopes are told after loops
      std::atomic<size_t> steps = 0;
      Served s({.workers = 2});
      auto spec = TaskSpec::Once([&](TaskContext& context) {
        const auto tell = context.OnCancel([&] { told.Open(); });
        algorithm.run(kAllSteps, [&] {
          ++steps;
          inside.Open();
          told.Pass();
        });
      });
      if (i == 1) spec = std::move(spec).WithTimeout(1s);
      if (i == 2) spec = std::move(spec).WithDeadline(1s);
      const auto task = s.Watch(std::move(spec));
      ASSERT_TRUE(inside.Wait());
      kStops[i](s, task);
      EXPECT_FALSE(s.Outcome(task).IsSuccess());
      EXPECT_LE(steps, kFewSteps);
    }
  }
}

TEST_F(ContractNestedAlgorithms, S075_TheOneThatFollowsOnTheSameWorkerIsUntouched) {
  Served s({.workers = 1});
  for (const Algorithm& algorithm : kAlgorithms) {
    for (int round = 0; round < 20; ++round) {
      SCOPED_TRACE(algorithm.name);
      Gate inside;
      Gate told;
      const auto stopped = s.Watch(TaskSpec::Once([&](TaskContext& context) {
        const auto tell = context.OnCancel([&] { told.Open(); });
        algorithm.run(kAllSteps, [&] {
          inside.Open();
          told.Pass();
        });
      }));
      ASSERT_TRUE(inside.Wait());
      std::atomic<size_t> steps = 0;
      const auto next = s.Watch(TaskSpec::Once([&](TaskContext& context) {
        algorithm.run(100, [&] { ++steps; });
        EXPECT_FALSE(context.Cancelled());
      }));
      EXPECT_TRUE(*s.handle.Remove(stopped.id));
      ASSERT_TRUE(s.Outcome(next).IsSuccess());
      ASSERT_EQ(steps, 100u);
      s.Outcome(stopped);
    }
  }
}

}  // namespace
}  // namespace taskvisor::testing
