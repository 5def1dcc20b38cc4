// Two promises about bodies that ignore everything, on real time, with their figures as one
// JSON line each:
//   stuck    a body spins 4 s, grace is 200 ms: the shutdown is back within 400 ms and names
//            it, its outcome is Stuck, and Drained() comes when it has really returned
//   overlap  max_concurrent 1, timeout 100 ms, a body of 600 ms, 5 retries: never two bodies
// Exit code: 0 both hold, 1 otherwise.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

void Spin(taskvisor::Duration duration) {
  const auto until = steady_clock::now() + duration;
  while (steady_clock::now() < until) {
  }
}

bool Stuck() {
  auto supervisor = taskvisor::Supervisor::Create({.grace = 200ms});
  const auto handle = supervisor->Serve();
  std::atomic<bool> inside{false};
  const auto watched = handle.AddAndWatch(taskvisor::TaskSpec::Once("spinner", [&] {
    inside = true;
    Spin(4s);
  }));
  while (!inside) std::this_thread::yield();
  const auto start = steady_clock::now();
  const auto exceeded = taskvisor::GraceExceeded::From(handle.Shutdown());
  const double shutdown = SecondsSince(start);
  const auto outcome = watched->waiter.Wait();
  const bool drained_early = watched->waiter.IsDrained();
  const bool drained = watched->waiter.Drained().ok();
  const double drained_at = SecondsSince(start);
  const bool named =
      exceeded.has_value() && exceeded->stuck.size() == 1 && exceeded->stuck[0].name == "spinner";
  const bool good = shutdown <= 0.4 && named && !drained_early && drained && drained_at > 3.5 &&
                    outcome.ok() && outcome->kind() == taskvisor::OutcomeKind::kStuck;
  std::printf(R"({"check":"stuck","good":%s,"shutdown_s":%.3f,"named":%s,"drained_s":%.3f})"
              "\n",
              good ? "true" : "false", shutdown, named ? "true" : "false", drained_at);
  return good;
}

bool Overlap() {
  auto supervisor = taskvisor::Supervisor::Create({.workers = 4, .max_concurrent = 1});
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> bodies{0};
  auto spec = taskvisor::TaskSpec::Restartable("deaf",
                                               [&] {
                                                 ++bodies;
                                                 most = std::max(most.load(), ++inside);
                                                 Spin(600ms);
                                                 --inside;
                                               })
                  .WithTimeout(100ms)
                  .WithMaxRetries(5)
                  .WithBackoff(taskvisor::BackoffPolicy::Constant(1ms));
  const auto waiter = spec.Watch();
  const auto start = steady_clock::now();
  const bool ran = supervisor->Run(std::move(spec)).ok();
  const auto outcome = waiter.Wait();
  const bool good = ran && bodies == 6 && most == 1 && outcome.ok() &&
                    outcome->kind() == taskvisor::OutcomeKind::kFailed;
  std::printf(R"({"check":"overlap","good":%s,"bodies":%d,"most_at_once":%d,"wall_s":%.3f})"
              "\n",
              good ? "true" : "false", bodies.load(), most.load(), SecondsSince(start));
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv, "Bodies that ignore everything are named, and never overlap.");
  const bool stuck = Stuck();
  return Overlap() && stuck ? 0 : 1;
}
