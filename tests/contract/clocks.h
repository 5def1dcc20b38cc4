#ifndef TASKVISOR_TESTS_CONTRACT_CLOCKS_H_
#define TASKVISOR_TESTS_CONTRACT_CLOCKS_H_

#include <functional>
#include <utility>

#include "taskvisor/clock.h"

namespace taskvisor::testing {

// ManualClock is final: the same, to be derived from.
class ManualClockBase : public Clock {
 public:
  TimePoint Now() const override { return clock_.Now(); }
  WallTime WallAt(TimePoint reading) const override { return clock_.WallAt(reading); }
  bool RunsByItself() const override { return false; }
  void Watch(const void* key, std::function<void()> moved) override {
    clock_.Watch(key, std::move(moved));
  }
  void Unwatch(const void* key) override { clock_.Unwatch(key); }
  void Advance(Duration step) { clock_.Advance(step); }

 private:
  ManualClock clock_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_CLOCKS_H_
