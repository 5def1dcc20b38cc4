#ifndef TASKVISOR_SUPERVISOR_RUNNER_H_
#define TASKVISOR_SUPERVISOR_RUNNER_H_

#include <string>

#include "sched/pool.h"
#include "supervisor/attempt_context.h"
#include "taskvisor/task_result.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// What a worker keeps on its stack while a body runs.
struct RunningAttempt {
  AttemptContext context;
  Seat& seat;

  // Under a pin: the word says cancelled; stops nested loops and tells the scopes.
  void Tell(CancelCause cause, bool scoped) {
    seat.CancelNested();
    if (scoped) context.TellScopes(cause);
  }
};

// One call of the body. Whatever it throws becomes a result: nothing leaves.
//   FatalError       Fatal(what), with its exit code
//   std::exception   Fail("task panicked: <what>")
//   anything else    Fail("task panicked: non-string panic payload")
[[nodiscard]] TaskResult CallBody(TaskBody& body, TaskContext& context) noexcept;

// "timed out after 100ms", and what the late body had to say.
[[nodiscard]] TaskError TimeoutError(Duration timeout, const TaskResult& late);

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_RUNNER_H_
