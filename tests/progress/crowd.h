#ifndef TASKVISOR_TESTS_PROGRESS_CROWD_H_
#define TASKVISOR_TESTS_PROGRESS_CROWD_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "sched/event_count.h"
#include "tests/progress/world.h"

namespace taskvisor::testing {

// Crowd
//
// The other threads: each does every kind of operation in turn, for ever. Now and then it
// waits for all that it has begun, so that nobody later pushes along what was left lying.
class Crowd {
 public:
  Crowd(World& world, int threads);
  ~Crowd();  // joins: REQUIRES that nothing is frozen

  struct Verdict {
    bool passed;
    std::chrono::steady_clock::duration took;
    std::string missing;  // which kinds fell short
  };
  // Waits until `count` more operations of every kind are done that began after the call.
  [[nodiscard]] Verdict AwaitProgress(uint64_t count, std::chrono::steady_clock::duration limit);

 private:
  void Work(int number);

  World& world_;
  const uint64_t size_;
  std::atomic<bool> stop_{false};
  internal::EventCount progress_;
  std::vector<std::thread> threads_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_PROGRESS_CROWD_H_
