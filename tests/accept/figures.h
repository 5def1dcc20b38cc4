#ifndef TASKVISOR_TESTS_ACCEPT_FIGURES_H_
#define TASKVISOR_TESTS_ACCEPT_FIGURES_H_

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/seed.h"

// What the acceptance programs measure with.
namespace taskvisor::testing {

// These programs take no arguments, and some run for a minute: who asks for help, or means
// something else, is told. `what`: what holds when the exit code is 0.
inline void ExpectNoArguments(int argc, char** argv, const char* what) {
  if (argc == 1) return;
  const std::string_view word(argv[1]);
  const bool help = argc == 2 && (word == "-h" || word == "--help");
  std::fprintf(help ? stdout : stderr,
               "Usage: %s\n"
               "%s Prints figures as JSON lines.\n\n"
               "Exit codes: 0 it holds, 1 it does not, 2 wrong command line.\n"
               "TASKVISOR_ACCEPT_TASKS, TASKVISOR_ACCEPT_SECONDS, TASKVISOR_ACCEPT_SEEDS and\n"
               "TASKVISOR_SEED in the environment make the run a smaller or another one, where it\n"
               "has tasks, seconds or seeds. Best on a machine that does nothing else.\n",
               argv[0], what);
  std::exit(help ? 0 : 2);
}

// The size of a run: the full form, unless the environment asks for a short one.
inline uint64_t TasksOr(uint64_t full) { return FromEnvironment("TASKVISOR_ACCEPT_TASKS", full); }
inline uint64_t SecondsOr(uint64_t full) {
  return FromEnvironment("TASKVISOR_ACCEPT_SECONDS", full);
}

inline double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// CPU seconds of this process so far, all threads, user and kernel.
inline double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Resident memory of this process now, in bytes; 0 if the kernel does not say.
inline uint64_t ResidentBytes() {
  uint64_t pages = 0;
  if (std::FILE* statm = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(statm, "%*u %lu", &pages) != 1) pages = 0;
    std::fclose(statm);
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// How late things were: counts per microsecond, and the exact extremes. Any thread may add;
// read when nobody does.
class Lateness {
 public:
  void Add(int64_t ns) {
    if (ns < 0) early_.fetch_add(1, std::memory_order_relaxed);
    const size_t bucket = std::min(static_cast<size_t>(std::max<int64_t>(ns, 0)) / 1000, kLast);
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    int64_t seen = max_.load(std::memory_order_relaxed);
    while (ns > seen && !max_.compare_exchange_weak(seen, ns, std::memory_order_relaxed)) {
    }
  }

  [[nodiscard]] uint64_t early() const { return early_.load(); }
  [[nodiscard]] uint64_t count() const { return CountFrom(0); }
  [[nodiscard]] uint64_t Beyond(std::chrono::microseconds limit) const {
    return CountFrom(static_cast<size_t>(limit.count()));
  }
  [[nodiscard]] double max_us() const { return static_cast<double>(max_.load()) * 1e-3; }

  // {"p50":..,"p99":..,"p999":..,"max":..}, in microseconds, quantiles rounded up to whole ones.
  [[nodiscard]] std::string Json() const {
    char text[128];
    std::snprintf(text, sizeof(text), R"({"p50":%zu,"p99":%zu,"p99.9":%zu,"max":%.1f})",
                  Quantile(0.5), Quantile(0.99), Quantile(0.999), max_us());
    return text;
  }

 private:
  static constexpr size_t kLast = 1'000'000;  // a second, and what is beyond

  [[nodiscard]] uint64_t CountFrom(size_t first) const {
    uint64_t sum = 0;
    for (size_t i = first; i <= kLast; ++i) sum += counts_[i].load(std::memory_order_relaxed);
    return sum;
  }
  [[nodiscard]] size_t Quantile(double q) const {
    const auto rank = static_cast<uint64_t>(q * static_cast<double>(count()));
    uint64_t below = 0;
    for (size_t i = 0; i < kLast; ++i) {
      below += counts_[i].load(std::memory_order_relaxed);
      if (below > rank) return i + 1;
    }
    return kLast;
  }

  std::vector<std::atomic<uint32_t>> counts_ = std::vector<std::atomic<uint32_t>>(kLast + 1);
  std::atomic<uint64_t> early_{0};
  std::atomic<int64_t> max_{0};
};

inline const char* Json(bool value) { return value ? "true" : "false"; }

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_ACCEPT_FIGURES_H_
