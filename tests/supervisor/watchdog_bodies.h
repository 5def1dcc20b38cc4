#ifndef TASKVISOR_TESTS_SUPERVISOR_WATCHDOG_BODIES_H_
#define TASKVISOR_TESTS_SUPERVISOR_WATCHDOG_BODIES_H_

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string_view>
#include <thread>

#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {

// A body that beats when the test says so, and ignores everything else until it is let go.
// Make it after the supervisor it runs in.
class BeatingBody {
 public:
  BeatingBody() = default;
  BeatingBody(const BeatingBody&) = delete;
  BeatingBody& operator=(const BeatingBody&) = delete;
  ~BeatingBody() { LetGo(); }

  [[nodiscard]] auto Body() const {
    return [state = state_](TaskContext& context) {
      while (!state->let_go) {
        const int wanted = state->wanted;
        if (wanted != state->beaten) context.Beat();
        state->beaten = wanted;
        std::this_thread::yield();
      }
    };
  }
  // Returns when the body has beaten.
  void Beat() {
    const int wanted = ++state_->wanted;
    EXPECT_TRUE(Eventually([&] { return state_->beaten == wanted; }));
  }
  void LetGo() { state_->let_go = true; }

 private:
  struct State {
    std::atomic<int> wanted{0};
    std::atomic<int> beaten{0};
    std::atomic<bool> let_go{false};
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Never inlined: its name is what the tests look for, wherever in it the thread is.
[[gnu::noinline]] inline void StandStill(Gate& inside, Gate& released) {
  inside.Open();
  released.Pass();
  static std::atomic<int> passed{0};
  ++passed;  // so that the call above is not the last thing it does
}

// A HeldBody that is held in that function.
class StillBody : public HeldBody {
 public:
  StillBody() : HeldBody(&StandStill) {}
};

// A silent task of its own, to know when the watchdog has looked at everything: it is
// stuck once `after` has passed from now on, and then so is all else that is.
class Look {
 public:
  Look(Served& served, Duration after) : served_(served) {
    task_ = served.Watch(TaskSpec::Once(held_.Body()).WithHeartbeat(after));
    EXPECT_TRUE(held_.Inside());
  }
  void Await() { served_.Await(EventKind::kTaskStuck, task_); }

 private:
  Served& served_;
  HeldBody held_;
  WatchedTask task_;
};

inline bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPERVISOR_WATCHDOG_BODIES_H_
