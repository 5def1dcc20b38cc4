#include "supervisor/async_attempt.h"

#include <utility>

#include "sched/timed_wait.h"
#include "sched/timer_queue.h"
#include "supervisor/actor.h"
#include "supervisor/children.h"
#include "supervisor/own_rules.h"

namespace taskvisor::internal {

void AsyncAttempt::Open(Entry& entry, Clock& clock, TimerQueue& timers,
                        const AttemptContext::Facts& facts, Seat& seat) {
  running_.emplace(entry.state, clock, facts, seat);
  entry_.store(&entry, std::memory_order_relaxed);
  timers_ = &timers;
  permit = true;  // so it was taken
  keep_permit = false;
}

void AsyncAttempt::TakeOver(Entry& entry, Clock& clock, TimerQueue& timers,
                            const AttemptContext& from, Seat& seat) {
  Open(entry, clock, timers, from.facts(), seat);
  running_->context.Share(from);
  entry.attempt.Move(*running_);
}

bool AsyncAttempt::Cancelled() const { return (entry().state.Load().word & kCancelledMask) != 0; }

bool AsyncAttempt::OnlyToDie() const {
  return Cancelled() && !leaf_->heeds_cancel && catcher_ == nullptr && !leaf_->Ready();
}

bool AsyncAttempt::EndsBefore(TaskId task) const {
  if (!task.valid()) return false;
  if (entry().Id() == task) return true;
  const Children* above = OwnRules::GroupOf(entry().rules);
  while (above != nullptr && above->parent() != task) above = above->above();
  return above != nullptr;
}

std::optional<AsyncAttempt::Rest> AsyncAttempt::GoOn(TaskResult& result) {
  if (said_.has_value()) result = *std::exchange(said_, std::nullopt);
  while (root_) {  // none: the body threw before it had a frame, or it was destroyed
    if (leaf_ != nullptr) {
      // The leaf first: it says what counts if it and the cancellation have come.
      const bool ready = leaf_->Ready();
      const bool cancelled = !ready && Cancelled();
      if (!ready && !cancelled) {
        return std::exchange(leaf_->yields, false) ? Rest::kYields : Rest::kWaits;
      }
      if (cancelled && !leaf_->heeds_cancel) {
        if (catcher_ == nullptr) {
          Destroy();
          result = taskvisor::Cancelled();
          break;
        }
        catcher_->cut = true;
        point_ = catcher_->point;
      }
      leaf_ = nullptr;
    }
    std::exchange(point_, nullptr).resume();
    if (root_.done()) {
      result = Guarded([this] { return harvest_(root_, place_); });
      Destroy();
    }
  }
  Children* const children = running_->context.children();
  if (children == nullptr) return std::nullopt;
  if (!children->group().Join()) {
    said_ = std::move(result);
    return Rest::kJoins;
  }
  children->Judge(result);
  return std::nullopt;
}

void AsyncAttempt::Destroy() {
  std::exchange(root_, nullptr).destroy();
  leaf_ = nullptr;
  catcher_ = nullptr;
}

void AsyncAttempt::Wake() {
  Entry& entry = *entry_.load(std::memory_order_relaxed);
  // The frame whose leaf wakes it exists, so this is its attempt.
  entry.actor->Wake(entry, entry.state.Load().epoch());
}

void AsyncAttempt::SleepUntil(TimePoint until) {
  timers_->Arm(*this, until, entry().state.Load().epoch());
}

void AsyncAttempt::SleepNoMore() { static_cast<void>(timers_->Cancel(*this)); }

// It may be late: then the entry may be another's, but that had to be in its attempt of the same
// epoch, and would look once for nothing.
void AsyncAttempt::OnFire(Timer& timer, uint64_t epoch) {
  // relaxed: an entry lives as long as the supervisor; what matters is in its word.
  Entry* const entry = static_cast<AsyncAttempt&>(timer).entry_.load(std::memory_order_relaxed);
  entry->actor->Wake(*entry, epoch);
}

}  // namespace taskvisor::internal
