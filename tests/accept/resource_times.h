#ifndef TASKVISOR_TESTS_ACCEPT_RESOURCE_TIMES_H_
#define TASKVISOR_TESTS_ACCEPT_RESOURCE_TIMES_H_

#include <time.h>

#include <chrono>

#include "taskvisor/supervisor.h"

namespace taskvisor::testing {

inline Duration ThreadTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec);
}

// Until the thread itself has had so much of a core.
inline void Spin(Duration work) {
  const Duration start = ThreadTime();
  while (ThreadTime() - start < work) {
  }
}

// The check `times` of resources.cc.
bool Times(const char* form, SupervisorConfig config);

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_ACCEPT_RESOURCE_TIMES_H_
