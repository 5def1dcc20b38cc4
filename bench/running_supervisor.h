#ifndef TASKVISOR_BENCH_RUNNING_SUPERVISOR_H_
#define TASKVISOR_BENCH_RUNNING_SUPERVISOR_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bench/harness.h"
#include "bench/task_totals.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::bench {

// Of a task that runs once: requested, added, starting, stopped, exhausted, removed.
inline constexpr uint64_t kEventsOfOnce = 6;

inline void Body() { Tally::Add(); }

inline std::vector<TaskSpec> OnceSpecs(uint64_t tasks) {
  std::vector<TaskSpec> specs;
  specs.reserve(tasks);
  for (uint64_t i = 0; i < tasks; ++i) specs.push_back(TaskSpec::Once(Body));
  return specs;
}

// Counts what it is given.
class CountingSubscriber final : public Subscriber {
 public:
  void OnEvent(const Event&) override {
    // relaxed: one writer; read when the supervisor is shut down.
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> count_{0};
};

// Takes the supervisor's final accounts: it is shut down, so nothing is under way.
inline void CloseAccounts(const SupervisorHandle& handle, TaskTotals& totals) {
  const SupervisorStats stats = handle.Stats();
  totals.AddEvents(stats.events_published, stats.events_lost);
  for (const SubscriberStats& s : handle.SubscriberStats()) {
    totals.AddDropped(s.dropped);
    if (s.offered != s.delivered + s.dropped) totals.Fail("a subscriber's losses do not add up");
  }
}

// A supervisor that serves while a row runs.
class RunningSupervisor {
 public:
  explicit RunningSupervisor(SupervisorConfig config = {})
      : supervisor_(Supervisor::Create(std::move(config)).value()), handle_(supervisor_.Serve()) {}

  [[nodiscard]] const SupervisorHandle& handle() const { return handle_; }

  // False if one was refused or did not complete.
  [[nodiscard]] static bool AwaitAll(const std::vector<TaskWaiter>& waiters) {
    bool all = true;
    for (const TaskWaiter& waiter : waiters) {
      const absl::StatusOr<TaskOutcome> outcome = waiter.Wait();
      all = all && outcome.ok() && outcome->IsSuccess();
    }
    return all;
  }

  // Until no more than `left` tasks are registered.
  void AwaitLeft(uint64_t left = 0) const {
    SpinUntil([&] { return handle_.Stats().tasks <= left; });
  }

  // Runs spec(0) to spec(tasks - 1), so that workers are there, and what they use has memory.
  template <class Spec>
  void WarmUp(uint64_t tasks, TaskTotals& totals, Spec spec) const {
    const uint64_t others = handle_.Stats().tasks;
    for (uint64_t i = 0; i < tasks; ++i) {
      if (!handle_.Add(spec(i)).ok()) return totals.Fail("a task was refused");
    }
    AwaitLeft(others);
    totals.ExpectBodies(tasks);
  }
  void WarmUp(uint64_t tasks, TaskTotals& totals) const {
    WarmUp(tasks, totals, [](uint64_t) { return TaskSpec::Once(Body); });
  }

  void End(TaskTotals& totals) const {
    if (!handle_.Shutdown().ok()) totals.Fail("the shutdown failed");
    CloseAccounts(handle_, totals);
  }

 private:
  Supervisor supervisor_;
  SupervisorHandle handle_;
};

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_RUNNING_SUPERVISOR_H_
