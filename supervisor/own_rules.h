#ifndef TASKVISOR_SUPERVISOR_OWN_RULES_H_
#define TASKVISOR_SUPERVISOR_OWN_RULES_H_

#include <cstdint>
#include <unordered_map>

#include "sched/slab.h"
#include "sched/timer.h"
#include "sched/timer_queue.h"
#include "supervisor/child_group.h"
#include "supervisor/rule_book.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_id.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

class Actor;
class OwnRulesStore;
class Entry;
struct Parentage;

// OwnRules
//
// The rules of a task that has what no other task can share: a point in time by which it must
// have ended, a predicate on its failures, or a parent. In the place of a RuleBook's set, so that
// tasks without pay a look at `kept`, which lies in lines that are read anyway.
//
//          Make             Arm                    due: the task is asked to stop
//   free ────────▶ made ───────────▶ (deadline armed) ──────────────────▶ made
//     ▲   adder     │     adder              │            timer thread     │
//     └─────────────┴──────── GiveBack ──────┴─────────────────────────────┘
//                          whoever finishes the task
//
// Its timer is a second one beside the entry's, which serves the attempt, the delay or the
// grace: the deadline runs through all of these. The tag is the task's id, which is never
// given twice: a firing that comes late, when the place is another task's, names a task that
// has ended, and StopById refuses it, whatever slot it reads here. So the place can be
// recycled while its timer still fires. Type-stable, as a Timer must be.
//
// Who may touch what: all of it belongs to the owner of the task's phase, but for the slot and
// the timer's part, and of `child` what it says. The deadline is never changed while the task
// lives.
//
// A child's deadline may be its parent's: then its own timer is not armed, because the parent's
// stop comes at that time, with the parent's cause. The clock decides all the same.
class OwnRules final : public RuleSet, private Timer {
 public:
  OwnRules() : Timer(&OnFire) {}

  // Null: the set is one of many, and has no deadline, no predicate and no parent.
  [[nodiscard]] static OwnRules* Of(const RuleSet* rules) {
    if (rules->kept != Kept::kByTask) return nullptr;
    return const_cast<OwnRules*>(static_cast<const OwnRules*>(rules));  // none is made const
  }

  // TimePoint::max(): none.
  [[nodiscard]] static TimePoint DeadlineOf(const RuleSet* rules) {
    if (rules->kept != Kept::kByTask) [[likely]]
      return TimePoint::max();
    return static_cast<const OwnRules*>(rules)->deadline_at;
  }

  // The group that a task with these rules is a child in; null: none.
  [[nodiscard]] static Children* GroupOf(const RuleSet* rules) {
    const OwnRules* const own = Of(rules);
    return own == nullptr ? nullptr : own->child.of;
  }

  // The adding thread, before the task is committed. Nothing happens if there is no deadline.
  // The rules are the task's, so this may fire before Arm has returned.
  void Arm(TaskId id);
  // The same, of a child: it is asked to stop, as its siblings were, if they were.
  void Enlist(Entry& entry);
  // Whoever finishes the task; the second as the last thing. Answers whose children have one less
  // then, or null.
  void DropRetryRule();
  [[nodiscard]] Children* GiveBack();
  // Whoever has ended the task so; user code of others may run.
  void TellParent(const Entry& entry, const TaskOutcome& outcome);

  TimePoint deadline_at = TimePoint::max();
  RetryRule retry;  // null: what is retryable by its kind is retried
  Child child;

  Atomic<uint32_t> next_free{0};  // the slab's

 private:
  friend class OwnRulesStore;
  static void OnFire(Timer& timer, uint64_t tag);
  void Inherit(const Parentage& parentage, TimePoint now);

  bool timed_ = false;  // by a timer of its own
  // A child's own id from Enlist to GiveBack: see OwnRulesStore::Parents.
  Atomic<uint64_t> listed_{0};
  Atomic<uint32_t> slot_{0};  // of the task
  // Set once, when the place is first used.
  uint32_t place_ = 0;
  OwnRulesStore* store_ = nullptr;
};

// The places of a supervisor's OwnRules. Progress: as Slab's.
class OwnRulesStore {
 public:
  OwnRulesStore(Actor& actor, TimerQueue& timers, size_t max_tasks)
      : actor_(actor), timers_(timers), places_(static_cast<uint32_t>(max_tasks)) {}

  // For a task that is admitted at `now`. Throws, and has changed nothing, if there is no
  // memory. REQUIRES: the caller has passed the gate; a place is given back before the gate is
  // left, so there is one.
  [[nodiscard]] OwnRules& Make(const TaskDefaults& rules, bool async, TimePoint now,
                               const Parentage* parentage = nullptr);

  // Whose child each registered child is, by the value of its id. A child that comes or goes
  // meanwhile may be missing. Ids are never given twice: what is read between two looks at the
  // same one is its own. O(places).
  [[nodiscard]] std::unordered_map<uint64_t, TaskId> Parents() const;

 private:
  friend class OwnRules;

  Actor& actor_;
  TimerQueue& timers_;
  Slab<OwnRules> places_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_OWN_RULES_H_
