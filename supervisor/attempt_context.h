#ifndef TASKVISOR_SUPERVISOR_ATTEMPT_CONTEXT_H_
#define TASKVISOR_SUPERVISOR_ATTEMPT_CONTEXT_H_

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "sched/atomic.h"
#include "sched/cancellation.h"
#include "sched/pool.h"
#include "supervisor/actor_state.h"
#include "supervisor/name.h"
#include "taskvisor/task_context.h"

namespace taskvisor::internal {

class Publisher;

// The cause that a state word shows to a body.
inline CancelCause CauseOf(Snapshot s) {
  if (s.stopped()) return static_cast<CancelCause>(s.cause());
  return s.timed_out() ? CancelCause::kTimeout : CancelCause::kNone;
}

// AttemptContext
//
// The inside of a TaskContext: one attempt, on the stack of the worker that runs it (of a
// coroutine: in its AsyncAttempt). Outside threads reach it only under a pin of the task's state
// word.
//
// The CancelNode is made by the first who asks for a scope, a token or a sleep. Its
// maker then marks the word (kScoped): a canceller that comes later sees the mark and
// tells the node; one that came earlier is seen by the maker, who tells it. Both are
// changes of the same word, so one of them does.
class AttemptContext {
 public:
  struct Facts {
    TaskId id;
    const Name* name;  // null or empty: anonymous
    uint32_t attempt;
    TimePoint deadline;
    Atomic<uint32_t>* beat = nullptr;  // null: no heartbeat
    const TaskError* last_error = nullptr;
    Publisher* publisher = nullptr;  // null: there is no supervisor
    AsyncAttempt* async = nullptr;   // null: not a coroutine
  };

  AttemptContext(ActorState& state, Clock& clock, Facts facts);
  ~AttemptContext();

  AttemptContext(const AttemptContext&) = delete;
  AttemptContext& operator=(const AttemptContext&) = delete;

  [[nodiscard]] TaskContext& context() { return context_; }

  // Under a pin, after the word says cancelled: passes it on to the scopes.
  void TellScopes(CancelCause cause);

  [[nodiscard]] CancelNode& Node();
  [[nodiscard]] std::string_view name();
  [[nodiscard]] const Facts& facts() const { return facts_; }
  [[nodiscard]] Clock& clock() const { return clock_; }
  // A coroutine's, while it is on no core or comes back to one.
  void SetBeat(Atomic<uint32_t>* beat) { context_.beat_ = beat; }
  [[nodiscard]] CancelCause Cause() const { return CauseOf(state_.Load()); }

 private:
  ActorState& state_;
  Clock& clock_;
  const Facts facts_;
  Atomic<CancelNode*> node_{nullptr};
  std::once_flag named_;
  std::string name_;
  TaskContext context_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ATTEMPT_CONTEXT_H_
