// A million parked tasks and nothing due: the process sleeps.
//
// Periodic tasks that have run once and whose next turn is a day away. Fails if they cost more
// than a thousandth of a core while nothing is due.
//
// Usage: accept_idle; TASKVISOR_ACCEPT_TASKS, TASKVISOR_ACCEPT_SECONDS.

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"

using taskvisor::TaskPhase;

namespace {

bool AddAll(const taskvisor::SupervisorHandle& handle, uint64_t tasks) {
  std::vector<taskvisor::TaskSpec> batch;
  batch.reserve(tasks);
  for (uint64_t i = 0; i < tasks; ++i) {
    batch.push_back(taskvisor::TaskSpec::Periodic("", std::chrono::hours(24), [] {}));
  }
  return handle.AddBatch(std::move(batch)).ok();
}

uint64_t Parked(const taskvisor::SupervisorHandle& handle) {
  uint64_t parked = 0;
  for (const taskvisor::TaskInfo& task : handle.List()) {
    parked += task.phase == TaskPhase::kDelaying && task.attempt == 1;
  }
  return parked;
}

long ContextSwitches() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw + usage.ru_nivcsw;
}

// Until a tenth of a second has passed in which the process did nothing: its threads stay
// awake a little before they park. At most ten seconds.
void AwaitQuiet() {
  for (int look = 0; look < 100; ++look) {
    const double before = taskvisor::testing::CpuSeconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (taskvisor::testing::CpuSeconds() - before < 1e-4) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(argc, argv,
                                        "A million parked tasks and nothing due cost no CPU.");
  const uint64_t tasks = taskvisor::testing::TasksOr(1'000'000);
  const uint64_t seconds = taskvisor::testing::SecondsOr(20);
  auto supervisor = taskvisor::Supervisor::Create();
  const auto handle = supervisor->Serve();
  const uint64_t before_bytes = taskvisor::testing::ResidentBytes();
  bool good = AddAll(handle, tasks);
  uint64_t parked = 0;
  while (good && (parked = Parked(handle)) != tasks) std::this_thread::yield();
  const uint64_t bytes = (taskvisor::testing::ResidentBytes() - before_bytes) / tasks;

  AwaitQuiet();
  const double cpu = taskvisor::testing::CpuSeconds();
  const long switches = ContextSwitches();
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  const double used = taskvisor::testing::CpuSeconds() - cpu;
  const long switched = ContextSwitches() - switches;

  good = good && Parked(handle) == tasks && used <= 1e-3 * static_cast<double>(seconds);
  const bool stopped = handle.Shutdown().ok();
  std::printf(R"({"check":"idle","good":%s,"tasks":%lu,"seconds":%lu,"cpu_s":%.4f,)"
              R"("context_switches":%ld,"resident_bytes_per_task":%lu})"
              "\n",
              taskvisor::testing::Json(good && stopped), parked, seconds, used, switched, bytes);
  return good && stopped ? 0 : 1;
}
