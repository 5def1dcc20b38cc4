#ifndef TASKVISOR_SUPERVISOR_ADMISSION_H_
#define TASKVISOR_SUPERVISOR_ADMISSION_H_

#include <span>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "supervisor/actor.h"
#include "supervisor/own_rules.h"
#include "supervisor/registry.h"
#include "supervisor/rule_book.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// What the supervisor takes out of a spec.
class SpecAccess {
 public:
  // To be taken from.
  static TaskBody& BodyOf(TaskSpec& spec) { return spec.body_; }
  // Null: none is stated.
  static RetryRule* RuleOf(TaskSpec& spec) {
    return (spec.stated_ & TaskSpec::kRetryIf) != 0 ? &spec.rest_->retry_if : nullptr;
  }
  // It inherits its heartbeat, if any.
  static bool InheritsHeartbeat(const TaskSpec& spec) {
    return (spec.stated_ & (TaskSpec::kHeartbeat | TaskSpec::kNoHeartbeat)) == 0;
  }
  static bool HasBody(const TaskSpec& spec) { return spec.body_ != nullptr; }
  static bool IsOnce(const TaskSpec& spec) { return spec.IsOnce(); }
  static OutcomeCell* CellOf(const TaskSpec& spec) { return spec.cell_.get(); }
  static CellRef TakeCell(TaskSpec& spec) { return std::move(spec.cell_); }
  static bool IsPlain(const TaskSpec& spec) { return (spec.stated_ & TaskSpec::kPlain) != 0; }
  static bool IsAsync(const TaskSpec& spec) { return (spec.stated_ & TaskSpec::kAsync) != 0; }
};

// Admission
//
// From specs to registered tasks, all or none, on the calling thread:
//
//   validate ── gate ── reserve slots ── claim names ──┬─ TaskAddRequested, TaskAdded each;
//    (status)  (status)                                │   furnish, commit and submit, range by
//                                                      │   range
//                                                      └─ one taken: TaskAddRequested,
//                                                         TaskAddFailed each; withdraw all
//
// All memory that a task takes is taken while slots are reserved, before anything can be seen:
// if there is none, everything is taken back, and the call throws std::bad_alloc as if it had
// never been. What follows cannot fail. (The pool's queue may have no memory: see SetAside.)
//
// No body starts before every TaskAdded of the call is published: entries become
// kQueued only after that. A name counts as taken from the moment it is claimed, also
// by a batch that is refused a moment later.
//
// The caller brings the place for the ids, one for each spec: nothing is allocated for a
// call, whatever its size.
class Admission {
 public:
  Admission(const SupervisorConfig& config, Registry& registry, Actor& actor, Publisher& publisher,
            const Pool& pool, TimerQueue& timers)
      : config_(config),
        registry_(registry),
        actor_(actor),
        publisher_(publisher),
        pool_(pool),
        own_rules_(actor, timers, config.max_tasks) {}

  // kResourceExhausted if there is no room now. Specs are taken from unless it is refused
  // for a reason other than a name.
  absl::Status Admit(std::span<TaskSpec> specs, TaskId* ids);

  // The same, validated and past the gate, which gave the first one its ordinal.
  absl::Status AdmitEntered(std::span<TaskSpec> specs, TaskId* ids, uint64_t ordinal);

  // As Admit, of one that is to be somebody's child.
  absl::Status AdmitChild(TaskSpec& spec, TaskId& id, const Parentage& parentage);

  // See OwnRulesStore.
  [[nodiscard]] Registry::ParentMap Parents() const { return own_rules_.Parents(); }

  // Nothing wrong with the specs, or kInvalidArgument.
  [[nodiscard]] static absl::Status Validate(std::span<const TaskSpec> specs);

 private:
  [[nodiscard]] absl::Status Enter(std::span<const TaskSpec> specs, uint64_t& ordinal);
  // A slot for each, with all that needs memory; equip(Entry&, TaskSpec&) adds its rules and more.
  template <class Equip>
  void ReserveAll(std::span<TaskSpec> specs, TaskId* ids, Equip equip);
  [[nodiscard]] const RuleSet* RulesFor(TaskSpec& spec, TimePoint now);
  // `parentage`: null, nobody's child.
  [[nodiscard]] const RuleSet* OwnRulesFor(TaskSpec& spec, const TaskDefaults& resolved,
                                           TimePoint now, const Parentage* parentage);
  void TakeBack(std::span<TaskSpec> specs, const TaskId* ids);
  // False: a name is taken. The entries that did not get theirs have none.
  [[nodiscard]] bool Claim(std::span<const TaskSpec> specs, const TaskId* ids);
  absl::Status Refuse(std::span<TaskSpec> specs, const TaskId* ids, TaskId parent);
  // TaskAddRequested and TaskAdded.
  void Announce(const Entry& entry, TimePoint now);
  void Furnish(Entry& entry, TaskSpec& spec, uint64_t ordinal);
  void Commit(std::span<TaskSpec> specs, const TaskId* ids, uint64_t ordinal, TimePoint now);
  void CommitOne(Entry& entry, TaskId id, TimePoint now);
  void CatchUpWithShutdown(std::span<const TaskId> ids);

  const SupervisorConfig& config_;
  Registry& registry_;
  Actor& actor_;
  Publisher& publisher_;
  const Pool& pool_;
  RuleBook rules_;
  OwnRulesStore own_rules_;
  // Of the last task that IsOnce, if they are in the book: its heartbeat tells them from others'.
  // In a line that is seldom written.
  alignas(kCacheLine) Atomic<const RuleSet*> once_rules_{nullptr};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ADMISSION_H_
