#ifndef TASKVISOR_SCHED_FUTEX_H_
#define TASKVISOR_SCHED_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>

#include "sched/atomic.h"
#include "sched/delays.h"

namespace taskvisor::internal {

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// ThreadSanitizer runs a signal handler at the next call that it intercepts, which a raw
// system call is not: a thread that sleeps for ever would keep the signal for ever.
inline constexpr std::chrono::milliseconds kLongestSleep{20};
inline void LetHandlersRun() { ::usleep(1); }
#define TASKVISOR_SLEEPS_IN_SLICES
#endif
#endif

#if !defined(TASKVISOR_MODEL_ATOMIC) || defined(TASKVISOR_REAL_FUTEX)
static_assert(sizeof(Atomic<uint32_t>) == sizeof(uint32_t));

// Sleeps while `word` holds `expected`, at most until `deadline` (steady clock; max()
// = for ever). May return early; the caller looks again. Orders nothing: the word
// itself does.
inline void FutexWait(Atomic<uint32_t>& word, uint32_t expected,
                      std::chrono::steady_clock::time_point deadline) {
  NoteDelay();
#ifdef TASKVISOR_SLEEPS_IN_SLICES
  deadline = std::min(deadline, std::chrono::steady_clock::now() + kLongestSleep);
#endif
  timespec until{};
  const timespec* limit = nullptr;
  if (deadline != std::chrono::steady_clock::time_point::max()) {
    const auto since = deadline.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    until.tv_sec = static_cast<time_t>(seconds.count());
    until.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since - seconds).count());
    limit = &until;
  }
  // WAIT_BITSET: its timeout is a point on CLOCK_MONOTONIC, not a duration.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit, nullptr,
          FUTEX_BITSET_MATCH_ANY);
#ifdef TASKVISOR_SLEEPS_IN_SLICES
  LetHandlersRun();
#endif
}

inline void FutexWakeAll(Atomic<uint32_t>& word) {
  NoteDelay();
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}
#endif  // a model test brings its own two; one that keeps real atomics keeps these

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_FUTEX_H_
