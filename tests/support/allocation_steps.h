#ifndef TASKVISOR_TESTS_SUPPORT_ALLOCATION_STEPS_H_
#define TASKVISOR_TESTS_SUPPORT_ALLOCATION_STEPS_H_

#include <atomic>
#include <cstdint>
#include <thread>

#include "tests/support/allocations.h"

namespace taskvisor::testing {

// Called again and again, on whatever threads, one call at a time: how often there was a next call
// on the same thread, and what that thread allocated between the two. Warm from the `warm`-th on.
class AllocationSteps {
 public:
  explicit AllocationSteps(uint64_t warm = 50) : warm_(warm) {}

  void Step() {
    const uint64_t now = AllocationsOfThisThread();
    if (++calls_ > warm_ && thread_ == std::this_thread::get_id()) {
      allocations_ += now - last_;
      ++steps_;
    }
    thread_ = std::this_thread::get_id();
    last_ = now;
  }
  [[nodiscard]] uint64_t steps() const { return steps_; }
  [[nodiscard]] uint64_t allocations() const { return allocations_; }

 private:
  const uint64_t warm_;
  uint64_t calls_ = 0;
  uint64_t last_ = 0;
  std::thread::id thread_;
  std::atomic<uint64_t> steps_{0};
  std::atomic<uint64_t> allocations_{0};
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_ALLOCATION_STEPS_H_
