#ifndef TASKVISOR_SUPERVISOR_TESTING_OUTSIDE_H_
#define TASKVISOR_SUPERVISOR_TESTING_OUTSIDE_H_

#include <cstdint>
#include <memory>
#include <string>
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
// another thread, once nobody can go on. Whose it is, the wait's clock says:
//
//   a simulation's   it does not come within 2 s of real time, or within kMostSteps: the process
//                    ends and says who waits for what
//   another one      somebody else's: waits as long as it takes
//   none             may be either: the same, but says so after 2 s
class Outside final : public Waits {
 public:
  // In one call: what takes longer is not worth a test's time.
  static constexpr uint64_t kMostSteps = 20'000'000;

  // Only this one.
  explicit Outside(FiberExecutor& only) : executors_{&only} {}

  // While an executor is on its thread, all waits there are an object's of this class.
  static void Enter(FiberExecutor& executor);
  static void Leave(FiberExecutor& executor);

  // Until nobody can go on. False: it may be that this never comes, so time has to pass.
  bool RunReady();

  void Park(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock,
            TimePoint until) override;
  void GiveWay() override;
  [[nodiscard]] std::shared_ptr<Clock> clock() const override {
    return executors_.size() == 1 ? executors_.front()->clock() : nullptr;
  }

 private:
  class Budget;
  Outside() = default;

  [[nodiscard]] bool Step();
  [[nodiscard]] bool MoveOn(const Clock* clock, TimePoint until);
  [[nodiscard]] bool Reached(const Clock* clock, TimePoint until) const;
  [[nodiscard]] bool IsOwn(const Clock* clock) const;
  [[nodiscard]] std::string Describe() const;
  void WaitForOthers(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock) const;

  // What the thread's simulations share. Made with the first and gone with the last: one that is a
  // static object outlives whatever else is the thread's.
  static constinit thread_local Outside* t_outside;

  std::vector<FiberExecutor*> executors_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TESTING_OUTSIDE_H_
