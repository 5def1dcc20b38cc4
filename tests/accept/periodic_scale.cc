// A million periodic tasks on one timer wheel: none fires late.
//
// Each task fails once, which spreads their phases over one period (full jitter), and then
// repeats at that period; its body does nothing. The period is such that 40,000 tasks come
// due in a second. Measured while all of them are at it:
//   fire   from a task's due time until the timer thread has made it ready: every fire of the
//          product itself, seen by a probe that the linker puts in front of the library's
//          callback (--wrap)
//   own    the same without the time that the thread could have run and was not let onto a
//          core, by the kernel's account: workers and fan-out keep all cores busy
//   start  from the same due time until the body begins: a worker must be free too
//   bare   one thread for each core, bound to it, that sleeps for a millisecond at a time and
//          does nothing else: what this machine does to a thread that would wake
//
// Fails if a fire is early, if `own` is beyond TimerQueue::kResolution for one in a hundred or,
// for any, by more than the worst of `bare`; if a task missed a turn, or the load was not there.
//
// Usage: accept_periodic_scale; TASKVISOR_ACCEPT_TASKS, TASKVISOR_ACCEPT_SECONDS.

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "sched/timer_queue.h"
#include "supervisor/task_timers.h"
#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"
#include "tests/accept/held_up.h"

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using taskvisor::internal::TaskTimers;
using taskvisor::internal::Timer;
using taskvisor::internal::TimerQueue;
using taskvisor::testing::Lateness;

namespace {

constexpr uint64_t kFiresPerSecond = 40'000;

struct Run {
  Run(uint64_t tasks, uint64_t slots) : due(slots), turns(tasks) {}
  std::atomic<bool> measuring{false};
  std::atomic<uint64_t> first_attempts{0};
  Lateness fire;
  Lateness own;  // of fire: what is left without the time in the kernel's run queue
  Lateness start;
  Lateness bare;
  std::vector<std::atomic<int64_t>> due;     // by slot: of the fire that led to this attempt
  std::vector<std::atomic<uint32_t>> turns;  // by task
};
Run* g_run = nullptr;

int64_t NowNs() { return steady_clock::now().time_since_epoch().count(); }

}  // namespace

// TaskTimers::OnFire, as every object but its own sees it.
extern "C" void __real__ZN9taskvisor8internal10TaskTimers6OnFireERNS0_5TimerEm(Timer&, uint64_t);
extern "C" void __wrap__ZN9taskvisor8internal10TaskTimers6OnFireERNS0_5TimerEm(Timer& timer,
                                                                               uint64_t tag) {
  const int64_t due = timer.deadline.load(std::memory_order_relaxed);
  const uint32_t slot = TaskTimers::SlotOf(timer);
  g_run->due[slot].store(due, std::memory_order_relaxed);
  const bool counts = g_run->measuring.load(std::memory_order_relaxed);
  __real__ZN9taskvisor8internal10TaskTimers6OnFireERNS0_5TimerEm(timer, tag);
  if (!counts) return;
  thread_local taskvisor::testing::HeldUp held_up;
  const int64_t now = NowNs();
  held_up.Sample(now);
  g_run->fire.Add(now - due);
  g_run->own.Add(now - due - std::clamp<int64_t>(held_up.AtLeastSince(due), 0, now - due));
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
      batch.push_back(
          taskvisor::TaskSpec::Periodic("", period, [&run, task](taskvisor::TaskContext& context) {
            return Body(run, task, context);
          }).WithBackoff(*spread));
    }
    if (!handle.AddBatch(std::move(batch)).ok()) std::abort();
  }
  while (run.first_attempts != run.turns.size()) std::this_thread::yield();
}

void SleepBare(Run& run, int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
  prctl(PR_SET_TIMERSLACK, 1UL);
  auto due = steady_clock::now();
  while (run.measuring.load()) {
    due += 1ms;
    std::this_thread::sleep_until(due);
    run.bare.Add(NowNs() - due.time_since_epoch().count());
    due = std::max(due, steady_clock::now());
  }
}

std::vector<std::thread> SleepBareOnEachCore(Run& run) {
  cpu_set_t ours;
  sched_getaffinity(0, sizeof(ours), &ours);
  std::vector<std::thread> threads;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(static_cast<size_t>(core), &ours)) {
      threads.emplace_back([&run, core] { SleepBare(run, core); });
    }
  }
  return threads;
}

uint64_t TasksThatMissedTurns(const Run& run, uint64_t at_least) {
  return static_cast<uint64_t>(std::count_if(run.turns.begin(), run.turns.end(),
                                             [&](const auto& n) { return n.load() < at_least; }));
}

// What is known when the measured time is over.
struct Figures {
  uint64_t tasks;
  std::chrono::nanoseconds period;
  double added_s;
  double measured_s;
  double cores;
  double stolen_cores;
};

// Runs the load for `seconds`.
void Measure(Run& run, uint64_t seconds, Figures& figures) {
  run.measuring = true;
  const auto start = steady_clock::now();
  const double cpu = taskvisor::testing::CpuSeconds();
  const double stolen = taskvisor::testing::StolenSeconds();
  std::vector<std::thread> bare = SleepBareOnEachCore(run);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  run.measuring = false;
  figures.measured_s = taskvisor::testing::SecondsSince(start);
  figures.cores = (taskvisor::testing::CpuSeconds() - cpu) / figures.measured_s;
  figures.stolen_cores = (taskvisor::testing::StolenSeconds() - stolen) / figures.measured_s;
  for (std::thread& thread : bare) thread.join();
}

// Prints the line; whether all holds.
bool Judge(const Run& run, const Figures& figures, bool stopped) {
  using std::chrono::duration;
  constexpr auto kResolution =
      std::chrono::duration_cast<std::chrono::microseconds>(TimerQueue::kResolution);
  const double period_s = duration<double>(figures.period).count();
  const auto turns =
      static_cast<uint64_t>(figures.measured_s / (period_s + 2e-6 * run.start.max_us()));
  const uint64_t missed = TasksThatMissedTurns(run, turns);
  const auto fires = static_cast<double>(run.fire.count());
  const bool loaded =
      fires > 0.9 * static_cast<double>(figures.tasks) * figures.measured_s / period_s;
  const double resolution_us = static_cast<double>(kResolution.count());
  const bool in_time = run.own.Beyond(kResolution) * 100 <= run.own.count() &&
                       run.own.max_us() <= resolution_us + run.bare.max_us();
  const bool good = stopped && loaded && in_time && missed == 0 && run.fire.early() == 0;
  std::printf(
      R"({"check":"periodic_scale","good":%s,"tasks":%lu,"period_s":%.3f,"seconds":%.2f,)"
      R"("fires":%.0f,"fires_per_s":%.0f,"early":%lu,"missed_a_turn":%lu,"resolution_us":%.0f,)"
      R"("fire_late_us":%s,"own_late_us":%s,"start_late_us":%s,"bare_late_us":%s,)"
      R"("fires_later":%lu,"own_later":%lu,"cores":%.2f,"stolen_cores":%.4f,"added_s":%.2f})"
      "\n",
      taskvisor::testing::Json(good), figures.tasks, period_s, figures.measured_s, fires,
      fires / figures.measured_s, run.fire.early(), missed, resolution_us, run.fire.Json().c_str(),
      run.own.Json().c_str(), run.start.Json().c_str(), run.bare.Json().c_str(),
      run.fire.Beyond(kResolution), run.own.Beyond(kResolution), figures.cores,
      figures.stolen_cores, figures.added_s);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(argc, argv, "A million periodic tasks fire on time.");
  const uint64_t tasks = taskvisor::testing::TasksOr(1'000'000);
  Figures figures{};
  figures.tasks = tasks;
  figures.period = std::chrono::nanoseconds(1s) * tasks / kFiresPerSecond;
  Run run(tasks, tasks + 4096);  // the registry may use a few more slots than there are tasks
  g_run = &run;
  auto supervisor = taskvisor::Supervisor::Create({.max_tasks = tasks + 1000});
  const auto handle = supervisor->Serve();
  const auto begin = steady_clock::now();
  AddAll(handle, run, figures.period);
  figures.added_s = taskvisor::testing::SecondsSince(begin);
  Measure(run, taskvisor::testing::SecondsOr(60), figures);
  const bool stopped = handle.Shutdown().ok();
  return Judge(run, figures, stopped) ? 0 : 1;
}
