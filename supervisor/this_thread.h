#ifndef TASKVISOR_SUPERVISOR_THIS_THREAD_H_
#define TASKVISOR_SUPERVISOR_THIS_THREAD_H_

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace taskvisor::internal {

// The kernel's number of the calling thread.
inline int32_t ThisThread() {
  thread_local const auto id = static_cast<int32_t>(syscall(SYS_gettid));
  return id;
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_THIS_THREAD_H_
