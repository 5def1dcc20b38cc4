#include "supervisor/admission.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "supervisor/status.h"
#include "supervisor/text.h"

namespace taskvisor::internal {

absl::Status Admission::Validate(const TaskSpec& spec) {
  if (!SpecAccess::HasBody(spec)) return InvalidSpec("body: null");
  if (spec.name().size() > kMaxNameLength) {
    return InvalidSpec(
        absl::StrCat("name: ", spec.name().size(), " bytes, at most ", kMaxNameLength));
  }
  if (spec.max_retries().has_value() && *spec.max_retries() == std::optional<uint32_t>(0)) {
    return InvalidSpec(
        "max_retries: 0; at least 1, or WithUnlimitedRetries, or "
        "RestartPolicy::Never");
  }
  if (spec.timeout().has_value() && spec.timeout()->value_or(Duration(0)) < Duration(0)) {
    return InvalidSpec("timeout: negative; 0 or none is no timeout");
  }
  if (spec.restart().has_value() && spec.restart()->interval() < Duration(0)) {
    return InvalidSpec("interval: negative");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TaskId>> Admission::Admit(std::vector<TaskSpec> specs) {
  if (absl::Status entered = Enter(specs); !entered.ok()) return entered;
  return AdmitEntered(std::move(specs));
}

absl::StatusOr<std::vector<TaskId>> Admission::AdmitEntered(std::vector<TaskSpec> specs) {
  const std::vector<Entry*> entries = Reserve(specs);
  const std::vector<bool> taken = Claim(specs, entries);
  if (!taken.empty()) return Refuse(specs, entries, taken);

  std::vector<TaskId> ids;
  ids.reserve(entries.size());
  const TimePoint now = config_.clock->Now();
  for (size_t i = 0; i < entries.size(); ++i) {
    ids.push_back(entries[i]->Id());
    Furnish(*entries[i], specs[i]);
    Announce(*entries[i], now);
  }
  for (Entry* entry : entries) Commit(*entry);
  CatchUpWithShutdown(ids);
  return ids;
}

absl::Status Admission::Enter(const std::vector<TaskSpec>& specs) {
  for (const TaskSpec& spec : specs) {
    if (absl::Status valid = Validate(spec); !valid.ok()) return valid;
  }
  switch (registry_.gate().Enter(specs.size())) {
    case Lifecycle::Entered::kYes:
      return absl::OkStatus();
    case Lifecycle::Entered::kFull:
      return Full(config_.max_tasks);
    case Lifecycle::Entered::kClosed:
      break;
  }
  return ShuttingDown();
}

std::vector<Entry*> Admission::Reserve(const std::vector<TaskSpec>& specs) {
  const TimePoint now = config_.clock->Now();
  std::vector<Entry*> entries;
  entries.reserve(specs.size());
  for (const TaskSpec& spec : specs) {
    Entry& entry = registry_.Reserve();
    entries.push_back(&entry);
    // Nobody can know of an anonymous one yet: its two events become one run.
    if (spec.name().empty()) continue;
    const EventName name(entry.Id(), spec.name());
    publisher_.EmitRun(name.Draft(EventKind::kTaskAddRequested, publisher_.WallAt(now)));
  }
  return entries;
}

std::vector<bool> Admission::Claim(const std::vector<TaskSpec>& specs,
                                   const std::vector<Entry*>& entries) {
  std::vector<bool> taken;
  for (size_t i = 0; i < specs.size(); ++i) {
    const std::string& name = specs[i].name();
    if (name.empty() || registry_.ClaimName(*entries[i], name)) continue;
    taken.resize(specs.size());
    taken[i] = true;
  }
  return taken;
}

absl::Status Admission::Refuse(std::vector<TaskSpec>& specs, const std::vector<Entry*>& entries,
                               const std::vector<bool>& taken) {
  const TimePoint now = config_.clock->Now();
  absl::Status status;
  for (size_t i = 0; i < specs.size(); ++i) {
    const RejectionKind kind =
        taken[i] ? RejectionKind::kAlreadyExists : RejectionKind::kBatchRejected;
    if (taken[i] && status.ok()) status = AlreadyExists(specs[i].name());
    Entry& entry = *entries[i];
    const EventName name(entry.Id(), specs[i].name());
    const EventDraft failed =
        name.Draft(EventKind::kTaskAddFailed, publisher_.WallAt(now)).WithRejectionKind(kind);
    if (specs[i].name().empty()) {
      publisher_.EmitRun(name.Draft(EventKind::kTaskAddRequested, publisher_.WallAt(now)), failed);
    } else {
      publisher_.EmitRun(failed);
    }
    registry_.Withdraw(entry, /*name_claimed=*/!specs[i].name().empty() && !taken[i]);
    if (const auto cell = SpecAccess::TakeCell(specs[i]); cell != nullptr) {
      cell->Set(TaskOutcome(OutcomeKind::kRejected, Label(kind)).set_rejection(kind), true);
    }
  }
  return status;
}

void Admission::Announce(const Entry& entry, TimePoint now) {
  const EventName name(entry);
  const WallTime at = publisher_.WallAt(now);
  const EventDraft added = name.Draft(EventKind::kTaskAdded, at);
  if (entry.named) return publisher_.EmitRun(added);
  publisher_.EmitRun(name.Draft(EventKind::kTaskAddRequested, at), added);
}

void Admission::Furnish(Entry& entry, TaskSpec& spec) {
  entry.rules = spec.Resolve(config_.task_defaults);
  entry.ordinal = next_ordinal_.fetch_add(1, std::memory_order_relaxed);
  entry.body = SpecAccess::TakeBody(spec);
  entry.cell = SpecAccess::TakeCell(spec);
  if (entry.cell != nullptr) entry.cell->Attach(entry.Id(), config_.clock, &pool_);
}

void Admission::Commit(Entry& entry) {
  const Snapshot before = entry.state.Commit();
  if (before.stopped()) {  // a remover was faster than we: it asked us to finish it
    return registry_.Finish(entry, TaskOutcome(OutcomeKind::kCancelled), config_.clock->Now());
  }
  // From here on the entry may run, end and be another task: only submitted, which is
  // harmless for a slot that is not queued any more.
  actor_.Submit(entry);
}

void Admission::CatchUpWithShutdown(const std::vector<TaskId>& ids) {
  if (!registry_.gate().closed()) return;
  for (const TaskId id : ids) static_cast<void>(actor_.StopById(id, CancelCause::kShutdown));
}

}  // namespace taskvisor::internal
