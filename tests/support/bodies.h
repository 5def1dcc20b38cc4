#ifndef TASKVISOR_TESTS_SUPPORT_BODIES_H_
#define TASKVISOR_TESTS_SUPPORT_BODIES_H_

#include <concepts>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/support/gate.h"

namespace taskvisor::testing {

// A body that ignores every cancellation until the test lets it go. Make it after the
// supervisor it runs in: its destructor lets go, so that a failing test still ends.
class HeldBody {
 public:
  HeldBody() : HeldBody(&Hold) {}
  HeldBody(const HeldBody&) = delete;
  HeldBody& operator=(const HeldBody&) = delete;
  ~HeldBody() { LetGo(); }

  // The body; every copy is held by this one object.
  [[nodiscard]] auto Body() const {
    return [state = state_, hold = hold_](TaskContext&) { hold(state->inside, state->released); };
  }
  // Waits until a body is inside; false after kPatience.
  [[nodiscard]] bool Inside() { return state_->inside.Wait(); }
  [[nodiscard]] bool WasInside() { return state_->inside.IsOpen(); }
  void LetGo() { state_->released.Open(); }

 protected:
  // Held in `hold`, which does as Hold does.
  using Holding = void (*)(Gate& inside, Gate& released);
  explicit HeldBody(Holding hold) : hold_(hold) {}

 private:
  static void Hold(Gate& inside, Gate& released) {
    inside.Open();
    released.Pass();
  }
  struct State {
    Gate inside;
    Gate released;
  };
  const Holding hold_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A body that does nothing but look at its cancellation.
inline TaskResult UntilCancelled(TaskContext& context) {
  while (!context.WaitCancelled(Duration::max())) {
  }
  return Cancelled();
}

inline void DoNothing() {}

template <std::same_as<TaskSpec>... Specs>
std::vector<TaskSpec> Batch(Specs... specs) {
  std::vector<TaskSpec> batch;
  (batch.push_back(std::move(specs)), ...);
  return batch;
}

// How the task ended, waiting for it; nothing if the waiter answers with an error.
inline std::optional<OutcomeKind> KindOf(const TaskWaiter& waiter) {
  const auto outcome = waiter.Wait();
  return outcome.ok() ? std::optional(outcome->kind()) : std::nullopt;
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_BODIES_H_
