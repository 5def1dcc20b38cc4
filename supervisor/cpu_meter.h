#ifndef TASKVISOR_SUPERVISOR_CPU_METER_H_
#define TASKVISOR_SUPERVISOR_CPU_METER_H_

#include <time.h>

#include <chrono>
#include <optional>

#include "sched/executor.h"
#include "taskvisor/clock.h"

namespace taskvisor::internal {

// What this thread has spent on cores since a CpuMeter was made on it. Costs two system calls
// (here 180 ns each) where it is on, and a comparison where it is not. Nothing under an executor,
// where a body takes no time.
class CpuMeter {
 public:
  explicit CpuMeter(bool on) {
    if (on) start_ = Read();
  }

  // None: off, or this is another thread. (A body that suspends a task of oneTBB may come back
  // on one.)
  [[nodiscard]] std::optional<Duration> Spent() const {
    if (start_.thread == nullptr) return std::nullopt;
    const Reading now = Read();
    return now.thread == start_.thread ? std::optional(now.time - start_.time) : std::nullopt;
  }

 private:
  struct Reading {
    const void* thread = nullptr;
    Duration time{};
  };

  // Not inlined: the compiler must not keep the thread's address from one call to the next.
  [[gnu::noinline]] static Reading Read() {
    static thread_local const char here = 0;
    if (Waits::Here() != nullptr) return {&here, Duration::zero()};
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return {&here, std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec)};
  }

  Reading start_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_CPU_METER_H_
