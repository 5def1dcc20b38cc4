#include "supervisor/own_rules.h"

#include <new>
#include <optional>

#include "sched/timed_wait.h"
#include "supervisor/actor.h"

namespace taskvisor::internal {

OwnRules& OwnRulesStore::Make(const TaskDefaults& rules, bool async, TimePoint now) {
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
  return own;
}

void OwnRules::Arm(TaskId id) {
  if (deadline_at == TimePoint::max()) return;
  // relaxed: published with the timer.
  slot_.store(id.slot(), std::memory_order_relaxed);
  store_->timers_.Arm(*this, deadline_at, id.value());
}

void OwnRules::DropRetryRule() { retry = nullptr; }

void OwnRules::GiveBack() {
  if (deadline_at != TimePoint::max()) static_cast<void>(store_->timers_.Cancel(*this));
  DropRetryRule();
  store_->places_.Free(place_);
}

void OwnRules::OnFire(Timer& timer, uint64_t tag) {
  OwnRules& own = static_cast<OwnRules&>(timer);
  // relaxed: this task's, by the timer's hand-over, or a later one's, which the id refuses.
  const TaskId id(tag, own.slot_.load(std::memory_order_relaxed));
  static_cast<void>(own.store_->actor_.StopById(id, CancelCause::kDeadline));
}

}  // namespace taskvisor::internal
