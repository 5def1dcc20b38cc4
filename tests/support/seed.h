#ifndef TASKVISOR_TESTS_SUPPORT_SEED_H_
#define TASKVISOR_TESTS_SUPPORT_SEED_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "sched/split_mix.h"

namespace taskvisor::testing {

// A number from the environment, or `fallback`.
inline uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? fallback : std::strtoull(text, nullptr, 0);
}

// The seed of this run: TASKVISOR_SEED, else a new one every time. Always printed, so
// that a run that failed or crashed can be repeated.
inline uint64_t AnnouncedSeed() {
  const uint64_t random = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  const uint64_t seed = FromEnvironment("TASKVISOR_SEED", random);
  std::printf("TASKVISOR_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

// The same numbers everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : numbers_(seed) {}

  uint64_t Next() { return numbers_.Next(); }
  // In [0, n), n >= 1.
  uint64_t Below(uint64_t n) { return Next() % n; }
  bool Percent(uint64_t p) { return Below(100) < p; }

 private:
  internal::SplitMix numbers_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_SEED_H_
