// A million tasks admitted from four threads at once, every other one with a name: each is
// admitted, runs once, has one outcome and an id of its own. And of names that all four want
// at once, each goes to one of them.
//
// Fails if a count is off; the time of an add is reported. With workers on all cores, adding
// and running share them: `ns_per_add` is the time of the four threads' adds over all adds,
// `ns_per_task` runs on until the last outcome is there.
//
// Usage: accept_mass_admission; TASKVISOR_ACCEPT_TASKS.

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/accept/figures.h"

using std::chrono::steady_clock;
using taskvisor::TaskSpec;

namespace {

constexpr uint64_t kThreads = 4;

// What becomes of the adds. Task `i` belongs to thread `i % kThreads`.
struct Books {
  explicit Books(uint64_t n) : ids(n), waiters(n), runs(n) {}
  std::vector<uint64_t> ids;
  std::vector<taskvisor::TaskWaiter> waiters;
  std::vector<std::atomic<uint32_t>> runs;
  std::atomic<uint64_t> refused{0};
};

// Runs work(thread) on four threads that begin together; seconds until the last is done.
template <class Work>
double OnFourThreads(Work work) {
  std::barrier begin(kThreads + 1);
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      begin.arrive_and_wait();
      work(thread);
    });
  }
  begin.arrive_and_wait();
  const auto start = steady_clock::now();
  for (std::thread& thread : threads) thread.join();
  return taskvisor::testing::SecondsSince(start);
}

void AddShare(const taskvisor::SupervisorHandle& handle, Books& books, uint64_t thread) {
  for (uint64_t i = thread; i < books.ids.size(); i += kThreads) {
    // Thread and half of it are independent: each thread adds both kinds.
    std::string name = (i / kThreads) % 2 == 0 ? "task/" + std::to_string(i) : std::string();
    auto added = handle.AddAndWatch(TaskSpec::Once(
        std::move(name), [&books, i] { books.runs[i].fetch_add(1, std::memory_order_relaxed); }));
    if (!added.ok()) {
      books.refused.fetch_add(1);
      continue;
    }
    books.ids[i] = added->id.value();
    books.waiters[i] = std::move(added->waiter);
  }
}

// Of four adds of one name at once, one is admitted: how many names are an exception.
uint64_t WronglyShared(const taskvisor::SupervisorHandle& handle, uint64_t names) {
  std::vector<std::atomic<uint32_t>> winners(names);
  std::atomic<uint64_t> other_errors{0};
  OnFourThreads([&](uint64_t) {
    for (uint64_t n = 0; n < names; ++n) {
      const auto added = handle.Add(
          TaskSpec::Periodic("wanted/" + std::to_string(n), std::chrono::hours(1), [] {}));
      if (added.ok()) {
        winners[n].fetch_add(1);
      } else if (added.status().code() != absl::StatusCode::kAlreadyExists) {
        other_errors.fetch_add(1);
      }
    }
  });
  const auto wrong =
      std::count_if(winners.begin(), winners.end(), [](const auto& n) { return n.load() != 1; });
  return static_cast<uint64_t>(wrong) + other_errors.load();
}

}  // namespace

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv,
      "What four threads add at once runs once each, with one outcome and an id of its own.");
  const uint64_t tasks = taskvisor::testing::TasksOr(1'000'000);
  Books books(tasks);
  auto supervisor = taskvisor::Supervisor::Create();
  const auto handle = supervisor->Serve();

  const auto start = steady_clock::now();
  const double adding_s = OnFourThreads([&](uint64_t thread) { AddShare(handle, books, thread); });
  uint64_t completed = 0;
  for (const taskvisor::TaskWaiter& waiter : books.waiters) {
    const auto outcome = waiter.Wait();
    completed += outcome.ok() && outcome->kind() == taskvisor::OutcomeKind::kCompleted &&
                 outcome->attempts() == 1;
  }
  const double all_s = taskvisor::testing::SecondsSince(start);

  const auto once = static_cast<uint64_t>(std::count_if(
      books.runs.begin(), books.runs.end(), [](const auto& n) { return n.load() == 1; }));
  std::sort(books.ids.begin(), books.ids.end());
  const auto unique =
      static_cast<uint64_t>(std::unique(books.ids.begin(), books.ids.end()) - books.ids.begin());
  const uint64_t wanted = std::min<uint64_t>(tasks / 10, 10'000);
  const uint64_t wrong = WronglyShared(handle, wanted);
  const uint64_t left = handle.Stats().tasks - wanted;
  const bool stopped = handle.Shutdown().ok();

  const bool good = completed == tasks && once == tasks && unique == tasks && wrong == 0 &&
                    books.refused == 0 && left == 0 && stopped;
  const auto n = static_cast<double>(tasks);
  std::printf(
      R"({"check":"mass_admission","good":%s,"tasks":%lu,"threads":%lu,"completed":%lu,)"
      R"("ran_once":%lu,"unique_ids":%lu,"refused":%lu,"wanted_names":%lu,"wrongly_shared":%lu,)"
      R"("ns_per_add":%.0f,"ns_per_task":%.0f})"
      "\n",
      taskvisor::testing::Json(good), tasks, kThreads, completed, once, unique,
      books.refused.load(), wanted, wrong, adding_s / n * 1e9, all_s / n * 1e9);
  return good ? 0 : 1;
}
