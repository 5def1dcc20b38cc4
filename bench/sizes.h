#ifndef TASKVISOR_BENCH_SIZES_H_
#define TASKVISOR_BENCH_SIZES_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>

namespace taskvisor::bench {

// TASKVISOR_BENCH_MAX_TASKS caps how many tasks a row has; rows are then named after what
// they do, not after what they would do. For a smoke test, not for figures.
inline int64_t Capped(int64_t tasks) {
  const char* const text = std::getenv("TASKVISOR_BENCH_MAX_TASKS");
  return text == nullptr ? tasks : std::min(tasks, std::max<int64_t>(1, std::atoll(text)));
}

// A row for each number of tasks, with the time that it says.
template <int64_t... kTasks>
void Sizes(benchmark::internal::Benchmark* row) {
  row->UseManualTime();
  for (const int64_t tasks : std::set<int64_t>{Capped(kTasks)...}) row->Arg(tasks);
}

// The same, one round a repetition: the round is long, or what comes before it is.
template <int64_t... kTasks>
void SizesOnce(benchmark::internal::Benchmark* row) {
  Sizes<kTasks...>(row);
  row->Iterations(1);
}

}  // namespace taskvisor::bench

#endif  // TASKVISOR_BENCH_SIZES_H_
