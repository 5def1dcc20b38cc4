#ifndef TASKVISOR_SUPERVISOR_TESTING_SEEDED_H_
#define TASKVISOR_SUPERVISOR_TESTING_SEEDED_H_

#include <cstddef>
#include <cstdint>

namespace taskvisor::internal {

// Numbers that are a function of a seed and of nothing else, the same on every machine:
// SplitMix64.
class Seeded {
 public:
  explicit Seeded(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Below `count`, which is not 0 and fits 32 bits; even enough for a schedule.
  size_t Below(size_t count) { return static_cast<size_t>((Next() >> 32) * count >> 32); }

 private:
  uint64_t state_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TESTING_SEEDED_H_
