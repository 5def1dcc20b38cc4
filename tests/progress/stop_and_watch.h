#ifndef TASKVISOR_TESTS_PROGRESS_STOP_AND_WATCH_H_
#define TASKVISOR_TESTS_PROGRESS_STOP_AND_WATCH_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/progress/crowd.h"
#include "tests/progress/operation.h"
#include "tests/progress/world.h"

namespace taskvisor::testing {

// StopAndWatch
//
// Some threads are frozen; do the others get on? If not, thaws one after the other and tells
// which of them held the others up, and where it stood. Faults fail the running test.
class StopAndWatch {
 public:
  static constexpr uint64_t kOperations = 1000;  // of every kind
  static constexpr std::chrono::seconds kLimit{1};

  explicit StopAndWatch(World& world);

  // The others come, and go.
  void Gather();
  void Dismiss();

  // Freezes one of each kind. Kinds that cannot be frozen where that is (see
  // Freezer::kMissed) are struck from `kinds`. False, with a failure: some other could not.
  [[nodiscard]] bool Stop(std::vector<Kind>& kinds, Freezer::Where where);

  // The others finish kOperations of every kind within kLimit, or it is a failure.
  void Watch(const std::vector<Kind>& frozen);

  void Thaw(const std::vector<Kind>& kinds);

  void Report() const;

 private:
  [[nodiscard]] bool AwaitStop(Kind kind);
  void FindCulprit(const std::vector<Kind>& frozen);

  World& world_;
  std::unique_ptr<Crowd> crowd_;
  // What workers do, if nobody else makes them.
  const std::unique_ptr<Operation> work_;
  uint64_t freezes_ = 0;
  std::chrono::steady_clock::duration slowest_{};
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_PROGRESS_STOP_AND_WATCH_H_
