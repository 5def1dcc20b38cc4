#ifndef TASKVISOR_SCHED_DELAYS_H_
#define TASKVISOR_SCHED_DELAYS_H_

#include <cstdint>
#include <thread>

namespace taskvisor::internal {

// How often this thread has done what may take long: slept, woken another one, given its core
// away, or run code of a user's. Whoever finds it unchanged knows that only lines of ours have run,
// so that a reading of the clock is still good (see Seat::KeepNow).
inline constinit thread_local uint32_t t_delays = 0;

inline void NoteDelay() { ++t_delays; }

inline void YieldCore() {
  NoteDelay();
  std::this_thread::yield();
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_DELAYS_H_
