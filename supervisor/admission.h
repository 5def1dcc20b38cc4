#ifndef TASKVISOR_SUPERVISOR_ADMISSION_H_
#define TASKVISOR_SUPERVISOR_ADMISSION_H_

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "supervisor/actor.h"
#include "supervisor/registry.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// What the supervisor takes out of a spec.
class SpecAccess {
 public:
  static TaskBody TakeBody(TaskSpec& spec) { return std::move(spec.body_); }
  static bool HasBody(const TaskSpec& spec) { return spec.body_ != nullptr; }
  static std::shared_ptr<OutcomeCell> TakeCell(TaskSpec& spec) { return std::move(spec.cell_); }
  static const std::shared_ptr<OutcomeCell>& Cell(const TaskSpec& spec) { return spec.cell_; }
};

// Admission
//
// From specs to registered tasks, all or none, on the calling thread:
//
//   validate ── gate ── reserve slots ── claim names ──┬─ publish TaskAdded, commit, submit
//    (status)  (status)  TaskAddRequested              └─ one taken: withdraw all,
//                                                         TaskAddFailed each
//
// No body starts before every TaskAdded of the call is published: entries become
// kQueued only after that. A name counts as taken from the moment it is claimed, also
// by a batch that is refused a moment later.
class Admission {
 public:
  Admission(const SupervisorConfig& config, Registry& registry, Actor& actor, Publisher& publisher,
            const Pool& pool)
      : config_(config), registry_(registry), actor_(actor), publisher_(publisher), pool_(pool) {}

  // kResourceExhausted if there is no room now.
  absl::StatusOr<std::vector<TaskId>> Admit(std::vector<TaskSpec> specs);

  // The same, validated and past the gate.
  absl::StatusOr<std::vector<TaskId>> AdmitEntered(std::vector<TaskSpec> specs);

  // Nothing wrong with the spec, or kInvalidArgument.
  [[nodiscard]] static absl::Status Validate(const TaskSpec& spec);

 private:
  [[nodiscard]] absl::Status Enter(const std::vector<TaskSpec>& specs);
  [[nodiscard]] std::vector<Entry*> Reserve(const std::vector<TaskSpec>& specs);
  // Per spec: its claim failed. Empty: all were made.
  [[nodiscard]] std::vector<bool> Claim(const std::vector<TaskSpec>& specs,
                                        const std::vector<Entry*>& entries);
  absl::Status Refuse(std::vector<TaskSpec>& specs, const std::vector<Entry*>& entries,
                      const std::vector<bool>& taken);
  // TaskAdded, and for an anonymous task TaskAddRequested before it.
  void Announce(const Entry& entry, TimePoint now);
  void Furnish(Entry& entry, TaskSpec& spec);
  void Commit(Entry& entry);
  void CatchUpWithShutdown(const std::vector<TaskId>& ids);

  const SupervisorConfig& config_;
  Registry& registry_;
  Actor& actor_;
  Publisher& publisher_;
  const Pool& pool_;
  Atomic<uint64_t> next_ordinal_{1};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ADMISSION_H_
