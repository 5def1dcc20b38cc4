// Two promises about stopping what does not look, on real time, with their figures as one JSON
// line each:
//   nested    a body runs a parallel_for over 1e9 steps and polls nothing. From its cancel to
//             its outcome: at most 2 grains and 10 ms, 200 times at random moments; a loop of
//             the task that follows on the same worker runs to its end each time
//   shutdown  a body spins 4 s, grace is 200 ms: the shutdown is back within 400 ms
// A grain is a step of the partitioner, here 100,000 steps of the loop: its median time on one
// thread, measured first. Exit code: 0 both hold, 1 otherwise.

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Range = oneapi::tbb::blocked_range<size_t>;

constexpr size_t kSteps = 1'000'000'000;
constexpr size_t kGrain = 100'000;
constexpr double kMargin_ms = 10;

std::atomic<uint64_t> sink{0};

// Work that the compiler can neither foresee nor leave out.
void Work(size_t steps) {
  uint64_t x = steps;
  for (size_t i = 0; i < steps; ++i) x = x * 25214903917u + 11;
  sink.fetch_add(x, std::memory_order_relaxed);
}

double GrainMs() {
  std::vector<double> times(101);
  for (double& time : times) {
    const auto start = steady_clock::now();
    Work(kGrain);
    time = SecondsSince(start) * 1e3;
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// What the rounds share.
struct Rounds {
  std::vector<double> late_ms;
  size_t same_worker = 0;  // rounds in which a follower ran on the cancelled body's thread
  size_t touched = 0;      // followers whose loop did not run to its end, or that were cancelled
  bool unfinished = true;  // no cancelled loop was at its end
};

// Two that occupy both workers at a time, so that one is on the worker of the cancelled body.
struct Followers {
  std::atomic<int> inside{0};
  std::array<std::atomic<int>, 2> threads{};

  TaskResult operator()(TaskContext& context, size_t i) {
    if (++inside == 2) inside.notify_all();
    inside.wait(1);  // asleep: what is cancelled needs the core
    threads[i] = gettid();
    constexpr size_t kFollowing = 64;
    std::atomic<size_t> done{0};
    oneapi::tbb::parallel_for(Range(0, kFollowing, 1), [&](const Range& r) { done += r.size(); });
    return done == kFollowing && !context.Cancelled() ? Ok() : Fatal("touched");
  }
};

bool OneRound(const SupervisorHandle& handle, Random& random, Rounds& rounds) {
  std::atomic<int> thread{0};
  std::atomic<size_t> grains{0};
  const auto cancelled = handle.AddAndWatch(TaskSpec::Once([&] {
    thread = gettid();
    oneapi::tbb::parallel_for(
        Range(0, kSteps, kGrain),
        [&](const Range& r) {
          Work(r.size());
          ++grains;
        },
        oneapi::tbb::simple_partitioner());
  }));
  if (!cancelled.ok()) return false;
  while (grains == 0) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::microseconds(random.Below(5000)));

  Followers followers;
  std::vector<TaskSpec> specs;
  std::vector<TaskWaiter> waiters;
  for (size_t i = 0; i < 2; ++i) {
    specs.push_back(TaskSpec::Once([&followers, i](TaskContext& c) { return followers(c, i); }));
    waiters.push_back(specs.back().Watch());
  }
  if (!handle.AddBatch(std::move(specs)).ok()) return false;

  const auto start = steady_clock::now();
  if (!handle.Remove(cancelled->id).value()) return false;
  const auto outcome = cancelled->waiter.Wait();
  rounds.late_ms.push_back(SecondsSince(start) * 1e3);
  if (!outcome.ok() || outcome->kind() != OutcomeKind::kCancelled) return false;
  rounds.unfinished = rounds.unfinished && grains < kSteps / kGrain;
  for (const TaskWaiter& waiter : waiters) {
    const auto followed = waiter.Wait();
    rounds.touched += followed.ok() && followed->IsSuccess() ? 0 : 1;
  }
  const bool same = followers.threads[0] == thread || followers.threads[1] == thread;
  rounds.same_worker += same ? 1 : 0;
  return true;
}

bool Nested() {
  constexpr size_t kRounds = 200;
  const double grain = GrainMs();
  const uint64_t seed = FromEnvironment("TASKVISOR_SEED", std::random_device{}());
  Random random(seed);
  auto supervisor = Supervisor::Create({.workers = 2});
  const SupervisorHandle handle = supervisor->Serve();
  Rounds rounds;
  bool ran = true;
  // The other worker may take it: such a round is one more.
  while (ran && rounds.same_worker < kRounds && rounds.late_ms.size() < 2 * kRounds) {
    ran = OneRound(handle, random, rounds);
  }
  std::sort(rounds.late_ms.begin(), rounds.late_ms.end());
  const double bound = 2 * grain + kMargin_ms;
  const bool stopped = handle.Shutdown().ok();
  const bool good = ran && stopped && rounds.unfinished && rounds.touched == 0 &&
                    rounds.same_worker >= kRounds && rounds.late_ms.back() <= bound;
  const double p50 = rounds.late_ms.empty() ? 0 : rounds.late_ms[rounds.late_ms.size() / 2];
  std::printf(R"({"check":"nested","good":%s,"rounds":%zu,"same_worker":%zu,"touched":%zu,)"
              R"("grain_ms":%.3f,"late_ms":{"p50":%.3f,"max":%.3f},"bound_ms":%.3f,"seed":%lu})"
              "\n",
              Json(good), rounds.late_ms.size(), rounds.same_worker, rounds.touched, grain, p50,
              rounds.late_ms.empty() ? 0 : rounds.late_ms.back(), bound, seed);
  return good;
}

bool Shutdown() {
  auto supervisor = Supervisor::Create({.workers = 2, .grace = 200ms});
  const SupervisorHandle handle = supervisor->Serve();
  std::atomic<bool> inside{false};
  const auto watched = handle.AddAndWatch(TaskSpec::Once("spinner", [&] {
    inside = true;
    for (const auto until = steady_clock::now() + 4s; steady_clock::now() < until;) {
    }
  }));
  while (!inside) std::this_thread::yield();
  const auto start = steady_clock::now();
  const auto exceeded = GraceExceeded::From(handle.Shutdown());
  const double back = SecondsSince(start);
  const auto outcome = watched->waiter.Wait();
  const bool told = outcome.ok() && outcome->kind() == OutcomeKind::kStuck &&
                    outcome->cause() == CancelCause::kShutdown && !watched->waiter.IsDrained();
  const bool named =
      exceeded.has_value() && exceeded->stuck.size() == 1 && exceeded->stuck[0].name == "spinner";
  const bool drained = watched->waiter.Drained().ok();
  const bool good = back >= 0.2 && back <= 0.4 && told && named && drained;
  std::printf(R"({"check":"shutdown","good":%s,"back_s":%.3f,"named":%s,"drained_s":%.3f})"
              "\n",
              Json(good), back, Json(named), SecondsSince(start));
  return good;
}

}  // namespace
}  // namespace taskvisor::testing

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv, "A nested loop that polls nothing stops in time, and so does a shutdown.");
  const bool nested = taskvisor::testing::Nested();
  return taskvisor::testing::Shutdown() && nested ? 0 : 1;
}
