// The shipped library: threads are stopped by signals, wherever they are.

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/progress/stop_and_watch.h"
#include "tests/progress/victims.h"
#include "tests/support/seed.h"

namespace taskvisor::testing {
namespace {

// In each round one thread of every kind stands still, at a random moment of its operation:
// all of them at once hold the others up at least as much as each alone would.
TEST(Progress, ThreadsStoppedAtRandomMomentsHoldNobodyUp) {
  const uint64_t rounds = FromEnvironment("TASKVISOR_FREEZES", 1000);
  Random random(AnnouncedSeed());
  World world({.workers = 16, .max_concurrent = 6, .permits = 3});
  Victims victims(world);
  StopAndWatch watch(world);
  watch.Gather();
  for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    std::vector<Kind> kinds;
    for (size_t k = 0; k < kKinds; ++k) kinds.push_back(Kind(k));
    if (watch.Stop(kinds, {.fail_point = 0, .seed = random.Next()})) watch.Watch(kinds);
    watch.Thaw(kinds);
  }
  watch.Dismiss();
  watch.Report();
  for (size_t k = 0; k < kKinds; ++k) {
    std::printf("  %-26s %llu moments in a library were not taken\n",
                std::string(NameOf(Kind(k))).c_str(),
                static_cast<unsigned long long>(world.freezer(Kind(k)).refused()));
  }
}

}  // namespace
}  // namespace taskvisor::testing
