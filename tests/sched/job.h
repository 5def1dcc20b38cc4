#ifndef TASKVISOR_TESTS_SCHED_JOB_H_
#define TASKVISOR_TESTS_SCHED_JOB_H_

#include <functional>
#include <utility>

#include "sched/pool.h"

namespace taskvisor::internal {

// A Runnable that does what the test says.
struct Job final : Runnable {
  explicit Job(std::function<void(Seat&)> job) : body(std::move(job)) {}
  void Run(Seat& seat) noexcept override { body(seat); }
  std::function<void(Seat&)> body;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_TESTS_SCHED_JOB_H_
