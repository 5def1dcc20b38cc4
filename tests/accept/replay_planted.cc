// Part of accept_replay. This program's supervisor has a bug, planted by its build (see
// CMakeLists.txt): a task that is stopped after it was given a permit and before its body begins
// does not give it back. It takes a body that ends, another task that gets its permit, and somebody
// who removes that one before a worker is there, all at one time: few schedules do that.
//
// Looks for a seed under which the scenario breaks a promise, prints it, and runs that seed 20
// times. Exit code: 0 if the same promise breaks each time, 1 otherwise.

#include <cstdio>
#include <string>

#include "tests/accept/figures.h"
#include "tests/accept/replay_scenario.h"

namespace taskvisor::testing {
namespace {

std::string FaultOf(uint64_t seed) {
  Scenario scenario(seed);
  scenario.Run();
  return scenario.Fault();
}

}  // namespace
}  // namespace taskvisor::testing

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(
      argc, argv, "A planted race is found by a seed, and found again with it.");
  using namespace taskvisor::testing;
  constexpr int kTimes = 20;
  const uint64_t first = FromEnvironment("TASKVISOR_SEED", 1);
  constexpr uint64_t kSeeds = 1000;
  uint64_t seed = first;
  std::string fault;
  while (seed < first + kSeeds && (fault = FaultOf(seed)).empty()) ++seed;
  int again = 0;
  if (!fault.empty()) {
    std::printf("the planted bug: seed %lu: %s\n", static_cast<unsigned long>(seed), fault.c_str());
    for (int i = 0; i < kTimes; ++i) again += FaultOf(seed) == fault ? 1 : 0;
  }
  const bool good = !fault.empty() && again == kTimes;
  std::printf(
      R"({"check":"planted","good":%s,"seed":%lu,"seeds_tried":%lu,"reproduced":%d,"of":%d})"
      "\n",
      Json(good), seed, seed - first + 1, again, kTimes);
  return good ? 0 : 1;
}
