#ifndef TASKVISOR_SUPERVISOR_TESTING_SEEDED_H_
#define TASKVISOR_SUPERVISOR_TESTING_SEEDED_H_

#include <cstddef>
#include <cstdint>

#include "sched/split_mix.h"

namespace taskvisor::internal {

// What a seed decides.
class Seeded {
 public:
  explicit Seeded(uint64_t seed) : numbers_(seed) {}

  uint64_t Next() { return numbers_.Next(); }
  // Below `count`, which is not 0 and fits 32 bits; even enough for a schedule.
  size_t Below(size_t count) { return static_cast<size_t>((Next() >> 32) * count >> 32); }

 private:
  SplitMix numbers_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TESTING_SEEDED_H_
