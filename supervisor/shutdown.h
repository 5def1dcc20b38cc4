#ifndef TASKVISOR_SUPERVISOR_SHUTDOWN_H_
#define TASKVISOR_SUPERVISOR_SHUTDOWN_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "sched/atomic.h"
#include "sched/event_count.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::internal {

class Runtime;

// Shutdown
//
// The one shutdown of a supervisor: the first request starts it, on a thread of its
// own, so that no caller can cancel it by going away; every caller gets its result.
//
//   kIdle ── Request, the first ──▶ kRunning ── the phases ──▶ kDone, for ever
//
// Phases, each guarded: one that throws is reported (RuntimeFailure), the later ones
// run all the same, and the result is kUnavailable instead of a false OK.
//
//   close        no more admissions (the gate)
//   announce     ShutdownRequested, if somebody asked
//   cancel       every task asked to stop, before any is waited for
//   drain        until empty, or the one grace is over
//   abandon      outcome Stuck, with a stack, for bodies that still run
//   verdict      AllStoppedWithinGrace or GraceExceeded
//   on_stuck     wait or terminate, if so configured
//   pool         joined, if nobody is stuck
//   subscribers  relay drained, subscribers closed, within their deadline; the last
//                events of who is stuck: now all of them are recorded
//   timers       stopped, and the watchdog
class Shutdown {
 public:
  explicit Shutdown(Runtime& runtime) : runtime_(runtime) {}

  // False if one was requested before. Never blocks. `failure`: a start that failed;
  // the result is then that status, and neither request nor verdict is published.
  bool Request(ShutdownTrigger trigger, Duration grace, absl::Status failure = absl::OkStatus());

  // Blocks until kDone.
  [[nodiscard]] absl::Status Wait();
  // At most `limit` of real time; nothing if it is not done by then.
  [[nodiscard]] std::optional<absl::Status> WaitFor(Duration limit);

  [[nodiscard]] bool done() const {
    return progress_->state.load(std::memory_order_acquire) == kDone;
  }
  [[nodiscard]] std::optional<ShutdownTrigger> trigger() const;

 private:
  enum State : uint32_t { kIdle, kClaimed, kRunning, kDone };

  // Outlives the runtime: the shutdown's thread lets go of the runtime first and says
  // kDone then, so that the runtime ends with its owner, not on that thread after main.
  struct Progress {
    Atomic<uint32_t> state{kIdle};
    EventCount changed;
  };

  static void RunAndLetGo(std::shared_ptr<Runtime> runtime);
  void RunPhases();
  void Phase(std::string_view name, const std::function<void()>& work);
  void CancelAll();
  void Drain();
  void AbandonRest();
  void Verdict();
  void HandleStuck();
  void AttachLastEvents();
  [[nodiscard]] absl::Status Result() const;

  Runtime& runtime_;
  const std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();

  // Written before kRunning, read after it.
  ShutdownTrigger trigger_;
  Duration grace_{};
  bool failed_start_ = false;

  // The shutdown thread's own until kDone. Kept as plain values, and made into a status
  // for each caller: copies of one absl::Status share a counted block.
  bool broken_ = false;
  GraceExceeded exceeded_;
  int failure_code_ = 0;
  std::string failure_text_;
  std::string failure_label_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_SHUTDOWN_H_
