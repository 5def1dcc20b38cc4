// Promises about coroutine bodies, on real time, with their figures as one JSON line each:
//   residents   100,000 tasks, each waiting for work or for its cancellation, on 2 workers: all get
//               to wait, each does a piece of work, and all are cancelled, within a second; how
//               much memory each takes; no thread comes or goes meanwhile, no frame is left
//               TASKVISOR_ACCEPT_TASKS: how many
//   timeout     a suspended body with a timeout of 10 ms ends at 10 ms: 200 of them, one after the
//               other, none early, and half of them within 1 ms; so do 10,000 at once
// Exit code: 0 all hold, 1 otherwise.

#include <dirent.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "taskvisor/async.h"
#include "taskvisor/completion.h"
#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"
#include "tests/async/in_frame.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

size_t Threads() {
  size_t count = 0;
  DIR* const dir = opendir("/proc/self/task");
  while (dir != nullptr && readdir(dir) != nullptr) ++count;
  if (dir != nullptr) closedir(dir);
  return count - 2;  // . and ..
}

// Seconds until condition(), at most 60.
template <class Condition>
double Until(Condition condition) {
  const auto start = steady_clock::now();
  while (!condition() && SecondsSince(start) < 60) std::this_thread::sleep_for(1ms);
  return SecondsSince(start);
}

bool Residents() {
  const size_t tasks = TasksOr(100'000);
  auto supervisor = Supervisor::Create({.workers = 2});
  const SupervisorHandle handle = supervisor->Serve();
  // Until all threads are there: oneTBB makes one when it is first needed.
  constexpr int kFirst = 10'000;
  for (int i = 0; i < kFirst; ++i) {
    static_cast<void>(handle.Add(TaskSpec::Once([]() -> Async<> { co_await Yield(); })));
  }
  Until([&] { return handle.Stats().tasks == 0; });
  const size_t threads_before = Threads();
  const uint64_t bytes_before = ResidentBytes();

  std::vector<Completion<int>> work(tasks);
  const uint64_t bytes_of_work = ResidentBytes() - bytes_before;
  std::atomic<size_t> done{0};
  std::atomic<size_t> told{0};
  std::vector<TaskSpec> specs;
  specs.reserve(tasks);
  for (size_t i = 0; i < tasks; ++i) {
    specs.push_back(TaskSpec::Restartable(
        [&done, &told, &mine = work[i]](TaskContext& context) -> Async<TaskResult> {
          const InFrame frame;
          done += static_cast<size_t>((co_await context.RunUntilCancelled(mine)).value_or(0));
          co_await UntilCancelled();
          ++told;
          co_return Cancelled();
        }));
  }
  const uint64_t bytes_with_specs = ResidentBytes();
  if (!handle.AddBatch(std::move(specs)).ok()) return false;
  const auto all_suspended = [&] {
    size_t waiting = 0;
    for (const TaskInfo& info : handle.List()) {
      waiting += info.phase == TaskPhase::kSuspended ? 1 : 0;
    }
    return waiting == tasks;
  };
  const double begin_s = Until(all_suspended);
  const uint64_t bytes = ResidentBytes() - bytes_before - bytes_of_work;
  const size_t threads_within = Threads();
  const size_t frames = static_cast<size_t>(InFrame::alive());

  const auto start_work = steady_clock::now();
  for (const Completion<int>& mine : work) mine.Set(1);
  Until([&] { return done == tasks; });
  const double work_s = SecondsSince(start_work);
  Until(all_suspended);

  const auto start_cancel = steady_clock::now();
  const bool clean = handle.Shutdown().ok();
  const double cancel_s = SecondsSince(start_cancel);
  const size_t left = static_cast<size_t>(InFrame::alive());
  const bool good = clean && frames == tasks && done == tasks && told == tasks && left == 0 &&
                    cancel_s <= 1.0 && threads_before == threads_within;
  std::printf(R"({"check":"residents","good":%s,"tasks":%zu,"bytes_each":%.0f,)"
              R"("begin_s":%.3f,"work_s":%.3f,"cancel_s":%.3f,"threads_before":%zu,)"
              R"("threads_within":%zu,"frames_left":%zu,"specs_bytes_each":%.0f})"
              "\n",
              Json(good), tasks, static_cast<double>(bytes) / static_cast<double>(tasks), begin_s,
              work_s, cancel_s, threads_before, threads_within, left,
              static_cast<double>(bytes_with_specs - bytes_before - bytes_of_work) /
                  static_cast<double>(tasks));
  return good;
}

// How much later than 10 ms after its start each attempt failed, by its own event.
class TimeoutProbe : public Subscriber {
 public:
  void OnEvent(const Event& event) override {
    const Duration took = event.duration().value_or(Duration::zero());
    lateness.Add((took - Duration(10ms)).count());
    ++count;
  }
  std::string_view Name() const override { return "probe"; }
  size_t QueueCapacity() const override { return 1 << 15; }
  EventMask Interests() const override { return {EventKind::kTaskFailed}; }

  Lateness lateness;
  std::atomic<size_t> count{0};
};

bool Timeouts(const char* check, size_t rounds, size_t at_once, std::chrono::microseconds bar) {
  const auto probe = std::make_shared<TimeoutProbe>();
  auto supervisor =
      Supervisor::Create({.workers = 2, .bus_capacity = 1 << 16, .subscribers = {probe}});
  const SupervisorHandle handle = supervisor->Serve();
  const Completion<> never;
  for (size_t round = 0; round < rounds; ++round) {
    std::vector<TaskSpec> specs;
    for (size_t i = 0; i < at_once; ++i) {
      auto body = [never]() -> Async<> {
        const InFrame frame;
        co_await never;
      };
      specs.push_back(TaskSpec::Once(body).WithTimeout(10ms));
    }
    if (!handle.AddBatch(std::move(specs)).ok()) return false;
    Until([&] { return handle.Stats().tasks == 0; });
  }
  const size_t expected = rounds * at_once;
  Until([&] { return probe->count == expected; });
  const bool stopped = handle.Shutdown().ok();
  const uint64_t beyond = probe->lateness.Beyond(bar);
  const bool good = stopped && probe->count == expected && probe->lateness.early() == 0 &&
                    2 * beyond < expected && InFrame::alive() == 0;
  std::printf(R"({"check":"%s","good":%s,"timeouts":%zu,"early":%lu,"late_us":%s})"
              "\n",
              check, Json(good), expected, probe->lateness.early(), probe->lateness.Json().c_str());
  return good;
}

}  // namespace
}  // namespace taskvisor::testing

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv,
      "A hundred thousand suspended coroutines take little, are all woken, and end on time.");
  using namespace std::chrono_literals;
  const bool residents = taskvisor::testing::Residents();
  const bool one = taskvisor::testing::Timeouts("timeout", 200, 1, 1ms);
  const bool many = taskvisor::testing::Timeouts("timeouts_at_once", 1, 10'000, 50ms);
  return residents && one && many ? 0 : 1;
}
