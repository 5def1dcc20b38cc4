#ifndef TASKVISOR_TESTS_CONTRACT_WATCHED_CLOCK_H_
#define TASKVISOR_TESTS_CONTRACT_WATCHED_CLOCK_H_

#include <atomic>
#include <functional>
#include <utility>

#include "tests/contract/clocks.h"

namespace taskvisor::testing {

// A manual clock that tells how many wait on it, so that a test can move time when a
// wait has begun and its deadline is fixed.
class WatchedClock final : public ManualClockBase {
 public:
  void Watch(const void* key, std::function<void()> moved) override {
    ManualClockBase::Watch(key, std::move(moved));
    ++watchers_;
  }
  void Unwatch(const void* key) override {
    --watchers_;
    ManualClockBase::Unwatch(key);
  }
  [[nodiscard]] int watchers() const { return watchers_; }

 private:
  std::atomic<int> watchers_{0};
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_WATCHED_CLOCK_H_
