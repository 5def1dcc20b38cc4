#ifndef TASKVISOR_SUPERVISOR_TESTING_OUTSIDE_H_
#define TASKVISOR_SUPERVISOR_TESTING_OUTSIDE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "sched/executor.h"
#include "supervisor/testing/fiber_executor.h"

namespace taskvisor::internal {

// Outside
//
// How a test's own stack waits: it runs simulations, and lets their time pass, until what it
// waits for is there. If it knows the clock that it waits on, time does not pass further than
// to that wait's end.
//
// A thread with several simulations cannot know on which of them a wait without a clock is: it
// runs all, and time passes on the one that is behind. What is waited for may also come from
// another thread; if it does not within 2 s of real time after nobody could go on, the process
// ends and says who waits for what.
class Outside final : public Waits {
 public:
  // Only this one.
  explicit Outside(FiberExecutor& only) : executors_{&only} {}

  // While an executor is on its thread, all waits there are this class's.
  static void Enter(FiberExecutor& executor);
  static void Leave(FiberExecutor& executor);

  void Park(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock,
            TimePoint until) override;
  void GiveWay() override;
  [[nodiscard]] std::shared_ptr<Clock> clock() const override {
    return executors_.size() == 1 ? executors_.front()->clock() : nullptr;
  }

 private:
  Outside() = default;
  static Outside& OfThread();

  [[nodiscard]] bool Step();
  [[nodiscard]] bool MoveOn(const Clock* clock, TimePoint until);
  [[nodiscard]] bool Reached(const Clock* clock, TimePoint until) const;
  void WaitForOthers(Atomic<uint32_t>& word, uint32_t expected) const;

  std::vector<FiberExecutor*> executors_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TESTING_OUTSIDE_H_
