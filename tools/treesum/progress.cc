#include "tools/treesum/progress.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stop_token>

#include "tools/treesum/units.h"

namespace taskvisor::treesum {
namespace {

using std::chrono::steady_clock;

constexpr size_t kBar = 24;
constexpr auto kEvery = std::chrono::milliseconds(100);

// What opening a file costs, in bytes hashed: without it a tree of small files would stand
// still and then jump.
constexpr double kFileCost = 16 * 1024;

double Share(const ProgressState& s) {
  const auto work = [](uint64_t files, uint64_t bytes) {
    return static_cast<double>(files) * kFileCost + static_cast<double>(bytes);
  };
  const double total = work(s.total_files, s.total_bytes);
  return total > 0 ? std::min(1.0, work(s.files, s.bytes) / total) : 1.0;
}

size_t Width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return 80;
  // The last column stays free: some terminals wrap when it is written.
  return size.ws_col - 1u;
}

void Draw(const std::string& text) {
  // One write, so that the line does not flicker or mix with another's.
  const std::string line = "\r" + text + "\x1b[K";
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void DrawUntilStopped(const std::stop_token& stop, const Job& job) {
  const auto start = steady_clock::now();
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    const std::chrono::duration<double> elapsed = steady_clock::now() - start;
    // relaxed: see Counters.
    Draw(ProgressLine({.files = job.counters.files.load(std::memory_order_relaxed),
                       .total_files = job.tree.files.size(),
                       .bytes = job.counters.bytes.load(std::memory_order_relaxed),
                       .total_bytes = job.tree.bytes,
                       .seconds = elapsed.count()},
                      Width()));
    wake.wait_for(lock, stop, kEvery, [] { return false; });
  }
  Draw("");
}

}  // namespace

std::string ProgressLine(const ProgressState& s, size_t width) {
  const double share = Share(s);
  const auto filled = static_cast<size_t>(share * static_cast<double>(kBar));
  const auto bytes = static_cast<double>(s.bytes);
  const double rate = s.seconds > 0 ? bytes / s.seconds : 0;
  // Early guesses are wild.
  const bool guess = s.seconds > 0.5 && share > 0;
  const std::string eta = guess ? FormatClock(s.seconds * (1 - share) / share) : "-:--";
  std::string line =
      fmt::format("[{}{}] {:3.0f}%  {}/{} files  {}  {}/s  ETA {}", std::string(filled, '#'),
                  std::string(kBar - filled, '.'), share * 100, s.files, s.total_files,
                  FormatBytes(bytes), FormatBytes(rate), eta);
  return line.substr(0, width);
}

Progress::Progress(const Job& job) {
  // Inherited by the thread: a signal it took would end the program at once.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::jthread([&job](const std::stop_token& stop) { DrawUntilStopped(stop, job); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Progress::~Progress() = default;  // ~jthread asks it to stop, and joins

bool WantsProgress(ProgressMode mode) {
  return mode == ProgressMode::kAlways ||
         (mode == ProgressMode::kAuto && isatty(STDERR_FILENO) == 1);
}

}  // namespace taskvisor::treesum
