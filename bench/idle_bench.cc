// What a supervisor costs while nothing happens: CPU time of the process with 8 subscribers
// and 100 tasks that wait for their next turn. TASKVISOR_BENCH_IDLE_SECONDS says how long is
// looked at (default 10); the figure is scaled to 10 s.

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "taskvisor/supervisor.h"

namespace taskvisor::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kTasks = 100;
constexpr int kSubscribers = 8;

class Listener final : public Subscriber {
 public:
  void OnEvent(const Event& event) override { benchmark::DoNotOptimize(&event); }
};

double WatchedSeconds() {
  const char* text = std::getenv("TASKVISOR_BENCH_IDLE_SECONDS");
  return text != nullptr ? std::max(0.01, std::atof(text)) : 10.0;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool AllParked(const SupervisorHandle& handle) {
  const std::vector<TaskInfo> tasks = handle.List();
  return tasks.size() == kTasks && std::all_of(tasks.begin(), tasks.end(), [](const TaskInfo& t) {
           return t.phase == TaskPhase::kDelaying;
         });
}

void Idle(benchmark::State& state) {
  SupervisorConfig config;
  for (int i = 0; i < kSubscribers; ++i) config.subscribers.push_back(std::make_shared<Listener>());
  auto supervisor = Supervisor::Create(std::move(config));
  const SupervisorHandle handle = supervisor->Serve();
  for (int i = 0; i < kTasks; ++i) {
    if (!handle.Add(TaskSpec::Periodic("parked-" + std::to_string(i), 1h, [] {})).ok()) {
      return state.SkipWithError("a task was not added");
    }
  }
  while (!AllParked(handle)) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(200ms);  // until pool and fan-out sleep too

  const double seconds = WatchedSeconds();
  for (auto _ : state) {
    const double before = CpuSeconds();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    state.counters["cpu_s_in_10_s"] = (CpuSeconds() - before) * 10 / seconds;
    state.SetIterationTime(seconds);
  }
  const SupervisorStats stats = handle.Stats();
  state.counters["events"] = static_cast<double>(stats.events_published);
  state.counters["lost"] = static_cast<double>(stats.events_lost);
  if (stats.events_lost != 0) state.SkipWithError("events were lost");
  static_cast<void>(handle.Shutdown());
}

BENCHMARK(Idle)->Name("idle/supervisor")->Iterations(1)->UseManualTime();

}  // namespace
}  // namespace taskvisor::bench
