#ifndef TASKVISOR_TESTS_SUPPORT_BACKGROUND_RUN_H_
#define TASKVISOR_TESTS_SUPPORT_BACKGROUND_RUN_H_

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"

namespace taskvisor::testing {

// Supervisor::Run, on a thread of its own. Its destructor ends the run.
class BackgroundRun {
 public:
  BackgroundRun(Supervisor& supervisor, std::vector<TaskSpec> batch)
      : supervisor_(supervisor), thread_([this, batch = std::move(batch)]() mutable {
          result_ = supervisor_.Run(std::move(batch));
          over_ = true;
        }) {}
  ~BackgroundRun() { supervisor_.Serve().RequestShutdown(); }

  [[nodiscard]] bool Over() const { return over_; }
  // Waits for it. Once.
  absl::Status Result() {
    thread_.join();
    return result_;
  }

 private:
  Supervisor& supervisor_;
  absl::Status result_;
  std::atomic<bool> over_{false};
  std::jthread thread_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_BACKGROUND_RUN_H_
