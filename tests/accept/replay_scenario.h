#ifndef TASKVISOR_TESTS_ACCEPT_REPLAY_SCENARIO_H_
#define TASKVISOR_TESTS_ACCEPT_REPLAY_SCENARIO_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "taskvisor/async.h"
#include "taskvisor/testing.h"
#include "tests/support/seed.h"

namespace taskvisor::testing {

// Scenario
//
// Ten virtual days of a service with some fifty tasks of all kinds, for 4 workers and 2 permits:
// periodic ones, ones that fail and are retried with jitter, that run into timeouts and
// deadlines, that hear no cancellation or miss their heartbeats, coroutines; and three that
// manage others: one removes them, one adds what has ended again, one adds batches. Each day the
// test's own thread cancels some and is refused a name.
//
// What a body does is a function of the scenario's seed, its task and its attempt.
class Scenario {
 public:
  explicit Scenario(uint64_t seed);

  // The ten days, and the shutdown.
  void Run();

  // The first promise that was broken; empty: none. After Run.
  [[nodiscard]] std::string Fault() const;
  [[nodiscard]] std::string Log() const { return simulation_.EventLog(); }
  [[nodiscard]] uint64_t attempts() const { return attempts_; }
  [[nodiscard]] uint64_t events() const { return simulation_.events().size(); }

 private:
  static constexpr size_t kNamed = 46;
  static constexpr size_t kPermits = 2;

  class Counter;

  // In the body of an attempt of task `i`.
  [[nodiscard]] Random DrawsOf(size_t i, const TaskContext& context) const {
    return Random(seed_ ^ (i << 32) ^ context.attempt());
  }
  [[nodiscard]] TaskSpec SpecOf(size_t i);
  [[nodiscard]] TaskResult Work(size_t i, TaskContext& context, bool deaf);
  [[nodiscard]] Async<TaskResult> WorkAsync(size_t i, TaskContext& context);

  void Add(size_t i);
  void AddManagers();
  void ADay(Random& random);
  [[nodiscard]] std::string FaultOfEvents() const;

  const uint64_t seed_;
  std::shared_ptr<Counter> counter_;
  uint64_t attempts_ = 0;
  int inside_ = 0;
  int most_inside_ = 0;
  std::map<uint64_t, TaskWaiter> waiters_;  // by id
  bool clean_ = false;
  std::set<uint64_t> stuck_;  // what the shutdown has left behind
  Simulation simulation_;     // last: its bodies use the rest
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_ACCEPT_REPLAY_SCENARIO_H_
