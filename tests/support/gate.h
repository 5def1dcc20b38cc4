#ifndef TASKVISOR_TESTS_SUPPORT_GATE_H_
#define TASKVISOR_TESTS_SUPPORT_GATE_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace taskvisor::testing {

// How long a test waits for something that must happen; only a failing test waits it out.
inline constexpr std::chrono::seconds kPatience{20};

// Closed until opened. Bodies wait at it, tests open it, or the other way round.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // False if it was not opened within kPatience.
  [[nodiscard]] bool Wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return open_; });
  }
  // For bodies: ignores everything but the gate.
  void Pass() { static_cast<void>(Wait()); }
  [[nodiscard]] bool IsOpen() {
    std::lock_guard lock(mutex_);
    return open_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// Waits until condition(), which something else is about to make true; false after
// kPatience.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_GATE_H_
