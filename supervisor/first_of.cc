#include "taskvisor/first_of.h"

#include "supervisor/several.h"
#include "supervisor/status.h"

namespace taskvisor::internal {

class FirstAwaiter::Watch : public WatchSeveral<AsyncAttempt> {
  using WatchSeveral::WatchSeveral;
};

FirstAwaiter::FirstAwaiter(AsyncAttempt& the_attempt, FirstOf of)
    : Leaf(the_attempt),
      of_(std::move(of)),
      each_(Each(of_.waiters())),
      refused_(CheckSeveral(each_)) {}

FirstAwaiter::~FirstAwaiter() = default;

// The outcomes first, as for one: see OutcomeAwaiter.
bool FirstAwaiter::Ready() {
  const bool there = !refused_.ok() || FirstReady(each_) < each_.size();
  return there && CauseAt(attempt) == CancelCause::kNone;
}

bool FirstAwaiter::await_ready() {
  if (!refused_.ok() || FirstReady(each_) < each_.size()) return true;
  for (const TaskWaiter* waiter : each_) {
    if (!WaitsForItself(attempt, *waiter)) continue;
    refused_ = NeverComes();
    return true;
  }
  return false;
}

void FirstAwaiter::await_suspend(std::coroutine_handle<> point) {
  watch_ = std::make_unique<Watch>(each_, attempt, [](AsyncAttempt& told) { WakeUp(told); });
  SuspendAt(attempt, *this, point);
}

absl::StatusOr<size_t> FirstAwaiter::await_resume() {
  if (!refused_.ok()) return refused_;
  return FirstReady(each_);
}

}  // namespace taskvisor::internal
