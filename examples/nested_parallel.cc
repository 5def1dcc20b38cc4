// Bodies that are parallel themselves: TBB's threads help in their loops, and
// a cancel, a timeout or a deadline ends them without a poll in the loop.

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/partitioner.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iostream>

#include "taskvisor/supervisor.h"

using namespace std::chrono_literals;
using namespace taskvisor;
using Range = oneapi::tbb::blocked_range<uint64_t>;

namespace {

uint64_t Collatz(uint64_t n) {
  uint64_t steps = 0;
  for (; n != 1; ++steps) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
  return steps;
}

}  // namespace

int main() {
  auto supervisor = Supervisor::Create({});
  const SupervisorHandle handle = supervisor->Serve();

  uint64_t longest = 0;
  auto search = handle.AddAndWatch(TaskSpec::Once("search", [&] {
    longest = oneapi::tbb::parallel_reduce(
        Range(1, 100'000), uint64_t{0},
        [](const Range& range, uint64_t best) {
          for (uint64_t n = range.begin(); n < range.end(); ++n) best = std::max(best, Collatz(n));
          return best;
        },
        [](uint64_t a, uint64_t b) { return std::max(a, b); });
  }));
  if (!search.ok()) return 1;
  std::cout << Label(search->waiter.Wait()->kind()) << ": " << longest << " steps" << std::endl;

  // Years of work, in grains of a thousand: a grain is what a cancel waits for, so it is not left
  // to the partitioner. TBB does not say that a loop was cancelled: who uses what it leaves
  // behind asks the context.
  std::atomic<uint64_t> done{0};
  auto endless =
      handle.AddAndWatch(TaskSpec::Once("endless", [&](TaskContext& context) -> TaskResult {
                           oneapi::tbb::parallel_for(
                               Range(1, 1'000'000'000'000'000, 1000),
                               [&](const Range& range) {
                                 for (uint64_t n = range.begin(); n < range.end(); ++n)
                                   done += Collatz(n) > 0 ? 1 : 0;
                               },
                               oneapi::tbb::simple_partitioner());
                           return context.Cancelled() ? Cancelled() : Ok();
                         }).WithTimeout(100ms));
  if (!endless.ok()) return 1;
  const TaskOutcome outcome = endless->waiter.Wait().value();
  std::cout << Label(outcome.kind()) << ": " << outcome.reason() << std::endl;
  return done > 0 && handle.Shutdown().ok() ? 0 : 1;
}
