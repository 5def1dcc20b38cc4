#ifndef TASKVISOR_SUPERVISOR_RUNNER_H_
#define TASKVISOR_SUPERVISOR_RUNNER_H_

#include <exception>
#include <string>

#include "sched/pool.h"
#include "supervisor/attempt_context.h"
#include "supervisor/text.h"
#include "taskvisor/task_result.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// What a worker keeps on its stack while a body runs.
struct RunningAttempt {
  RunningAttempt(ActorState& state, Clock& clock, const AttemptContext::Facts& facts, Seat& on)
      : context(state, clock, facts), seat(&on) {}

  // Under a pin that was taken in `before`: the word says cancelled; stops nested loops and tells
  // the scopes. A body that was not on a core has no loops, and has left its seat.
  void Tell(CancelCause cause, Snapshot before) {
    if (before.Is(Phase::kRunning)) seat->CancelNested();
    if (before.scoped()) context.TellScopes(cause);
  }

  // Under a pin: its body is over, and it waits for its children.
  [[nodiscard]] bool Joins() const;

  AttemptContext context;
  Seat* seat;
};

// What `call` returns. Whatever it throws becomes a result: nothing leaves.
//   FatalError       Fatal(what), with its exit code
//   std::exception   Fail("task panicked: <what>")
//   anything else    Fail("task panicked: non-string panic payload")
template <class Call>
[[nodiscard]] TaskResult Guarded(Call call) noexcept {
  try {
    return call();
  } catch (const FatalError& error) {
    return TaskResult(TaskError{.kind = TaskErrorKind::kFatal,
                                .reason = CutReason(WhatOf(error)),
                                .exit_code = error.exit_code(),
                                .source = std::current_exception()});
  } catch (const std::exception& error) {
    return Fail(std::string("task panicked: ").append(WhatOf(error)))
        .WithSource(std::current_exception());
  } catch (...) {
    return Fail("task panicked: non-string panic payload").WithSource(std::current_exception());
  }
}

// One call of the body, guarded.
[[nodiscard]] TaskResult CallBody(TaskBody& body, TaskContext& context) noexcept;

// "timed out after 100ms", and what the late body had to say.
[[nodiscard]] TaskError TimeoutError(Duration timeout, const TaskResult& late);

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_RUNNER_H_
