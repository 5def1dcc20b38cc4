#ifndef TASKVISOR_SUPERVISOR_RUNTIME_H_
#define TASKVISOR_SUPERVISOR_RUNTIME_H_

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "supervisor/actor.h"
#include "supervisor/admission.h"
#include "supervisor/hooks.h"
#include "supervisor/publisher.h"
#include "supervisor/registry.h"
#include "supervisor/shutdown.h"
#include "supervisor/signals.h"
#include "supervisor/subscriber_set.h"
#include "supervisor/watchdog.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::internal {

// Runtime
//
// Everything inside one supervisor, wired. Shared by the Supervisor, its handles and a
// shutdown in progress; its threads run from Start to the end of the shutdown.
//
// Destroyed only when no thread of ours is left: a runtime with stuck bodies leaks
// itself (Leak), because they may return at any time and will want their entry.
class Runtime : public std::enable_shared_from_this<Runtime> {
 public:
  Runtime(SupervisorConfig config, Hooks hooks);
  ~Runtime();

  // Threads up; once, later callers wait for the first. Throws if the system has none for
  // us; nothing is started then, and the next caller tries again.
  void Start();
  [[nodiscard]] bool started() const { return started_.load(std::memory_order_acquire); }

  absl::Status Run(std::vector<TaskSpec> batch);

  // One or more specs, and as many places for their ids; `wait`: for room.
  absl::Status Add(std::span<TaskSpec> specs, TaskId* ids, bool wait);

  absl::StatusOr<bool> Remove(TaskId id);
  absl::StatusOr<bool> Remove(std::string_view name);
  // `limit`: of the wait; none = until gone or stuck.
  absl::StatusOr<bool> Cancel(TaskId id, std::optional<Duration> limit);
  absl::StatusOr<bool> Cancel(std::string_view name, std::optional<Duration> limit);

  [[nodiscard]] std::vector<TaskInfo> List() const {
    return registry_.List([this] { return admission_.Parents(); });
  }

  absl::Status ShutDownAndWait();
  // From ~Supervisor: see there.
  void Abandon();
  // Never frees this runtime.
  void Leak();

  [[nodiscard]] const SupervisorConfig& config() const { return config_; }
  [[nodiscard]] const Hooks& hooks() const { return hooks_; }
  [[nodiscard]] Clock& clock() { return *config_.clock; }
  [[nodiscard]] Pool& pool() { return pool_; }
  [[nodiscard]] TimerQueue& timers() { return timers_; }
  [[nodiscard]] SubscriberSet& subscribers() { return subscribers_; }
  [[nodiscard]] Publisher& publisher() { return publisher_; }
  [[nodiscard]] Registry& registry() { return registry_; }
  [[nodiscard]] Watchdog& watchdog() { return watchdog_; }
  [[nodiscard]] Actor& actor() { return actor_; }
  [[nodiscard]] Shutdown& shutdown() { return shutdown_; }

 private:
  void StartOwnThreads();
  // On a worker, or in user code on a thread that others wait for.
  [[nodiscard]] bool MustNotWait() const;
  absl::StatusOr<bool> RemoveFound(TaskId id, CancelCause cause);
  absl::StatusOr<bool> CancelFound(const Registry::Found& found, std::optional<Duration> limit);
  void PublishRemoveRequest(TaskId id, std::string_view name, bool cancel);

  SupervisorConfig config_;  // fixed once built; its subscribers are handed over
  const Hooks hooks_;
  std::once_flag start_once_;
  Atomic<bool> started_{false};
  Atomic<bool> run_used_{false};
  // In the order of their layers: what is below is destroyed later.
  Pool pool_;
  TimerQueue timers_;
  SubscriberSet subscribers_;
  Publisher publisher_;
  Registry registry_;
  Watchdog watchdog_;
  Actor actor_;
  Admission admission_;
  Shutdown shutdown_;
};

// A supervisor with hooks, for tests, and the inside of one.
class RuntimeAccess {
 public:
  static absl::StatusOr<Supervisor> Create(SupervisorConfig config, Hooks hooks);
  static Runtime& Of(Supervisor& supervisor) { return *supervisor.runtime_; }
  static Runtime& Of(const SupervisorHandle& handle) { return *handle.runtime_; }
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_RUNTIME_H_
