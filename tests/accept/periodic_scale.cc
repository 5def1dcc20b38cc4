// A million periodic tasks on one timer wheel: none fires late.
//
// Each task fails once, which spreads their phases over one period (full jitter), and then
// repeats at that period; its body does nothing. The period is such that 40,000 tasks come
// due in a second. Measured while all of them are at it:
//   fire    when the timer thread makes the task ready, against its due time; the linker puts
//           a probe in front of the library's own callback (--wrap), so it is every fire of
//           the product itself
//   start   when its body begins, against the same due time: a worker must be free too
//   bare    what a thread that only sleeps for a millisecond at a time sees meanwhile: the
//           machine's share
// Fails if a fire is early, if one is later than the resolution that TimerQueue states, or if
// a task missed a turn.
//
// Usage: accept_periodic_scale; TASKVISOR_ACCEPT_TASKS, TASKVISOR_ACCEPT_SECONDS.

#include <sys/prctl.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "supervisor/entry.h"
#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using taskvisor::internal::EntryTimer;
using taskvisor::internal::Timer;
using taskvisor::testing::Lateness;

namespace {

constexpr uint64_t kFiresPerSecond = 40'000;

struct Run {
  Run(uint64_t tasks, uint64_t slots) : due(slots), turns(tasks) {}
  std::atomic<bool> measuring{false};
  std::atomic<uint64_t> first_attempts{0};
  Lateness fire;
  Lateness start;
  Lateness bare;
  std::vector<std::atomic<int64_t>> due;     // by slot: of the fire that led to this attempt
  std::vector<std::atomic<uint32_t>> turns;  // by task
};
Run* g_run = nullptr;

int64_t NowNs() { return steady_clock::now().time_since_epoch().count(); }

}  // namespace

// EntryTimer::OnFire, as every object but its own sees it.
extern "C" void __real__ZN9taskvisor8internal10EntryTimer6OnFireERNS0_5TimerEm(Timer&, uint64_t);
extern "C" void __wrap__ZN9taskvisor8internal10EntryTimer6OnFireERNS0_5TimerEm(Timer& timer,
                                                                              uint64_t tag) {
  const int64_t due = timer.deadline.load(std::memory_order_relaxed);
  const uint32_t slot = static_cast<EntryTimer&>(timer).entry->slot;
  g_run->due[slot].store(due, std::memory_order_relaxed);
  const bool counts = g_run->measuring.load(std::memory_order_relaxed);
  __real__ZN9taskvisor8internal10EntryTimer6OnFireERNS0_5TimerEm(timer, tag);
  if (counts) g_run->fire.Add(NowNs() - due);  // after: until it has been made ready
}

namespace {

taskvisor::TaskResult Body(Run& run, uint64_t task, taskvisor::TaskContext& context) {
  if (context.attempt() == 1) {
    run.first_attempts.fetch_add(1, std::memory_order_relaxed);
    return taskvisor::Fail("phase");
  }
  if (run.measuring.load(std::memory_order_relaxed)) {
    const int64_t due = run.due[context.id().slot()].load(std::memory_order_relaxed);
    run.start.Add(NowNs() - due);
    run.turns[task].fetch_add(1, std::memory_order_relaxed);
  }
  return taskvisor::Ok();
}

void AddAll(const taskvisor::SupervisorHandle& handle, Run& run, taskvisor::Duration period) {
  const auto spread = taskvisor::BackoffPolicy::Make(
      {.first = period, .max = period, .jitter = taskvisor::Jitter::kFull});
  constexpr uint64_t kBatch = 10'000;
  for (uint64_t task = 0; task < run.turns.size();) {
    std::vector<taskvisor::TaskSpec> batch;
    for (uint64_t i = 0; i < kBatch && task < run.turns.size(); ++i, ++task) {
      batch.push_back(taskvisor::TaskSpec::Periodic("", period,
                                                    [&run, task](taskvisor::TaskContext& context) {
                                                      return Body(run, task, context);
                                                    })
                          .WithBackoff(*spread));
    }
    if (!handle.AddBatch(std::move(batch)).ok()) std::abort();
  }
  while (run.first_attempts != run.turns.size()) std::this_thread::yield();
}

// Sleeps to absolute points, as the timer thread does, and does nothing else.
void SleepBare(Run& run) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  auto due = steady_clock::now();
  while (run.measuring.load()) {
    due += 1ms;
    std::this_thread::sleep_until(due);
    run.bare.Add(NowNs() - due.time_since_epoch().count());
    due = std::max(due, steady_clock::now());
  }
}

uint64_t TasksThatMissedTurns(const Run& run, uint64_t at_least) {
  return static_cast<uint64_t>(std::count_if(
      run.turns.begin(), run.turns.end(), [&](const auto& n) { return n.load() < at_least; }));
}

}  // namespace

int main() {
  const uint64_t tasks = taskvisor::testing::TasksOr(1'000'000);
  const uint64_t seconds = taskvisor::testing::SecondsOr(60);
  const taskvisor::Duration period = std::chrono::nanoseconds(1s) * tasks / kFiresPerSecond;
  const auto resolution =
      std::chrono::duration_cast<std::chrono::microseconds>(1ms);

  Run run(tasks, tasks + 4096);  // the registry may use a few more slots than there are tasks
  g_run = &run;
  auto supervisor = taskvisor::Supervisor::Create({.max_tasks = tasks + 1000});
  const auto handle = supervisor->Serve();
  const auto begin = steady_clock::now();
  AddAll(handle, run, period);
  const double added_s = taskvisor::testing::SecondsSince(begin);

  run.measuring = true;
  const auto start = steady_clock::now();
  const double cpu = taskvisor::testing::CpuSeconds();
  std::thread bare([&] { SleepBare(run); });
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  run.measuring = false;
  const double measured_s = taskvisor::testing::SecondsSince(start);
  const double cores = (taskvisor::testing::CpuSeconds() - cpu) / measured_s;
  bare.join();
  const bool stopped = handle.Shutdown().ok();

  const auto turns = static_cast<uint64_t>(std::chrono::seconds(seconds) / (period + resolution));
  const uint64_t missed = TasksThatMissedTurns(run, turns);
  const uint64_t late = run.fire.Beyond(resolution);
  const auto expected = static_cast<double>(tasks) * measured_s * 1e9 /
                        static_cast<double>(std::chrono::nanoseconds(period).count());
  const bool loaded = static_cast<double>(run.fire.count()) > 0.9 * expected;
  const bool good = stopped && loaded && late == 0 && missed == 0 && run.fire.early() == 0;
  std::printf(
      R"({"check":"periodic_scale","good":%s,"tasks":%lu,"period_s":%.3f,"seconds":%.2f,)"
      R"("fires":%lu,"fires_per_s":%.0f,"cores":%.2f,"early":%lu,"resolution_us":%ld,)"
      R"("later":%lu,"missed_a_turn":%lu,"fire_late_us":%s,"start_late_us":%s,)"
      R"("bare_late_us":%s,"added_s":%.2f})"
      "\n",
      taskvisor::testing::Json(good), tasks, std::chrono::duration<double>(period).count(),
      measured_s, run.fire.count(), static_cast<double>(run.fire.count()) / measured_s, cores,
      run.fire.early(), static_cast<long>(resolution.count()), late, missed,
      run.fire.Json().c_str(), run.start.Json().c_str(), run.bare.Json().c_str(), added_s);
  return good ? 0 : 1;
}
