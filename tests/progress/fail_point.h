#ifndef TASKVISOR_TESTS_PROGRESS_FAIL_POINT_H_
#define TASKVISOR_TESTS_PROGRESS_FAIL_POINT_H_

#include <cstdint>

namespace taskvisor::testing {

// Fail points
//
// In a build with tests/progress/fail_point_atomic.h every atomic access of the library
// reaches one, right before it happens. There is none after an access: until the next one
// a thread does nothing that another thread can see, so stopped in between it is stopped
// before the next.
//
// A thread that is to be stopped counts them down; for all others the cost is a load.
class FailPoint {
 public:
  using Stop = void (*)();

  static void Reach() {
    if (t_left != 0 && --t_left == 0) t_stop();
  }

  // Calls `stop` at the n-th fail point from here that this thread reaches.
  static void StopAt(uint64_t n, Stop stop) {
    t_stop = stop;
    t_left = n;
  }
  static void Clear() { t_left = 0; }

 private:
  static inline thread_local uint64_t t_left = 0;
  static inline thread_local Stop t_stop = nullptr;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_PROGRESS_FAIL_POINT_H_
