#include "taskvisor/awaiters.h"

#include <stdexcept>

#include "sched/executor.h"
#include "sched/timed_wait.h"
#include "supervisor/async_attempt.h"
#include "supervisor/outcome_cell.h"
#include "supervisor/status.h"
#include "supervisor/waiter_access.h"
#include "supervisor/wake_list.h"
#include "taskvisor/async.h"
#include "taskvisor/completion.h"

namespace taskvisor::internal {

void SuspendAt(AsyncAttempt& attempt, Leaf& leaf, std::coroutine_handle<> point) {
  attempt.WaitAt(leaf, point);
}
void WakeUp(AsyncAttempt& attempt) { attempt.Wake(); }
CancelCause CauseAt(const AsyncAttempt& attempt) { return attempt.Cause(); }
bool PassesYield(const AsyncAttempt& attempt) {
  if (attempt.Cause() == CancelCause::kNone) return false;
  if (Waits* const here = Waits::Here(); here != nullptr) here->GiveWay();
  return true;
}
void GoOnWith(AsyncAttempt& attempt, std::coroutine_handle<> point) noexcept {
  attempt.GoOnWith(point);
}
void Enter(AsyncAttempt& attempt, Catcher& catcher) { attempt.Enter(catcher); }
void Leave(AsyncAttempt& attempt, Catcher& catcher) { attempt.Leave(catcher); }
void ThrowNoSupervisor() {
  throw std::logic_error(
      "a coroutine body waits without a supervisor: to test it, run it in a testing::Simulation");
}
void ThrowEmptyAsync() {
  throw std::logic_error("an Async is awaited that is empty: it was awaited, or moved, before");
}
void Adopt(AsyncAttempt& attempt, std::coroutine_handle<> root, Harvest harvest, void* place) {
  attempt.Adopt(root, harvest, place);
}

SleepAwaiter::SleepAwaiter(AsyncAttempt& the_attempt, SleepFor sleep)
    : Leaf(the_attempt), until_(SaturatingAdd(the_attempt.clock().Now(), sleep.duration)) {
  heeds_cancel = true;
}

SleepAwaiter::~SleepAwaiter() {
  if (armed_) attempt.SleepNoMore();
}

bool SleepAwaiter::IsOver() const { return attempt.clock().Now() >= until_; }

void SleepAwaiter::await_suspend(std::coroutine_handle<> point) {
  if (until_ != TimePoint::max()) {
    attempt.SleepUntil(until_);
    armed_ = true;
  }
  SuspendAt(attempt, *this, point);
}

bool WaitsForItself(const AsyncAttempt& attempt, const TaskWaiter& waiter) {
  return attempt.EndsBefore(waiter.id());
}

absl::Status NeverComes() {
  return Error(absl::StatusCode::kFailedPrecondition, "runtime_would_deadlock",
               "a body awaits its own task, or one whose child it is: that ends after it");
}

OutcomeAwaiter::OutcomeAwaiter(AsyncAttempt& the_attempt, TaskWaiter waiter)
    : ListedLeaf(the_attempt), waiter_(std::move(waiter)) {}

OutcomeAwaiter::~OutcomeAwaiter() {
  if (watching_) WaiterAccess::CellOf(waiter_)->Unwatch(*this);
}

bool OutcomeAwaiter::await_ready() {
  if (waiter_.Ready()) return true;
  return itself_ = WaitsForItself(attempt, waiter_);
}

absl::StatusOr<TaskOutcome> OutcomeAwaiter::await_resume() {
  if (itself_) return NeverComes();
  return waiter_.Wait();
}

void OutcomeAwaiter::await_suspend(std::coroutine_handle<> point) {
  // If the outcome has come meanwhile the worker finds it in its next look.
  static_cast<void>(WaiterAccess::CellOf(waiter_)->Watch(*this));
  watching_ = true;
  SuspendAt(attempt, *this, point);
}

namespace {

// Public headers have std::atomic where the library has Atomic: the same, or (where threads are
// stopped at each access) one derived from it that adds nothing but the stops.
WakeList ListAt(std::atomic<uint64_t>& word) {
  return WakeList(static_cast<Atomic<uint64_t>&>(word));
}

}  // namespace

bool CompletionCore::Add(WakeNode& node) { return ListAt(waiters_).Add(node); }
void CompletionCore::Remove(WakeNode& node) { ListAt(waiters_).Remove(node); }
void CompletionCore::Finish() { ListAt(waiters_).WakeAll(); }
bool CompletionCore::finished() const {
  return ListAt(const_cast<std::atomic<uint64_t>&>(waiters_)).over();
}

}  // namespace taskvisor::internal
