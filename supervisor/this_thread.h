#ifndef TASKVISOR_SUPERVISOR_THIS_THREAD_H_
#define TASKVISOR_SUPERVISOR_THIS_THREAD_H_

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace taskvisor::internal {

inline constinit thread_local int32_t t_this_thread = 0;  // 0: not known yet

// The kernel's number of the calling thread, or what an executor has put in its place.
inline int32_t ThisThread() {
  if (t_this_thread == 0) [[unlikely]]
    t_this_thread = static_cast<int32_t>(syscall(SYS_gettid));
  return t_this_thread;
}
inline int32_t ExchangeThisThread(int32_t number) { return std::exchange(t_this_thread, number); }

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_THIS_THREAD_H_
