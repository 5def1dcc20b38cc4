#include "supervisor/own_rules.h"

#include <algorithm>
#include <new>
#include <optional>

#include "sched/timed_wait.h"
#include "supervisor/actor.h"
#include "supervisor/children.h"
#include "supervisor/line_buffer.h"

namespace taskvisor::internal {

OwnRules& OwnRulesStore::Make(const TaskDefaults& rules, bool async, TimePoint now,
                              const Parentage* parentage) {
  const std::optional<uint32_t> place = places_.Allocate();
  if (!place.has_value()) throw std::bad_alloc();  // never: see above
  OwnRules& own = places_.At(*place);
  if (own.store_ == nullptr) {  // first use; later on a firing that comes late may read it
    own.store_ = this;
    own.place_ = *place;
  }
  static_cast<TaskDefaults&>(own) = rules;
  own.async = async;
  own.kept = RuleSet::Kept::kByTask;
  own.deadline_at =
      rules.deadline.has_value() ? SaturatingAdd(now, *rules.deadline) : TimePoint::max();
  own.timed_ = rules.deadline.has_value();
  if (parentage != nullptr) own.Inherit(*parentage, now);
  return own;
}

std::unordered_map<uint64_t, TaskId> OwnRulesStore::Parents() const {
  std::unordered_map<uint64_t, TaskId> parents;
  const uint32_t used = places_.used();
  for (uint32_t place = 0; place < used; ++place) {
    const OwnRules* const own = places_.Find(place);
    if (own == nullptr) continue;  // being made
    // acquire: pairs with the releases in Enlist and GiveBack
    const uint64_t id = own->listed_.load(std::memory_order_acquire);
    if (id == 0) continue;
    const TaskId parent = own->child.Parent();
    if (own->listed_.load(std::memory_order_acquire) == id) parents[id] = parent;
  }
  return parents;
}

void OwnRules::Inherit(const Parentage& parentage, TimePoint now) {
  child.of = &parentage.children;
  child.SetParent(parentage.children.parent());
  child.on_failure = parentage.on_failure;
  child.depth = parentage.children.depth();
  if (deadline_at < parentage.deadline || parentage.deadline == TimePoint::max()) return;
  timed_ = false;
  deadline_at = parentage.deadline;
  TaskDefaults::deadline = std::max(deadline_at - now, Duration::zero());
}

void OwnRules::Enlist(Entry& entry) {
  if (child.of == nullptr) return;
  child.id = entry.Id();
  listed_.store(child.id.value(), std::memory_order_release);  // pairs with the acquires in Parents
  if (child.of->group().Enlist(child)) return;
  static_cast<void>(
      entry.state.RequestStop(entry.state.Load(), static_cast<uint8_t>(child.of->cause())));
}

void OwnRules::TellParent(const Entry& entry, const TaskOutcome& outcome) {
  if (child.of == nullptr || child.on_failure == OnChildFailure::kIgnore) return;
  const OutcomeKind kind = outcome.kind();
  if (kind == OutcomeKind::kCompleted || kind == OutcomeKind::kCancelled) return;
  LineBuffer name;  // there may be no memory, and its siblings are to be told
  Name::Buffer buffer;
  if (const Name* const own = entry.name(); own != nullptr) {
    name.Text({buffer.data(), own->CopyTo(buffer)});
  } else {
    name.Text("task-").Decimal(entry.Id().value());
  }
  child.of->Fail(name.view(), outcome);
}

void OwnRules::Arm(TaskId id) {
  if (!timed_) return;
  // relaxed: published with the timer.
  slot_.store(id.slot(), std::memory_order_relaxed);
  store_->timers_.Arm(*this, deadline_at, id.value());
}

void OwnRules::DropRetryRule() { retry = nullptr; }

Children* OwnRules::GiveBack() {
  if (timed_) static_cast<void>(store_->timers_.Cancel(*this));
  DropRetryRule();
  // One that was never enlisted has not come: who has counted it takes that back.
  Children* const left = child.id.valid() ? child.of : nullptr;
  if (left != nullptr) {
    left->group().Delist(child);
    listed_.store(0, std::memory_order_release);
  }
  child.of = nullptr;
  child.id = {};
  child.depth = 0;
  store_->places_.Free(place_);
  return left;
}

void OwnRules::OnFire(Timer& timer, uint64_t tag) {
  OwnRules& own = static_cast<OwnRules&>(timer);
  // relaxed: this task's, by the timer's hand-over, or a later one's, which the id refuses.
  const TaskId id(tag, own.slot_.load(std::memory_order_relaxed));
  static_cast<void>(own.store_->actor_.StopById(id, CancelCause::kDeadline));
}

}  // namespace taskvisor::internal
