// Promises about simulations, with their figures as one JSON line each:
//   replay   1000 seeds of one scenario, some 50 tasks over ten virtual days, run twice: the two
//            event logs are byte-identical, no promise of the supervisor's is broken, two seeds
//            have two logs, and no run takes a second. TASKVISOR_ACCEPT_SEEDS: how many;
//            TASKVISOR_SEED: the first
//   planted  the same scenario, by a program whose supervisor has a bug: found, and found again
//            from its seed 20 times of 20 (accept_replay_planted, which lies beside this one)
// Exit code: 0 all hold, 1 otherwise.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <unordered_set>

#include "tests/accept/figures.h"
#include "tests/accept/replay_scenario.h"

namespace taskvisor::testing {
namespace {

using std::chrono::steady_clock;

struct Ran {
  std::string log;
  std::string fault;
  uint64_t attempts = 0;
  uint64_t events = 0;
};

Ran RunOf(uint64_t seed) {
  Scenario scenario(seed);
  scenario.Run();
  return {scenario.Log(), scenario.Fault(), scenario.attempts(), scenario.events()};
}

bool Replay() {
  const uint64_t seeds = FromEnvironment("TASKVISOR_ACCEPT_SEEDS", 1000);
  const uint64_t first = FromEnvironment("TASKVISOR_SEED", 1);
  uint64_t differ = 0;
  uint64_t faults = 0;
  uint64_t attempts = 0;
  uint64_t events = 0;
  double longest_s = 0;
  std::unordered_set<size_t> logs;
  size_t all_logs = 0;  // as one number, to compare processes, compilers and machines by
  const auto start = steady_clock::now();
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto begin = steady_clock::now();
    const Ran once = RunOf(seed);
    longest_s = std::max(longest_s, SecondsSince(begin));
    const Ran again = RunOf(seed);
    attempts += once.attempts;
    events += once.events;
    const size_t log = std::hash<std::string>()(once.log);
    logs.insert(log);
    all_logs = all_logs * 31 + log;
    if (once.log != again.log && ++differ <= 3) {
      std::printf("seed %lu: the second run differs\n", static_cast<unsigned long>(seed));
    }
    if (!once.fault.empty() && ++faults <= 3) {
      std::printf("seed %lu: %s\n", static_cast<unsigned long>(seed), once.fault.c_str());
    }
  }
  const bool good = differ == 0 && faults == 0 && logs.size() == seeds;
  std::printf(
      R"({"check":"replay","good":%s,"seeds":%lu,"differ":%lu,"faults":%lu,)"
      R"("different_logs":%zu,"logs":"%016zx","days_each":10,"attempts_each":%.0f,"events_each":%.0f,)"
      R"("longest_run_s":%.4f,"wall_s":%.1f})"
      "\n",
      Json(good), seeds, differ, faults, logs.size(), all_logs,
      static_cast<double>(attempts) / static_cast<double>(seeds),
      static_cast<double>(events) / static_cast<double>(seeds), longest_s, SecondsSince(start));
  return good && longest_s < 1.0;
}

bool Planted() {
  std::fflush(stdout);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string() + "_planted";
  return std::system(("'" + program + "'").c_str()) == 0;
}

}  // namespace
}  // namespace taskvisor::testing

int main(int argc, char** argv) {
  taskvisor::testing::ExpectNoArguments(argc, argv,
                                        "A seed gives the same run again, event by event.");
  const bool replay = taskvisor::testing::Replay();
  return taskvisor::testing::Planted() && replay ? 0 : 1;
}
