#include "supervisor/attempt_context.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

#include "sched/executor.h"
#include "sched/timed_wait.h"
#include "supervisor/actor.h"
#include "supervisor/async_attempt.h"
#include "supervisor/children.h"
#include "supervisor/publisher.h"
#include "supervisor/status.h"
#include "taskvisor/task_spec.h"

namespace taskvisor {
namespace internal {

AttemptContext::~AttemptContext() { delete node_.load(std::memory_order_acquire); }

void AttemptContext::TellScopes(CancelCause cause) {
  // acquire: pairs with the release in Node; the mark in the word came after it.
  AttemptNode* node = node_.load(std::memory_order_acquire);
  if (node != nullptr) node->Cancel(static_cast<uint8_t>(cause));
}

AttemptNode& AttemptContext::Node() {
  AttemptNode* node = node_.load(std::memory_order_acquire);
  if (node != nullptr) return *node;
  auto fresh = std::make_unique<AttemptNode>();
  if (!node_.compare_exchange_strong(node, fresh.get(), std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
    return *node;  // another thread of the body was first, and marks the word
  }
  node = fresh.release();
  const CancelCause cause = CauseOf(state_.MarkScoped());
  if (cause != CancelCause::kNone) node->Cancel(static_cast<uint8_t>(cause));
  return *node;
}

AttemptNode::~AttemptNode() { delete children.load(std::memory_order_acquire); }

Children& AttemptContext::MakeChildren() {
  AttemptNode& node = Node();
  Children* children = node.children.load(std::memory_order_acquire);
  if (children != nullptr) return *children;
  auto fresh = std::make_unique<Children>(*facts_.entry, state_.Load().epoch(), node);
  if (!node.children.compare_exchange_strong(children, fresh.get(), std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
    return *children;  // another thread of the body was first
  }
  return *fresh.release();
}

std::string_view AttemptContext::name() {
  std::call_once(named_, [this] {
    const bool anonymous = facts_.name == nullptr || facts_.name->empty();
    name_ = anonymous ? facts_.id.ToString() : facts_.name->ToString();
  });
  return name_;
}

AsyncAttempt* AttemptOf(TaskContext& context) { return context.attempt_->facts().async; }

void ReportThrown(const AttemptContext& attempt) {
  const AttemptContext::Facts& facts = attempt.facts();
  if (facts.entry == nullptr) throw;  // out of what is noexcept
  facts.entry->actor->publisher().EmitThrown("on_cancel", facts.id, attempt.clock().Now());
}

}  // namespace internal

void TaskContext::KeepPermit(bool keep) const {
  internal::AsyncAttempt* const async = attempt_->facts().async;
  if (async != nullptr) async->keep_permit = keep;
}

CancelCause TaskContext::Cause() const { return attempt_->Cause(); }
TaskId TaskContext::id() const { return attempt_->facts().id; }
std::string_view TaskContext::name() const { return attempt_->name(); }
uint32_t TaskContext::attempt() const { return attempt_->facts().attempt; }
TimePoint TaskContext::Now() const { return attempt_->clock().Now(); }
TimePoint TaskContext::Deadline() const { return attempt_->facts().deadline; }
const TaskError* TaskContext::LastError() const { return attempt_->facts().last_error; }

Duration TaskContext::Remaining() const {
  const TimePoint deadline = Deadline();
  if (deadline == TimePoint::max()) return Duration::max();
  return std::max(deadline - Now(), Duration::zero());
}

bool TaskContext::SleepFor(Duration duration) const {
  if (Cancelled()) return false;
  internal::CancelNode& node = attempt_->Node();
  Clock& clock = attempt_->clock();
  return !internal::AwaitUntil(clock, node.changed(),
                               internal::SaturatingAdd(clock.Now(), duration),
                               [this] { return Cancelled(); });
}

bool TaskContext::WaitFor(const Signal& signal, absl::FunctionRef<bool()> condition,
                          Duration limit) const {
  if (Cancelled()) return false;
  const auto kept = signal.changed_;  // the condition may be the end of the signal
  internal::EventCount& changed = *kept;
  const std::stop_callback wake(StopToken(), [&changed] { changed.Notify(); });
  Clock& clock = attempt_->clock();
  bool met = false;
  std::exception_ptr thrown;  // not through AwaitUntil, which is at the clock's watch
  internal::AwaitUntil(clock, changed, internal::SaturatingAdd(clock.Now(), limit), [&] {
    if (Cancelled()) return true;
    try {
      return met = condition();
    } catch (...) {
      thrown = std::current_exception();
      return true;
    }
  });
  if (thrown != nullptr) std::rethrow_exception(thrown);
  return met;
}

absl::StatusOr<WatchedTask> TaskContext::Spawn(TaskSpec spec, ChildOptions options) const {
  return internal::OrOutOfMemory([&]() -> absl::StatusOr<WatchedTask> {
    TaskWaiter waiter = spec.Watch();
    const absl::StatusOr<TaskId> id = SpawnOne(spec, options);
    if (!id.ok()) return id.status();
    return WatchedTask{*id, std::move(waiter)};
  });
}

absl::StatusOr<TaskId> TaskContext::SpawnOne(TaskSpec& spec, ChildOptions options) const {
  auto id = internal::OrOutOfMemory([&]() -> absl::StatusOr<TaskId> {
    internal::Entry* const entry = attempt_->facts().entry;
    if (entry == nullptr) return internal::NoAttempt("there is no supervisor");
    return entry->actor->Spawn(*entry, *attempt_, spec, options);
  });
  if (!id.ok()) const TaskSpec refused = std::move(spec);  // its waiters are told now: see AddOne
  return id;
}

Signal::Signal() : changed_(std::make_shared<internal::EventCount>()) {}

void Signal::Notify() const { changed_->Notify(); }

CancelScope TaskContext::Child() const {
  return CancelScope(std::make_shared<internal::CancelNode>(attempt_->Node()));
}

std::stop_token TaskContext::StopToken() const { return attempt_->Node().token(); }

CancelScope::CancelScope() : node_(std::make_shared<internal::CancelNode>()) {}

CancelCause CancelScope::Cause() const { return static_cast<CancelCause>(node_->cause()); }

bool CancelScope::Cancel(CancelCause cause) {
  const bool real = cause != CancelCause::kNone;
  return node_->Cancel(static_cast<uint8_t>(real ? cause : CancelCause::kCancelled));
}

CancelScope CancelScope::Child() const {
  return CancelScope(std::make_shared<internal::CancelNode>(*node_));
}

std::stop_token CancelScope::StopToken() const { return node_->token(); }

bool CancelScope::SleepFor(Duration duration) const {
  const std::shared_ptr<Clock> clock = internal::ClockHere();
  return !internal::AwaitUntil(*clock, node_->changed(),
                               internal::SaturatingAdd(clock->Now(), duration),
                               [this] { return Cancelled(); });
}

struct DetachedContext::State {
  explicit State(const Options& options)
      : clock(options.clock != nullptr ? options.clock : internal::ClockHere()),
        last_error(options.last_error) {
    name.SetBlock(&name_block);
    name.Set(std::string_view(options.name).substr(0, kMaxNameLength));
    // The path of a real attempt, so that the same transitions apply.
    state.Reserve();
    static_cast<void>(state.Commit());
    static_cast<void>(state.TryTake());
    static_cast<void>(state.TryBegin());
    attempt = std::make_unique<internal::AttemptContext>(
        state, *clock,
        internal::AttemptContext::Facts{
            .id = TaskId(),
            .name = &name,
            .attempt = options.attempt,
            .deadline = options.deadline,
            .last_error = last_error.has_value() ? &*last_error : nullptr});
  }

  const std::shared_ptr<Clock> clock;
  const std::optional<TaskError> last_error;
  internal::NameBlock name_block;
  internal::Name name;
  internal::ActorState state;
  std::unique_ptr<internal::AttemptContext> attempt;
};

DetachedContext::DetachedContext() : DetachedContext(Options{}) {}

DetachedContext::DetachedContext(Options options) : state_(std::make_unique<State>(options)) {
  if (options.cancelled != CancelCause::kNone) Cancel(options.cancelled);
}

DetachedContext::~DetachedContext() = default;

TaskContext& DetachedContext::context() { return state_->attempt->context(); }

void DetachedContext::Cancel(CancelCause cause) {
  if (cause == CancelCause::kNone) cause = CancelCause::kCancelled;
  internal::ActorState& state = state_->state;
  const auto stop = state.RequestStop(state.Load(), static_cast<uint8_t>(cause));
  if (stop.result != internal::StopResult::kPinned) return;
  state_->attempt->TellScopes(cause);
  state.Unpin();
}

}  // namespace taskvisor
