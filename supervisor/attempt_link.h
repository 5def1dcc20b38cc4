#ifndef TASKVISOR_SUPERVISOR_ATTEMPT_LINK_H_
#define TASKVISOR_SUPERVISOR_ATTEMPT_LINK_H_

#include <memory>
#include <utility>

#include "sched/atomic.h"
#include "taskvisor/task_result.h"

namespace taskvisor::internal {

struct RunningAttempt;

// An error on its way from one attempt to the next.
using KeptError = std::unique_ptr<TaskError, DeleteError>;

// What a TaskResult carries, for the inside.
class ResultAccess {
 public:
  [[nodiscard]] static KeptError TakeError(TaskResult& result) { return std::move(result.error_); }
  static void PutBack(TaskResult& result, KeptError error) { result.error_ = std::move(error); }
  // One with an error that is not the result's own.
  [[nodiscard]] static TaskResult Of(TaskError& error) {
    TaskResult result;
    result.error_.reset(&error);
    return result;
  }
};

// AttemptLink
//
// One word of an entry for two things that it never has at a time:
//
//           Begin, Move              End                     Keep
//   none ──────────▶ the attempt ──────────▶ none ──────────────────▶ the last error
//     ▲               that runs                ▲                            │
//     └────────────────────────────────────────┴──────────── Take ──────────┘
//
// The attempt may be read by others under a pin, between Begin and End; TryBegin publishes it.
// The error is owned by the link, which is the phase owner's, as everything else here.
//
// A task that never fails pays for it with the store of End.
class AttemptLink {
 public:
  // An error that is kept passes to the caller.
  // relaxed, here and below: published by the transitions of the task's word.
  void Begin(RunningAttempt& attempt) { word_.store(&attempt, std::memory_order_relaxed); }
  // The attempt goes on elsewhere, in the middle of it; who has a pin may still be at the old
  // place. release: pairs with the acquire in attempt(); no transition publishes this one.
  void Move(RunningAttempt& attempt) { word_.store(&attempt, std::memory_order_release); }
  void End() { word_.store(nullptr, std::memory_order_relaxed); }
  // REQUIRES: a pin, taken while the attempt ran.
  [[nodiscard]] RunningAttempt& attempt() const {
    // acquire: pairs with the release in Move
    return *static_cast<RunningAttempt*>(word_.load(std::memory_order_acquire));
  }

  // What error() showed before Begin: it is the caller's since.
  [[nodiscard]] static KeptError Own(const TaskError* error) {
    return KeptError(const_cast<TaskError*>(error));  // none is made const
  }

  // REQUIRES: no attempt runs. Null is fine.
  void Keep(KeptError error) { word_.store(error.release(), std::memory_order_relaxed); }
  [[nodiscard]] const TaskError* error() const {
    return static_cast<const TaskError*>(word_.load(std::memory_order_relaxed));
  }
  [[nodiscard]] KeptError Take() {
    auto* const error = static_cast<TaskError*>(word_.load(std::memory_order_relaxed));
    End();
    return KeptError(error);
  }

 private:
  Atomic<void*> word_{nullptr};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ATTEMPT_LINK_H_
