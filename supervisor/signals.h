#ifndef TASKVISOR_SUPERVISOR_SIGNALS_H_
#define TASKVISOR_SUPERVISOR_SIGNALS_H_

#include <csignal>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"

namespace taskvisor::internal {

// SignalWatcher
//
// While it lives, SIGINT, SIGTERM and SIGQUIT are received by one thread of ours, in
// sigwait, and reported by a call on that thread. Several watchers share the thread and
// are all called.
//
// Threads made before (the host's, TBB's) may not mask these signals, and the system
// may pick any of them. So a handler is installed too; all it does, on whatever thread
// it lands, is to pass the signal on to ours. The host's handlers come back, unused,
// when the last watcher goes.
class SignalWatcher {
 public:
  // `on_signal` must not block. Errors: kFailedPrecondition,
  // "runtime_signal_setup_failed".
  static absl::StatusOr<std::unique_ptr<SignalWatcher>> Install(
      std::function<void(int signal)> on_signal);
  ~SignalWatcher();

 private:
  class Hub;
  SignalWatcher() = default;

  std::shared_ptr<Hub> hub_;
  std::function<void(int)> on_signal_;
};

// Blocks all signals on this thread while it lives, so that threads made meanwhile
// start with all blocked.
class BlockSignals {
 public:
  BlockSignals();
  ~BlockSignals();
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t old_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_SIGNALS_H_
