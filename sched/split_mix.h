#ifndef TASKVISOR_SCHED_SPLIT_MIX_H_
#define TASKVISOR_SCHED_SPLIT_MIX_H_

#include <cstdint>

namespace taskvisor::internal {

// SplitMix64: numbers that are a function of a seed and of nothing else, the same on every
// machine. (Those of std's engines are too, but not those of its distributions.)
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}

  uint64_t Next() { return Mixed(state_ += kStep); }

  // Number `n` of `seed`, from 0, without those before it.
  static uint64_t At(uint64_t seed, uint64_t n) { return Mixed(seed + (n + 1) * kStep); }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;

  static uint64_t Mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_SPLIT_MIX_H_
