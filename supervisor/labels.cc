// The stable texts of the public enums. Adding one never changes an old one.

#include <string_view>

#include "taskvisor/cancel_cause.h"
#include "taskvisor/event.h"
#include "taskvisor/supervisor.h"
#include "taskvisor/task_outcome.h"
#include "taskvisor/task_result.h"

namespace taskvisor {
namespace {

template <class Enum, size_t kCount>
std::string_view At(const std::string_view (&labels)[kCount], Enum value) {
  const auto i = static_cast<size_t>(value);
  return i < kCount ? labels[i] : std::string_view("unknown");
}

}  // namespace

std::string_view Label(EventKind kind) {
  static constexpr std::string_view kLabels[] = {"task_add_requested",
                                                 "task_added",
                                                 "task_add_failed",
                                                 "task_remove_requested",
                                                 "task_starting",
                                                 "task_stopped",
                                                 "task_failed",
                                                 "timeout_hit",
                                                 "backoff_scheduled",
                                                 "actor_exhausted",
                                                 "actor_dead",
                                                 "task_removed",
                                                 "shutdown_requested",
                                                 "all_stopped_within_grace",
                                                 "grace_exceeded",
                                                 "subscriber_overflow",
                                                 "subscriber_panicked",
                                                 "runtime_failure",
                                                 "controller_submitted",
                                                 "controller_rejected",
                                                 "controller_slot_transition",
                                                 "task_stuck",
                                                 "task_recovered"};
  static_assert(std::size(kLabels) == kEventKindCount);
  return At(kLabels, kind);
}

std::string_view Label(BackoffSource source) {
  static constexpr std::string_view kLabels[] = {"success", "failure"};
  return At(kLabels, source);
}

std::string_view Label(OutcomeKind kind) {
  static constexpr std::string_view kLabels[] = {
      "outcome_completed", "outcome_failed",   "outcome_fatal",   "outcome_canceled",
      "outcome_stuck",     "outcome_panicked", "outcome_rejected"};
  return At(kLabels, kind);
}

std::string_view Label(RejectionKind kind) {
  static constexpr std::string_view kLabels[] = {"already_exists",
                                                 "batch_rejected",
                                                 "slot_busy",
                                                 "queue_full",
                                                 "superseded_by_replace",
                                                 "removed_from_queue",
                                                 "controller_shutting_down",
                                                 "admission_failed"};
  return At(kLabels, kind);
}

std::string_view Label(TaskErrorKind kind) {
  static constexpr std::string_view kLabels[] = {"task_timeout", "task_fatal", "task_failed",
                                                 "task_canceled"};
  return At(kLabels, kind);
}

std::string_view Label(CancelCause cause) {
  static constexpr std::string_view kLabels[] = {"none",     "removed",  "canceled",
                                                 "timeout",  "shutdown", "parent_failed",
                                                 "replaced", "deadline", "child_failed"};
  return At(kLabels, cause);
}

std::string_view Label(TaskPhase phase) {
  static constexpr std::string_view kLabels[] = {"queued",   "waiting", "running",  "delaying",
                                                 "stopping", "stuck",   "suspended"};
  return At(kLabels, phase);
}

}  // namespace taskvisor
