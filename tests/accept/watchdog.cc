// Three promises about the watchdog, on real time, with their figures as one JSON line each:
//   named       8 tasks under a heartbeat of 200 ms, one loops in SpinHereForEver, one waits
//               for a mutex: within 500 ms of their silence exactly these two are named, with
//               the function and the lock call in their stacks; both are told to be back
//               within 500 ms of their resuming, one beats, one returns
//   stacks      1000 stacks of threads of which all but one allocate without a pause; each is
//               taken, and that of the one shows SpinHereForEver
//   throughput  of one-shot tasks that work for some 2 us and beat 8 times meanwhile: with a
//               heartbeat against without, the median of 9 pairs loses less than 2 %. (With
//               empty bodies two sides that are the same differ by more than that here.)
//               TASKVISOR_ACCEPT_TASKS: tasks of a turn
// Exit code: 0 all hold, 1 otherwise.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sched/stack_capture.h"
#include "sched/stack_text.h"
#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"
#include "tests/support/recorder.h"

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using taskvisor::EventKind;
using taskvisor::TaskContext;
using taskvisor::TaskSpec;

// Not inlined: their names are looked for.
[[gnu::noinline]] void SpinHereForEver(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
  }
}

[[gnu::noinline]] void WaitForTheLock(std::mutex& mutex, std::atomic<int>& held) {
  const std::lock_guard lock(mutex);
  ++held;
}

namespace taskvisor::testing {
namespace {

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// The tasks that an event of this kind named, and how long after `since` the last came.
struct Told {
  std::set<std::string> tasks;
  size_t count = 0;
  double last_s = 0;
};
Told TellOf(Recorder& recorder, EventKind kind, WallTime since) {
  Told told;
  for (const Event& event : recorder.Events(Recorder::Is(kind))) {
    told.tasks.emplace(event.task());
    ++told.count;
    told.last_s = std::chrono::duration<double>(event.at() - since).count();
  }
  return told;
}

bool Named() {
  const auto recorder = std::make_shared<Recorder>();
  auto supervisor = Supervisor::Create({.workers = 8, .subscribers = {recorder}});
  const SupervisorHandle handle = supervisor->Serve();
  std::atomic<bool> resume{false};
  std::atomic<bool> end{false};
  std::atomic<int> held{0};
  std::mutex mutex;
  std::unique_lock lock(mutex);
  const auto beat = [&](TaskContext& context) {
    for (; !end; context.SleepFor(5ms)) context.Beat();
  };
  const auto spin = [&](TaskContext& context) {
    SpinHereForEver(resume);
    beat(context);
  };
  const auto wait = [&](TaskContext&) { WaitForTheLock(mutex, held); };
  const WallTime start = RealClock()->WallAt(RealClock()->Now());
  static_cast<void>(handle.Add(TaskSpec::Once("spins", spin).WithHeartbeat(200ms)));
  static_cast<void>(handle.Add(TaskSpec::Once("waits", wait).WithHeartbeat(200ms)));
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    static_cast<void>(handle.Add(TaskSpec::Once(name, beat).WithHeartbeat(200ms)));
  }
  std::this_thread::sleep_for(700ms);  // time for a false alarm, too
  const Told stuck = TellOf(*recorder, EventKind::kTaskStuck, start);
  const WallTime resumed = RealClock()->WallAt(RealClock()->Now());
  resume = true;
  lock.unlock();
  std::this_thread::sleep_for(700ms);
  const Told back = TellOf(*recorder, EventKind::kTaskRecovered, resumed);
  const auto stack_of = [&](const char* task) {
    const auto events = recorder->Events(Recorder::Is(EventKind::kTaskStuck, task));
    return events.empty() ? std::string() : std::string(events.front().reason());
  };
  const std::string spins = stack_of("spins");
  const std::string waits = stack_of("waits");
  const size_t stuck_in_all = recorder->Count(Recorder::Is(EventKind::kTaskStuck));
  end = true;
  const bool stopped = handle.Shutdown().ok();
  const std::set<std::string> both{"spins", "waits"};
  const bool found = Has(spins, "SpinHereForEver") && Has(waits, "pthread_mutex_lock") &&
                     Has(waits, "WaitForTheLock");
  const bool good = stuck.tasks == both && stuck.count == 2 && stuck.last_s <= 0.5 && found &&
                    back.tasks == both && back.count == 2 && back.last_s <= 0.5 &&
                    stuck_in_all == 2 && held == 1 && stopped;
  std::printf(R"({"check":"named","good":%s,"stuck":%zu,"told_after_s":%.3f,"back_after_s":%.3f,)"
              R"("spins":"%s","waits":"%s"})"
              "\n",
              Json(good), stuck.count, stuck.last_s, back.last_s, spins.c_str(), waits.c_str());
  return good;
}

bool Stacks() {
  constexpr size_t kThreads = 4;
  constexpr size_t kRounds = 250;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> allocations{0};
  std::array<std::atomic<int32_t>, kThreads> ids{};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      ids[i] = gettid();
      if (i == 0) return SpinHereForEver(stop);
      std::vector<std::string> kept(64);
      for (uint64_t n = i; !stop; n = n * 25214903917u + 11) {
        kept[n % kept.size()] = std::string(n >> 20 & 4095, 'x');
        allocations.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  std::array<int32_t, kThreads> asked{};
  for (size_t i = 0; i < kThreads; ++i) {
    while ((asked[i] = ids[i]) == 0) std::this_thread::yield();
  }
  const auto shows = [&] {
    const auto spinner = internal::CaptureStacks({asked.data(), 1}, 1s).front();
    return Has(internal::ToText(spinner, ""), "SpinHereForEver");
  };
  while (!shows()) std::this_thread::yield();  // it may not have come there yet
  const auto start = steady_clock::now();
  size_t taken = 0;
  size_t shown = 0;
  for (size_t round = 0; round < kRounds; ++round) {
    const auto stacks = internal::CaptureStacks(asked, 1s);
    for (const auto& stack : stacks) taken += stack.size > 0 ? 1 : 0;
    shown += Has(internal::ToText(stacks.front(), ""), "SpinHereForEver") ? 1 : 0;
  }
  const double seconds = SecondsSince(start);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const bool good = taken == kRounds * kThreads && shown == kRounds && allocations > 0;
  std::printf(R"({"check":"stacks","good":%s,"taken":%zu,"shown":%zu,"us_each":%.1f,)"
              R"("allocations":%lu})"
              "\n",
              Json(good), taken, shown, seconds * 1e6 / (kRounds * kThreads), allocations.load());
  return good;
}

// Some microseconds of work that the compiler cannot foresee, with a beat now and then.
uint64_t WorkAndBeat(TaskContext& context, uint64_t seed) {
  for (int part = 0; part < 8; ++part) {
    for (int i = 0; i < 256; ++i) seed = seed * 25214903917u + 11;
    context.Beat();
  }
  return seed;
}

// Seconds from the admission of so many tasks until the last body is done; 0: not all ran.
double RunTasks(const SupervisorHandle& handle, size_t tasks, bool watched) {
  std::atomic<size_t> ran{0};
  std::atomic<bool> done{false};
  std::vector<TaskSpec> specs;
  specs.reserve(tasks);
  for (size_t i = 0; i < tasks; ++i) {
    auto spec = TaskSpec::Once([&](TaskContext& context) {
      if (WorkAndBeat(context, 1) == 0) return;  // it never is, but who knows
      if (ran.fetch_add(1) + 1 < tasks) return;
      done = true;
      done.notify_one();
    });
    specs.push_back(watched ? std::move(spec).WithHeartbeat(100ms) : std::move(spec));
  }
  const auto start = steady_clock::now();
  if (!handle.AddBatch(std::move(specs)).ok()) return 0;
  done.wait(false);
  const double seconds = SecondsSince(start);
  while (handle.Stats().tasks > 0) std::this_thread::yield();  // `ran` is the bodies'
  return seconds;
}

// One turn of a side: a supervisor of its own, alone in the process, and warm.
double Turn(size_t tasks, bool watched) {
  auto supervisor = Supervisor::Create({});
  const SupervisorHandle handle = supervisor->Serve();
  const double warm = RunTasks(handle, tasks, watched);
  const double seconds = RunTasks(handle, tasks, watched);
  return warm > 0 && handle.Shutdown().ok() ? seconds : 0;
}

// The loss in percent of one pair: the sides take turns, and their medians are compared, so
// that neither what drifts nor a turn from which the machine was taken away decides.
double Pair(size_t tasks, double& ns_without, bool& complete) {
  constexpr size_t kTurns = 9;
  std::array<std::vector<double>, 2> seconds;
  for (size_t turn = 0; turn < 2 * kTurns; ++turn) {
    const bool watched = (turn + turn / 2) % 2 == 1;  // off on, on off, off on, ...
    seconds[watched ? 1 : 0].push_back(Turn(tasks, watched));
    complete = complete && seconds[watched ? 1 : 0].back() > 0;
  }
  for (std::vector<double>& side : seconds) std::sort(side.begin(), side.end());
  const double without = seconds[0][kTurns / 2];
  ns_without = without * 1e9 / static_cast<double>(tasks);
  return 100 * (1 - without / seconds[1][kTurns / 2]);
}

bool ThroughputOnce() {
  constexpr size_t kPairs = 9;
  const size_t tasks = TasksOr(10'000);
  std::vector<double> losses;
  double ns = 0;
  bool complete = true;
  for (size_t i = 0; i < kPairs; ++i) losses.push_back(Pair(tasks, ns, complete));
  std::sort(losses.begin(), losses.end());
  const double loss = losses[kPairs / 2];
  const bool good = complete && loss < 2;
  std::printf(R"({"check":"throughput","good":%s,"loss_percent":%.2f,"lowest":%.2f,)"
              R"("highest":%.2f,"ns_per_task_without":%.0f})"
              "\n",
              Json(good), loss, losses.front(), losses.back(), ns);
  return good;
}

// A loss that is there is there every time; what a busy machine takes is not.
bool Throughput() { return ThroughputOnce() || ThroughputOnce() || ThroughputOnce(); }

}  // namespace
}  // namespace taskvisor::testing

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv, "Who hangs is named in time, and heartbeats cost next to nothing.");
  const bool named = taskvisor::testing::Named();
  const bool stacks = taskvisor::testing::Stacks();
  return taskvisor::testing::Throughput() && named && stacks ? 0 : 1;
}
