#include "supervisor/registry.h"

#include <algorithm>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "sched/timed_wait.h"
#include "supervisor/attempt_context.h"
#include "supervisor/children.h"
#include "supervisor/no_waiting.h"
#include "supervisor/outcome_cell.h"
#include "supervisor/own_rules.h"
#include "supervisor/runner.h"

namespace taskvisor::internal {
namespace {

// Process-wide, so that an id is never given twice, by any supervisor. In a line of its own: all
// who add write to it.
struct alignas(kCacheLine) Ids {
  Atomic<uint64_t> next{1};
};
constinit Ids ids_of_process;

NameLink& LinkOf(void* links, uint32_t slot) { return static_cast<NameLinks*>(links)->At(slot); }

StuckTask Describe(const Entry& entry, TimePoint now, std::string stack) {
  const TaskId id = entry.Id();
  const TimePoint started(Duration(entry.started_at.load(std::memory_order_acquire)));
  return {.id = id,
          .name = NameOf(entry, id),
          .attempt = entry.attempts().load(std::memory_order_acquire),
          .running_for = now - started,
          .thread = entry.thread.load(std::memory_order_acquire),
          .stack = std::move(stack)};
}

[[gnu::always_inline]] inline EventDraft EndOf(const EventName& name, const TaskOutcome& outcome,
                                               WallTime at) {
  const OutcomeKind kind = outcome.kind();
  const bool by_rules = kind == OutcomeKind::kCompleted || kind == OutcomeKind::kFailed;
  EventDraft draft = name.Draft(by_rules ? EventKind::kActorExhausted : EventKind::kActorDead, at);
  draft.WithOutcomeKind(kind)
      .WithAttempt(outcome.attempts())
      .WithExitCode(outcome.exit_code())
      .WithReason(outcome.reason());
  if (outcome.cause() == CancelCause::kDeadline) [[unlikely]]
    draft.WithCause(outcome.cause());
  return draft;
}

// Answers whose children have one less then, or null.
[[gnu::noinline]] Children* LetGoOfRules(const RuleSet* rules) {
  OwnRules* const own = OwnRules::Of(rules);
  if (own == nullptr) return RuleBook::LetGo(rules), nullptr;
  return own->GiveBack();
}

// What runs code of the user's when it is destroyed: a body, an exception, a predicate.
void DestroyWhatIsTheUsers(Entry& entry, uint32_t pool) {
  if (entry.IsPlain() && entry.attempt.error() == nullptr) [[likely]] {
    entry.body = nullptr;
    return;
  }
  const LateWake::Aside aside;
  const NoWaiting here(pool);  // user code: its destructor must not wait for this task
  entry.body = nullptr;
  OwnRules* const own = OwnRules::Of(entry.rules);
  if (own == nullptr && entry.attempt.error() == nullptr) [[likely]]
    return;
  entry.attempt.Take().reset();
  if (own != nullptr) own->DropRetryRule();
}

// Of one that is given up while its body is over: without memory it says what it did.
void SayThatChildrenRun(StuckTask& task, TaskOutcome& outcome) try {
  task.stack = "(no stack: its body is over, its children run)";
  TaskOutcome truer(OutcomeKind::kStuck, "grace passed and its children still run");
  truer.set_stuck({.running_for = task.running_for, .thread = 0, .stack = task.stack});
  truer.set_attempts(outcome.attempts()).set_cause(outcome.cause());
  outcome = std::move(truer);
} catch (const std::bad_alloc&) {
}

}  // namespace

std::string NameOf(const Entry& entry, TaskId id) {
  const Name* const name = entry.name();
  std::string text = name == nullptr ? std::string() : name->ToString();
  return text.empty() ? id.ToString() : text;
}

Registry::Registry(const SupervisorConfig& config, const Pool& pool, Publisher& publisher,
                   Actor& actor)
    : publisher_(publisher),
      actor_(actor),
      pool_(pool.id()),
      // A simulation's ids are its own: what ran before it in the process must not show in it.
      next_id_(pool.simulated() ? own_ids_ : ids_of_process.next),
      ended_(std::make_unique<Ended[]>(pool.workers())),
      gate_(config.max_tasks, pool.workers(), CreditsOf(taken_.get()), {}),
      slab_(SlotsFor(config.max_tasks, pool.workers())),
      links_(SlotsFor(config.max_tasks, pool.workers()), config.max_tasks),
      names_(config.max_tasks, &LinkOf, &links_) {}

uint64_t Registry::TakeIds(size_t count) {
  return next_id_.fetch_add(count, std::memory_order_relaxed);  // relaxed: only numbers
}

std::vector<Lifecycle::Credits*> Registry::CreditsOf(Taken* taken) {
  std::vector<Lifecycle::Credits*> credits;
  for (uint32_t i = 0; i < kAdders; ++i) credits.push_back(&taken[i].credits);
  return credits;
}

Registry::Taken* Registry::TakenByThread() {
  if (void* const kept = threads_.Kept()) return static_cast<Taken*>(kept);
  return threads_.KeepMineOf(taken_.get());
}

Entry& Registry::Reserve(uint64_t id, Slots& slots, size_t more) {
  std::optional<uint32_t> slot;
  // Only while more threads than there are spare slots stand between leaving the gate and freeing
  // a slot.
  while (!(slot = slab_.Allocate(slots.taken(), more))) std::this_thread::yield();
  Entry& entry = slab_.At(*slot);
  if (entry.actor == nullptr) {  // first use; later on others may read them
    entry.slot = *slot;
    entry.actor = &actor_;
  }
  // What the slot's last task has left, before it is another's: see Lookup. Its block it has not.
  if (entry.named()) entry.name_size.store(0, std::memory_order_release);
  entry.attempts().store(0, std::memory_order_release);
  entry.draws().store(0, std::memory_order_relaxed);
  entry.state.Reserve();
  entry.id.store(id, std::memory_order_release);
  return entry;
}

void Registry::SetName(Entry& entry, std::string_view name) {
  links_.Set(entry.slot, name);
  if (name.size() > Name::kShort) [[unlikely]]
    entry.SetTold(Entry::kLongName, true);
  names_.Prepare(entry.slot, name);
  // Before others can find it: they look here whether it is this task's.
  // release: who sees that it has a name sees all of it.
  entry.name_size.store(static_cast<uint8_t>(name.size()), std::memory_order_release);
}

bool Registry::ClaimName(Entry& entry, std::string_view name) {
  if (names_.Insert(entry.slot, name)) return true;
  DropName(entry);
  return false;
}

void Registry::Withdraw(Entry& entry) {
  if (entry.named()) names_.Remove(entry.slot);
  entry.state.Withdraw();
  entry.cell = {};
  Release(entry, nullptr);
}

Registry::Found Registry::Lookup(TaskId id) const {
  Entry* entry = slab_.Find(id.slot());
  if (entry == nullptr || !id.valid()) return {};
  // State first: a CAS that starts from it succeeds only if the id read after it was
  // read in the same life of the slot (it is 0 outside of one).
  const Snapshot seen = entry->state.Load();
  if (seen.Is(Phase::kFree) || entry->id.load(std::memory_order_acquire) != id.value()) return {};
  return {entry, seen, id};
}

Registry::Found Registry::Lookup(std::string_view name) const {
  while (true) {
    const std::optional<uint32_t> slot = names_.Find(name);
    if (!slot.has_value()) return {};
    Entry& entry = slab_.At(*slot);
    const Snapshot seen = entry.state.Load();
    const TaskId id = entry.Id();
    // The slot's next task has no name before its own is whole. So if it says that this is its
    // name, `seen` is a state of a task of this name, or of one that has ended since, which the
    // caller's CAS will tell. Otherwise the task of this name has ended: look again.
    const bool its_own = entry.named() && NameAt(*slot).Equals(name);
    if (!seen.Is(Phase::kFree) && id.valid() && its_own) return {&entry, seen, id};
  }
}

void Registry::Finish(Entry& entry, TaskOutcome&& outcome, TimePoint now, const Seat* seat,
                      LastAttempt last) {
  const Snapshot ending = entry.state.Load();
  const bool abandoned = ending.abandoned();
  // A deadline is the cause of what it ended, which says so itself; one that has come since
  // is not. A stop outranks what the last attempt ended of.
  const bool unasked = outcome.cause() != CancelCause::kDeadline;
  if (ending.stopped() && !outcome.IsSuccess() && unasked &&
      CauseOf(ending) != CancelCause::kDeadline) {
    outcome.set_cause(CauseOf(ending));
  }
  outcome.set_attempts(entry.attempts().load(std::memory_order_relaxed));
  if (entry.named()) names_.Remove(entry.slot);
  DestroyWhatIsTheUsers(entry, pool_);
  const CellRef cell = std::move(entry.cell);  // outlives `late`: it may destroy what is a user's
  const LateWake late(publisher_.wakes());     // who waits for the outcome is told first
  PublishLast(entry, abandoned ? nullptr : &outcome, now, last.told);
  if (last.error != nullptr) [[unlikely]]
    DestroyError(std::move(last.error), cell != nullptr ? nullptr : &outcome);
  if (cell != nullptr) {
    abandoned ? cell->MarkDrained() : cell->Set(std::move(outcome), /*drained=*/true);
  }
  Release(entry, seat);
}

// The exception behind it is a user's. `outcome`: refers to it too, and nobody will read that.
[[gnu::noinline]] void Registry::DestroyError(KeptError error, TaskOutcome* outcome) const {
  const LateWake::Aside aside;
  const NoWaiting here(pool_);
  error.reset();
  if (outcome != nullptr) *outcome = TaskOutcome();
}

void Registry::OnIdle(Seat& seat) noexcept {
  slab_.FreeNow(ended_[seat.number()].slots);
  gate_.TellIfEmpty();
}

std::optional<StuckTask> Registry::Abandon(Entry& entry, Snapshot seen, TimePoint now, bool force,
                                           std::string stack) {
  // What needs memory first; TryAbandon then judges whether it was read of this attempt.
  StuckTask task;
  TaskOutcome outcome(OutcomeKind::kStuck);
  try {
    task = Describe(entry, now, std::move(stack));
    outcome = TaskOutcome(OutcomeKind::kStuck, "grace passed and the body still runs");
    outcome.set_stuck(
        {.running_for = task.running_for, .thread = task.thread, .stack = task.stack});
  } catch (const std::bad_alloc&) {  // it comes all the same, with less to say
    task.id = entry.Id();
  }
  outcome.set_attempts(entry.attempts().load(std::memory_order_acquire));
  outcome.set_cause(CauseOf(entry.state.Load()));  // TryAbandon wants a stop, and the first stays
  if (!entry.state.TryAbandon(seen.epoch(), force)) return std::nullopt;
  if (entry.attempt.attempt().Joins()) SayThatChildrenRun(task, outcome);
  const EventName name(entry);
  publisher_.EmitRunOf(entry, EndOf(name, outcome, publisher_.WallAt(now)));
  if (OwnRules* const own = OwnRules::Of(entry.rules); own != nullptr) {
    own->TellParent(entry, outcome);
  }
  if (entry.cell != nullptr) entry.cell->Set(std::move(outcome), /*drained=*/false);
  entry.state.Unpin();
  GoneOf(entry.slot).Notify();
  return task;
}

void Registry::PublishLast(const Entry& entry, const TaskOutcome* outcome, TimePoint now,
                           const EventDraft* before) {
  if (entry.Tells(Entry::kChild)) [[unlikely]]
    return PublishLastOfChild(entry, outcome, now, before);
  const EventName name(entry);
  const WallTime at = publisher_.WallAt(now);
  const EventDraft removed = name.Draft(EventKind::kTaskRemoved, at);
  if (outcome == nullptr) {  // its end was published when it was given up
    publisher_.EmitRun(removed);
  } else if (before == nullptr) {
    publisher_.EmitRun(EndOf(name, *outcome, at), removed);
  } else {
    publisher_.EmitRun(*before, EndOf(name, *outcome, at), removed);
  }
}

// The same, with its parent in each, whom it tells too. Not in line: the drafts of others stay in
// registers.
[[gnu::noinline]] void Registry::PublishLastOfChild(const Entry& entry, const TaskOutcome* outcome,
                                                    TimePoint now, const EventDraft* before) {
  const EventName name(entry);
  const WallTime at = publisher_.WallAt(now);
  const TaskId parent = Publisher::ParentOf(entry);
  const EventDraft removed = name.Draft(EventKind::kTaskRemoved, at);
  if (outcome == nullptr) return publisher_.EmitOneOf(removed, parent);
  const EventDraft run[] = {before != nullptr ? *before : removed, EndOf(name, *outcome, at),
                            removed};
  publisher_.EmitRunOfChild(parent, std::span(run).subspan(before != nullptr ? 0 : 1));
  const LateWake::Aside aside;
  OwnRules::Of(entry.rules)->TellParent(entry, *outcome);
}

// Not in line: most tasks pass by.
[[gnu::noinline]] void Registry::LetGoOfTheRare(Entry& entry) {
  entry.SetTold(Entry::kChild, false);
  LetGoOfNameBlock(entry);
}

void Registry::Release(Entry& entry, const Seat* seat) {
  const uint32_t slot = entry.slot;
  Children* left = nullptr;
  entry.failures = 0;
  if (const RuleSet* const rules = std::exchange(entry.rules, nullptr); rules != nullptr) {
    if (rules->kept != RuleSet::Kept::kInBook) [[unlikely]]
      left = LetGoOfRules(rules);
  }
  // Before the slot is free: see Lookup. Who waits for the release must find room, so the gate
  // comes first; the slab has slots to spare for that moment.
  entry.id.store(0, std::memory_order_release);
  // After the id: List must not show a child without its parent.
  if (entry.Tells(Entry::kChild | Entry::kLongName)) [[unlikely]]
    LetGoOfTheRare(entry);
  seat != nullptr ? gate_.LeaveAt(1 + seat->number()) : gate_.Leave(1);
  const Snapshot before = entry.state.Release();
  seat != nullptr ? slab_.FreeLater(slot, ended_[seat->number()].slots) : slab_.Free(slot);
  if (before.joined()) GoneOf(slot).Notify();
  // Last: when the parent's attempt has ended, there is room for another child.
  if (left != nullptr) [[unlikely]]
    left->Leave();
}

Registry::Gone Registry::AwaitGone(const Found& found, Clock& clock, TimePoint deadline) {
  Gone gone = Gone::kNotYet;
  AwaitUntil(clock, GoneOf(found.entry->slot), deadline, [&] {
    ActorState& state = found.entry->state;
    while (true) {
      const uint64_t id = found.entry->id.load(std::memory_order_acquire);
      const Snapshot seen = state.Load();
      if (found.entry->id.load(std::memory_order_acquire) != id) continue;
      const bool releasing = id == 0 && seen.Is(Phase::kFinishing);
      if (id != found.id.value() && !releasing) return gone = Gone::kReleased, true;
      if (seen.abandoned() && !releasing) return gone = Gone::kStuck, true;
      // The mark asks for the Notify. Set in the very state that was judged; if that
      // has moved, judge again.
      if (seen.joined() || state.Join(seen)) return false;
    }
  });
  return gone;
}

std::vector<StuckTask> Registry::StuckTasks(TimePoint now) const {
  std::vector<StuckTask> stuck;
  ForEach([&](Entry& entry, Snapshot seen) {
    if (!seen.abandoned()) return;
    StuckTask task;
    const bool held = ReadTask(entry, [&](Snapshot) { task = Describe(entry, now, {}); });
    if (held && task.id.valid()) stuck.push_back(std::move(task));
  });
  std::sort(stuck.begin(), stuck.end(), [](const StuckTask& a, const StuckTask& b) {
    return std::tie(a.name, a.id) < std::tie(b.name, b.id);
  });
  return stuck;
}

}  // namespace taskvisor::internal
