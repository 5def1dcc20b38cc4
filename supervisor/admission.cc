#include "supervisor/admission.h"

#include <algorithm>
#include <new>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "supervisor/attempt_context.h"
#include "supervisor/children.h"
#include "supervisor/outcome_cell.h"
#include "supervisor/overdue.h"
#include "supervisor/status.h"
#include "supervisor/text.h"

namespace taskvisor::internal {
namespace {

// So many entries are furnished and committed, then handed to the pool at once: workers begin
// while the rest of a large batch is still waiting for that.
constexpr size_t kRange = 256;
constexpr size_t kAhead = 8;  // entries and specs that memory brings meanwhile

// What is looked at of a spec of a large batch, some places ahead.
void CallForAhead(std::span<const TaskSpec> specs, size_t i) {
  if (i + kAhead >= specs.size()) return;
  const char* const ahead = reinterpret_cast<const char*>(&specs[i + kAhead]);
  for (size_t at = 0; at < sizeof(TaskSpec); at += kCacheLine) __builtin_prefetch(ahead + at);
}

absl::Status ValidateOne(const TaskSpec& spec) {
  if (!SpecAccess::HasBody(spec)) return InvalidSpec("body: null; there is nothing to call");
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
    return InvalidSpec(
        absl::StrCat("timeout: negative, ", ToText(**spec.timeout()), "; 0 or none is no timeout"));
  }
  if (spec.heartbeat().has_value() && spec.heartbeat()->value_or(Duration(1)) <= Duration(0)) {
    return InvalidSpec(
        absl::StrCat("heartbeat: ", ToText(**spec.heartbeat()), "; above 0, or WithoutHeartbeat"));
  }
  if (spec.deadline().has_value() && spec.deadline()->value_or(Duration(1)) <= Duration(0)) {
    return InvalidSpec(
        absl::StrCat("deadline: ", ToText(**spec.deadline()), "; above 0, or WithoutDeadline"));
  }
  if (spec.restart().has_value() && spec.restart()->interval() < Duration(0)) {
    return InvalidSpec(absl::StrCat("interval: negative, ", ToText(spec.restart()->interval()),
                                    "; 0 is no interval"));
  }
  if (spec.priority().value_or(Priority::kNormal) > Priority::kLow) {
    return InvalidSpec(absl::StrCat("priority: ", static_cast<int>(*spec.priority()),
                                    " is not a Priority; kHigh, kNormal or kLow"));
  }
  return absl::OkStatus();
}

// Several tasks' events as one run: one claim of the ring for all.
void AnnounceAnonymous(Publisher& publisher, std::span<const TaskId> ids, TimePoint now) {
  const WallTime at = publisher.WallAt(now);
  const auto requested = [at](TaskId id) {
    return DraftOf(id, {}, EventKind::kTaskAddRequested, at);
  };
  const auto added = [at](TaskId id) { return DraftOf(id, {}, EventKind::kTaskAdded, at); };
  for (; ids.size() >= 4; ids = ids.subspan(4)) {  // as many drafts as fit well on the stack
    publisher.EmitRun(requested(ids[0]), added(ids[0]), requested(ids[1]), added(ids[1]),
                      requested(ids[2]), added(ids[2]), requested(ids[3]), added(ids[3]));
  }
  for (const TaskId id : ids) publisher.EmitRun(requested(id), added(id));
}

// What is a user's goes with the spec: nothing of it is destroyed here.
void GiveRuleBack(const Entry& entry, TaskSpec& spec) {
  RetryRule* const retry = SpecAccess::RuleOf(spec);
  if (retry != nullptr && entry.rules != nullptr) {
    *retry = std::move(OwnRules::Of(entry.rules)->retry);
  }
}

TaskOutcome Rejected(RejectionKind kind) {
  try {
    return TaskOutcome(OutcomeKind::kRejected, Label(kind)).set_rejection(kind);
  } catch (const std::bad_alloc&) {  // then without the text
    return TaskOutcome(OutcomeKind::kRejected).set_rejection(kind);
  }
}

}  // namespace

absl::Status Admission::Validate(std::span<const TaskSpec> specs) {
  for (const TaskSpec& spec : specs) {
    CallForAhead(specs, static_cast<size_t>(&spec - specs.data()));
    absl::Status valid = ValidateOne(spec);
    if (valid.ok()) continue;
    if (specs.size() == 1) return valid;
    const auto place = static_cast<size_t>(&spec - specs.data());
    return InvalidSpec(absl::StrCat("of spec ", place, " of the batch, counted from 0",
                                    spec.name().empty() ? "" : ", named \"", spec.name(),
                                    spec.name().empty() ? "" : "\"", ": ", valid.message()));
  }
  return absl::OkStatus();
}

template <class Equip>
void Admission::ReserveAll(std::span<TaskSpec> specs, TaskId* ids, Equip equip) {
  const uint64_t first_id = registry_.TakeIds(specs.size());
  size_t reserved = 0;
  Registry::Slots slots(registry_);
  try {
    for (TaskSpec& spec : specs) {
      CallForAhead(specs, reserved);
      Entry& entry = registry_.Reserve(first_id + reserved, slots, specs.size() - reserved);
      ids[reserved++] = entry.Id();
      if (OutcomeCell* const cell = SpecAccess::CellOf(spec)) {
        cell->KeepClock(config_.clock);
        cell->Attach(entry.Id(), pool_);
      }
      if (SpecAccess::IsAsync(spec)) actor_.EnsureRoom(entry.slot);
      equip(entry, spec);
      if (!spec.name().empty()) registry_.CallForLink(slots);
    }
  } catch (...) {
    TakeBack(specs.first(reserved), ids);
    if (reserved < specs.size()) registry_.gate().Leave(specs.size() - reserved);
    throw;
  }
}

absl::Status Admission::Admit(std::span<TaskSpec> specs, TaskId* ids) {
  uint64_t ordinal = 0;
  if (absl::Status entered = Enter(specs, ordinal); !entered.ok()) return entered;
  return AdmitEntered(specs, ids, ordinal);
}

absl::Status Admission::AdmitEntered(std::span<TaskSpec> specs, TaskId* ids, uint64_t ordinal) {
  // It is set soon, and called for then; for one alone that is late.
  if (specs.size() == 1) registry_.CallForPlaceOf(specs.front().name());
  const TimePoint now = config_.clock->Now();
  bool named = false;
  ReserveAll(specs, ids, [&](Entry& entry, TaskSpec& spec) {
    entry.rules = RulesFor(spec, now);
    if (spec.name().empty()) return;
    named = true;
    registry_.SetName(entry, spec.name());
  });
  // The worker of one task is told before the reader of its events. The events of many may fill
  // the lane: their reader does not wait for the workers.
  std::optional<LateWake> late;
  if (specs.size() == 1) late.emplace(publisher_.wakes());
  if (named) {
    if (!Claim(specs, ids)) return Refuse(specs, ids, /*parent=*/{});
    for (size_t i = 0; i < specs.size(); ++i) Announce(registry_.At(ids[i].slot()), now);
  } else {
    AnnounceAnonymous(publisher_, {ids, specs.size()}, now);
  }
  Commit(specs, ids, ordinal, now);
  late.reset();  // what comes may run code of the user's
  CatchUpWithShutdown({ids, specs.size()});
  return absl::OkStatus();
}

absl::Status Admission::AdmitChild(TaskSpec& spec, TaskId& id, const Parentage& parentage) {
  const std::span<TaskSpec> specs(&spec, 1);
  uint64_t ordinal = 0;
  if (absl::Status entered = Enter(specs, ordinal); !entered.ok()) return entered;
  const TimePoint now = config_.clock->Now();
  ReserveAll(specs, &id, [&](Entry& entry, TaskSpec&) {
    entry.rules = OwnRulesFor(spec, spec.Resolve(config_.task_defaults), now, &parentage);
    entry.SetTold(Entry::kChild, true);
    if (!spec.name().empty()) registry_.SetName(entry, spec.name());
  });
  if (!Claim(specs, &id)) return Refuse(specs, &id, parentage.children.parent());
  Announce(registry_.At(id.slot()), now);
  Commit(specs, &id, ordinal, now);
  CatchUpWithShutdown({&id, 1});
  return absl::OkStatus();
}

absl::Status Admission::Enter(std::span<const TaskSpec> specs, uint64_t& ordinal) {
  if (absl::Status valid = Validate(specs); !valid.ok()) return valid;
  switch (registry_.gate().Enter(specs.size(), &ordinal, registry_.MyCredits())) {
    case Lifecycle::Entered::kYes:
      return absl::OkStatus();
    case Lifecycle::Entered::kFull:
      return Full(config_.max_tasks);
    case Lifecycle::Entered::kClosed:
      break;
  }
  return ShuttingDown();
}

const RuleSet* Admission::RulesFor(TaskSpec& spec, TimePoint now) {
  const bool once = SpecAccess::IsOnce(spec);
  if (once) {
    // acquire: pairs with the release below.
    const RuleSet* const known = once_rules_.load(std::memory_order_acquire);
    const bool same = known != nullptr && (SpecAccess::InheritsHeartbeat(spec)
                                               ? known->heartbeat == config_.task_defaults.heartbeat
                                               : known->heartbeat == *spec.heartbeat());
    if (same) return known;
  }
  const TaskDefaults resolved = spec.Resolve(config_.task_defaults);
  if (resolved.deadline.has_value() || SpecAccess::RuleOf(spec) != nullptr) {
    return OwnRulesFor(spec, resolved, now, /*parentage=*/nullptr);
  }
  const RuleSet* const rules = rules_.Find(resolved, SpecAccess::IsAsync(spec));
  const bool in_book = rules->kept == RuleSet::Kept::kInBook;
  if (once && in_book) once_rules_.store(rules, std::memory_order_release);
  return rules;
}

const RuleSet* Admission::OwnRulesFor(TaskSpec& spec, const TaskDefaults& resolved, TimePoint now,
                                      const Parentage* parentage) {
  OwnRules& own = own_rules_.Make(resolved, SpecAccess::IsAsync(spec), now, parentage);
  if (RetryRule* const retry = SpecAccess::RuleOf(spec)) own.retry = std::move(*retry);
  return &own;
}

void Admission::TakeBack(std::span<TaskSpec> specs, const TaskId* ids) {
  for (size_t i = 0; i < specs.size(); ++i) {
    Entry& entry = registry_.At(ids[i].slot());
    if (OutcomeCell* const cell = SpecAccess::CellOf(specs[i])) cell->Detach();
    GiveRuleBack(entry, specs[i]);
    registry_.DropName(entry);
    registry_.Withdraw(entry);
  }
}

bool Admission::Claim(std::span<const TaskSpec> specs, const TaskId* ids) {
  bool all = true;
  for (size_t i = 0; i < specs.size(); ++i) {
    const std::string& name = specs[i].name();
    if (name.empty()) continue;
    all = registry_.ClaimName(registry_.At(ids[i].slot()), name) && all;
  }
  return all;
}

absl::Status Admission::Refuse(std::span<TaskSpec> specs, const TaskId* ids, TaskId parent) {
  const TimePoint now = config_.clock->Now();
  absl::Status status;
  for (size_t i = 0; i < specs.size(); ++i) {
    Entry& entry = registry_.At(ids[i].slot());
    const bool taken = !specs[i].name().empty() && !entry.named();
    const RejectionKind kind =
        taken ? RejectionKind::kAlreadyExists : RejectionKind::kBatchRejected;
    if (taken && status.ok()) {
      const auto same = [&](const TaskSpec& other) { return other.name() == specs[i].name(); };
      status = AlreadyExists(specs[i].name(), std::ranges::any_of(specs.first(i), same));
    }
    const auto draft = [&](EventKind event) {
      return DraftOf(entry.Id(), specs[i].name(), event, publisher_.WallAt(now));
    };
    const EventDraft run[] = {draft(EventKind::kTaskAddRequested),
                              draft(EventKind::kTaskAddFailed).WithRejectionKind(kind)};
    parent.valid() ? publisher_.EmitRunOfChild(parent, run) : publisher_.EmitRun(run[0], run[1]);
    GiveRuleBack(entry, specs[i]);
    registry_.Withdraw(entry);
    if (const CellRef cell = SpecAccess::TakeCell(specs[i]); cell != nullptr) {
      cell->Detach();
      cell->Set(Rejected(kind), /*drained=*/true);
    }
  }
  return status;
}

void Admission::Announce(const Entry& entry, TimePoint now) {
  const EventName name(entry);
  const WallTime at = publisher_.WallAt(now);
  const EventDraft requested = name.Draft(EventKind::kTaskAddRequested, at);
  const EventDraft added = name.Draft(EventKind::kTaskAdded, at);
  publisher_.EmitRunOf(entry, requested, added);
}

void Admission::Furnish(Entry& entry, TaskSpec& spec, uint64_t ordinal) {
  entry.ordinal = ordinal;
  entry.SetPriority(entry.rules->priority);
  entry.body = std::move(SpecAccess::BodyOf(spec));
  if (const bool plain = SpecAccess::IsPlain(spec); plain != entry.Tells(Entry::kPlain)) {
    entry.SetTold(Entry::kPlain, plain);
  }
  entry.cell = SpecAccess::TakeCell(spec);
}

void Admission::Commit(std::span<TaskSpec> specs, const TaskId* ids, uint64_t ordinal,
                       TimePoint now) {
  for (size_t begin = 0; begin < specs.size(); begin += kRange) {
    const size_t end = std::min(begin + kRange, specs.size());
    for (size_t i = begin; i < end; ++i) {
      // In a large batch it was reserved so long ago that it has left the cache.
      if (i + kAhead < specs.size()) registry_.CallFor(ids[i + kAhead].slot());
      CallForAhead(specs, i);
      Entry& entry = registry_.At(ids[i].slot());
      Furnish(entry, specs[i], ordinal++);
      CommitOne(entry, ids[i], now);
    }
    // By now each may run, have ended, and be another task: only submitted, which is
    // harmless for a slot that is not queued any more.
    actor_.Submit({ids + begin, end - begin});
  }
}

void Admission::CommitOne(Entry& entry, TaskId id, TimePoint now) {
  entry.SetReadyAt(now);
  if (OwnRules* const own = OwnRules::Of(entry.rules); own != nullptr) {
    own->Arm(id);
    own->Enlist(entry);
  }
  // A remover was faster than we: it asked us to finish it.
  if (!entry.state.Commit().stopped()) return;
  registry_.Finish(entry, OutcomeOfStop(entry, CauseOf(entry.state.Load())), config_.clock->Now(),
                   /*seat=*/nullptr);
}

void Admission::CatchUpWithShutdown(std::span<const TaskId> ids) {
  if (!registry_.gate().closed()) return;
  for (const TaskId id : ids) static_cast<void>(actor_.StopById(id, CancelCause::kShutdown));
}

}  // namespace taskvisor::internal
