#ifndef TASKVISOR_SCHED_PREFETCH_H_
#define TASKVISOR_SCHED_PREFETCH_H_

#include <cstddef>

#include "sched/atomic.h"

namespace taskvisor::internal {

// Asks for the cache line of `address` to be written to soon: it comes over, exclusive,
// while other things are done. Never faults, orders nothing.
inline void PrefetchForWrite(const void* address) {
#if defined(__x86_64__)
  // The builtin makes a read prefetch of it unless the target is a newer one; as a read the
  // line would come over shared, and the store wait all the same.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

// The same for the lines of `bytes` from there on.
inline void PrefetchForWrite(const void* address, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kCacheLine) {
    PrefetchForWrite(static_cast<const char*>(address) + at);
  }
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_PREFETCH_H_
