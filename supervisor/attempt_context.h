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

class Children;
class Entry;

// The cause that a state word shows to a body.
inline CancelCause CauseOf(Snapshot s) {
  if (s.stopped()) return static_cast<CancelCause>(s.cause());
  if (s.timed_out()) return CancelCause::kTimeout;
  return s.cut() ? CancelCause::kChildFailed : CancelCause::kNone;
}

// The root of an attempt's scopes, and what else is told of its cancellation.
struct AttemptNode : CancelNode {
  AttemptNode() = default;
  ~AttemptNode();
  Atomic<Children*> children{nullptr};  // null: it has spawned none
};

// AttemptContext
//
// The inside of a TaskContext: one attempt, on the stack of the worker that runs it (of a
// coroutine: in its AsyncAttempt). Outside threads reach it only under a pin of the task's state
// word.
//
// The node is made by the first who asks for a scope, a token, a sleep or a child. Its
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
    Entry* entry = nullptr;         // null: there is no supervisor
    AsyncAttempt* async = nullptr;  // null: not a coroutine
  };

  // In line, so that the facts are written where they stay: to copy what was written field by
  // field just before, in larger pieces, makes the core wait for those stores.
  AttemptContext(ActorState& state, Clock& clock, const Facts& facts)
      : state_(state),
        clock_(clock),
        facts_(facts),
        context_(*this, state.word(), kCancelledMask, facts.beat) {}
  ~AttemptContext();

  AttemptContext(const AttemptContext&) = delete;
  AttemptContext& operator=(const AttemptContext&) = delete;

  [[nodiscard]] TaskContext& context() { return context_; }

  // Under a pin, after the word says cancelled: passes it on to the scopes.
  void TellScopes(CancelCause cause);

  [[nodiscard]] AttemptNode& Node();
  // Null: it has spawned none.
  [[nodiscard]] Children* children() const {
    // acquire: pairs with the releases in Node and MakeChildren
    const AttemptNode* const node = node_.load(std::memory_order_acquire);
    return node == nullptr ? nullptr : node->children.load(std::memory_order_acquire);
  }
  // From the body; throws if there is no memory. REQUIRES: a supervisor.
  [[nodiscard]] Children& MakeChildren();

  // The attempt goes on elsewhere: this one shares the node of `from`, who then lets go of it, when
  // nobody has a pin any more that may have led there.
  void Share(const AttemptContext& from) {
    // acquire: pairs with the release in Node
    node_.store(from.node_.load(std::memory_order_acquire), std::memory_order_release);
  }
  void LetGo() { node_.store(nullptr, std::memory_order_relaxed); }

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
  Atomic<AttemptNode*> node_{nullptr};
  std::once_flag named_;
  std::string name_;
  TaskContext context_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ATTEMPT_CONTEXT_H_
