#ifndef TASKVISOR_TYPED_SPEC_H_
#define TASKVISOR_TYPED_SPEC_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "taskvisor/task_spec.h"
#include "taskvisor/waiter.h"

namespace taskvisor {

// TypedSpec<T>
//
// A TaskSpec whose body returns a T: all that a TaskSpec is and takes, and its waiter is a
// Waiter<T>. Where a TaskSpec is wanted it can be moved into one; its value is then for those
// who watched it before.
template <class T>
class TypedSpec : public TaskSpec {
 public:
  // A waiter for this task's outcome and value: see TaskSpec::Watch.
  [[nodiscard]] Waiter<T> Watch() { return {TaskSpec::Watch(), place_}; }

  // As TaskSpec's.
  TypedSpec WithRestart(RestartPolicy restart) && {
    return Keep(std::move(*this).TaskSpec::WithRestart(restart));
  }
  TypedSpec WithBackoff(const BackoffPolicy& backoff) && {
    return Keep(std::move(*this).TaskSpec::WithBackoff(backoff));
  }
  TypedSpec WithTimeout(Duration timeout) && {
    return Keep(std::move(*this).TaskSpec::WithTimeout(timeout));
  }
  TypedSpec WithoutTimeout() && { return Keep(std::move(*this).TaskSpec::WithoutTimeout()); }
  TypedSpec WithMaxRetries(uint32_t n) && {
    return Keep(std::move(*this).TaskSpec::WithMaxRetries(n));
  }
  TypedSpec WithUnlimitedRetries() && {
    return Keep(std::move(*this).TaskSpec::WithUnlimitedRetries());
  }
  TypedSpec WithHeartbeat(Duration heartbeat) && {
    return Keep(std::move(*this).TaskSpec::WithHeartbeat(heartbeat));
  }
  TypedSpec WithoutHeartbeat() && { return Keep(std::move(*this).TaskSpec::WithoutHeartbeat()); }
  TypedSpec WithPriority(Priority priority) && {
    return Keep(std::move(*this).TaskSpec::WithPriority(priority));
  }
  TypedSpec WithCpuTime() && { return Keep(std::move(*this).TaskSpec::WithCpuTime()); }
  TypedSpec WithoutCpuTime() && { return Keep(std::move(*this).TaskSpec::WithoutCpuTime()); }
  TypedSpec WithDeadline(Duration deadline) && {
    return Keep(std::move(*this).TaskSpec::WithDeadline(deadline));
  }
  TypedSpec WithoutDeadline() && { return Keep(std::move(*this).TaskSpec::WithoutDeadline()); }
  TypedSpec WithRetryIf(internal::RetryRule predicate) && {
    return Keep(std::move(*this).TaskSpec::WithRetryIf(std::move(predicate)));
  }
  template <class... Exceptions>
  TypedSpec WithRetryOn() && {
    return Keep(std::move(*this).TaskSpec::template WithRetryOn<Exceptions...>());
  }
  template <class... Exceptions>
  TypedSpec WithFatalOn() && {
    return Keep(std::move(*this).TaskSpec::template WithFatalOn<Exceptions...>());
  }

 private:
  friend class TaskSpec;
  TypedSpec(TaskSpec spec, std::shared_ptr<internal::ValuePlace<T>> place)
      : TaskSpec(std::move(spec)), place_(std::move(place)) {}

  TypedSpec Keep(TaskSpec spec) { return {std::move(spec), std::move(place_)}; }

  std::shared_ptr<internal::ValuePlace<T>> place_;
};

template <class T>
absl::StatusOr<WatchedValue<T>> TaskContext::Spawn(TypedSpec<T> spec, ChildOptions options) const {
  Waiter<T> waiter = spec.Watch();
  absl::StatusOr<TaskId> id = SpawnOne(spec, options);
  if (!id.ok()) return id.status();
  return WatchedValue<T>{*id, std::move(waiter)};
}

}  // namespace taskvisor

#endif  // TASKVISOR_TYPED_SPEC_H_
