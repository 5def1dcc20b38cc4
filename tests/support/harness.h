#ifndef TASKVISOR_TESTS_SUPPORT_HARNESS_H_
#define TASKVISOR_TESTS_SUPPORT_HARNESS_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "taskvisor/supervisor.h"
#include "tests/support/gate.h"
#include "tests/support/recorder.h"

namespace taskvisor::testing {

// A supervisor on a manual clock, with a recorder as its (first) subscriber.
//
// Time stands still until Advance. A delay or deadline is computed from a reading taken
// before its event is published, so `Await the event, then Advance by the delay` can
// not come too early.
class Harness {
 public:
  explicit Harness(SupervisorConfig config = {}) {
    if (config.clock == nullptr) config.clock = clock;
    if (config.workers == 0) config.workers = 2;
    config.subscribers.insert(config.subscribers.begin(), recorder);
    auto created = Supervisor::Create(std::move(config));
    EXPECT_TRUE(created.ok()) << created.status();
    supervisor = std::make_unique<Supervisor>(std::move(created).value());
  }

  SupervisorHandle Serve() { return supervisor->Serve(); }

  void Advance(Duration step) { clock->Advance(step); }

  // Moves time on in steps until condition(); false after kPatience of real time.
  [[nodiscard]] bool AdvanceUntil(const std::function<bool()>& condition,
                                  Duration step = std::chrono::milliseconds(1)) {
    return Eventually([&] {
      if (condition()) return true;
      clock->Advance(step);
      return false;
    });
  }

  const std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  const std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
  std::unique_ptr<Supervisor> supervisor;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_HARNESS_H_
