#ifndef TASKVISOR_SUPERVISOR_H_
#define TASKVISOR_SUPERVISOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskvisor/errors.h"
#include "taskvisor/supervisor_config.h"
#include "taskvisor/task_spec.h"

namespace taskvisor {

namespace internal {
class Runtime;
class RuntimeAccess;
}  // namespace internal

// Where a registered task is.
enum class TaskPhase : uint8_t {
  kQueued,     // ready, waits for a worker
  kWaiting,    // waits for a permit (max_concurrent)
  kRunning,    // its body is on a core
  kDelaying,   // waits for its backoff or interval
  kStopping,   // asked to stop (not: timed out), its body has not returned
  kStuck,      // given up after grace; its body has not returned
  kSuspended,  // a coroutine body that waits, or a body that is over and has children: on no core
};
[[nodiscard]] std::string_view Label(TaskPhase phase);

struct TaskInfo {
  TaskId id;
  std::string name;  // or "task-<id>"
  TaskPhase phase = TaskPhase::kQueued;
  uint32_t attempt = 0;  // the current or last one; 0 = none yet
  TaskId parent = {};    // whose child it is; not valid(): nobody's
};

struct SupervisorStats {
  uint64_t tasks = 0;             // registered now, stuck ones included
  uint64_t events_published = 0;  // through the fan-out
  uint64_t events_lost = 0;       // in the bus, before the fan-out
  // Free permits; negative: parked tasks, also ones that have left meanwhile. Nothing
  // without max_concurrent.
  std::optional<int64_t> permits;
  size_t workers = 0;  // threads that run bodies: what SupervisorConfig::workers came to
};

// Who ended, or is ending, a supervisor.
struct ShutdownTrigger {
  enum class Kind : uint8_t { kNatural, kExplicit, kSignal, kDestroyed };
  Kind kind = Kind::kNatural;
  int signal = 0;  // kSignal only
};

// SupervisorHandle
//
// Talks to a running supervisor. Cheap to copy; any thread, also from bodies and
// subscribers; may outlive the supervisor, and then answers kUnavailable.
//
// Non-blocking calls (TryAdd, Remove, List, ...) take effect on the calling thread at
// one atomic step, in program order. Blocking calls (Add on a full supervisor, Cancel,
// Shutdown) answer kFailedPrecondition ("runtime_would_deadlock") on a worker of the
// same supervisor instead of waiting for themselves.
class SupervisorHandle {
 public:
  // Registers a task; it starts as soon as a worker is free. Success: registered and
  // indexed, not yet started. Waits while `max_tasks` are registered.
  // Errors: kInvalidArgument, kAlreadyExists, kUnavailable, kFailedPrecondition;
  // kResourceExhausted without memory for it: then nothing has changed.
  absl::StatusOr<TaskId> Add(TaskSpec spec) const;
  // The same, but kResourceExhausted at once where Add would wait; publishes nothing then.
  absl::StatusOr<TaskId> TryAdd(TaskSpec spec) const;
  // With a waiter for the outcome.
  absl::StatusOr<WatchedTask> AddAndWatch(TaskSpec spec) const;
  absl::StatusOr<WatchedTask> TryAddAndWatch(TaskSpec spec) const;
  // The same for a body that returns a value.
  template <class T>
  absl::StatusOr<WatchedValue<T>> AddAndWatch(TypedSpec<T> spec) const {
    return Watched(std::move(spec), &SupervisorHandle::Add);
  }
  template <class T>
  absl::StatusOr<WatchedValue<T>> TryAddAndWatch(TypedSpec<T> spec) const {
    return Watched(std::move(spec), &SupervisorHandle::TryAdd);
  }

  // All or none: one name taken, and nothing is registered. No body starts before every
  // TaskAdded of the batch is published. Ids in the order of the specs. Does not wait
  // for room (kResourceExhausted). Errors as Add, and kInvalidArgument if empty.
  absl::StatusOr<std::vector<TaskId>> AddBatch(std::vector<TaskSpec> specs) const;

  // Asks a task to stop: true for the one caller whose request it is; false if the task
  // is unknown, has finished, or was asked before. Does not wait.
  // Errors: kUnavailable.
  absl::StatusOr<bool> Remove(TaskId id) const;
  absl::StatusOr<bool> RemoveByName(std::string_view name) const;

  // The same, and waits until the body has returned and the name is free (callers who
  // lost the race wait too, and get false). A body that does not return within grace:
  // kDeadlineExceeded ("runtime_task_termination_timeout"), outcome Stuck; the name
  // stays taken until it returns.
  absl::StatusOr<bool> Cancel(TaskId id) const;
  absl::StatusOr<bool> CancelByName(std::string_view name) const;
  // The same with a limit of its own on the wait; the stop goes on after it.
  absl::StatusOr<bool> CancelWithTimeout(TaskId id, Duration limit) const;
  absl::StatusOr<bool> CancelByNameWithTimeout(std::string_view name, Duration limit) const;

  // The registered tasks, sorted by id; reliable. O(tasks).
  [[nodiscard]] std::vector<TaskInfo> List() const;

  // Names of tasks whose body runs, as far as events tell: best effort, sorted. Without subscribers
  // events are read late: these two, Stats and DumpRecent then wait until what was published before
  // is read, some 100 us, and 20 ms at most; not if there is nothing new.
  [[nodiscard]] std::vector<std::string> AliveSnapshot() const;
  [[nodiscard]] bool IsAlive(std::string_view name) const;

  // Writes the last events (SupervisorConfig::flight_recorder_events) to `fd`, a line
  // each, oldest first; the last ones published may not have arrived yet (but see
  // AliveSnapshot). Also after the shutdown. Async-signal-safe as long as this handle is alive. See
  // InstallCrashDump.
  void DumpRecent(int fd) const noexcept;

  [[nodiscard]] SupervisorStats Stats() const;
  [[nodiscard]] std::vector<taskvisor::SubscriberStats> SubscriberStats() const;

  // Stops everything: no more adds, every task is asked to stop, waits for the
  // configured grace at most, then reports. One operation, however many callers: all
  // get the first one's result, also later. Returns by grace + subscriber_drain + a
  // bound of 300 ms, whatever the bodies do (but see OnStuck).
  //   OK                  all stopped within grace
  //   kDeadlineExceeded   see GraceExceeded
  //   kUnavailable        a part of the shutdown itself failed
  absl::Status Shutdown() const;
  // Starts it and returns. Any thread, workers too.
  void RequestShutdown() const;

  // Who began the shutdown, if it began.
  [[nodiscard]] std::optional<ShutdownTrigger> shutdown_trigger() const;

 private:
  friend class internal::RuntimeAccess;
  friend class Supervisor;
  explicit SupervisorHandle(std::shared_ptr<internal::Runtime> runtime)
      : runtime_(std::move(runtime)) {}

  template <class T>
  absl::StatusOr<WatchedValue<T>> Watched(TypedSpec<T> spec,
                                          absl::StatusOr<TaskId> (SupervisorHandle::*add)(TaskSpec)
                                              const) const {
    Waiter<T> waiter = spec.Watch();
    absl::StatusOr<TaskId> id = (this->*add)(std::move(spec));
    if (!id.ok()) return id.status();
    return WatchedValue<T>{*id, std::move(waiter)};
  }

  std::shared_ptr<internal::Runtime> runtime_;
};

// Supervisor
//
// Owns a set of supervised tasks and the threads that run them. Move-only.
//
// Destroying one that was not shut down closes it, asks every task to stop, and waits
// `destroy_grace` at most; bodies that are still running then keep what they may touch
// alive for ever, and a line on stderr says so. On one of its own workers (the last
// owner dies in a body) it does not wait at all. It never deadlocks.
//
// Example:
//   auto supervisor = taskvisor::Supervisor::Create();
//   absl::Status status = supervisor->Run(taskvisor::TaskSpec::Once("hello", [] {
//     std::puts("hello");
//   }));
class Supervisor {
 public:
  // Starts nothing yet. Errors: kInvalidArgument, see SupervisorConfig.
  [[nodiscard]] static absl::StatusOr<Supervisor> Create(SupervisorConfig config = {});

  Supervisor(Supervisor&& other) noexcept;
  Supervisor& operator=(Supervisor&& other) noexcept;
  ~Supervisor();

  // Runs a known set of tasks: adds the batch (all or nothing, see AddBatch), then
  // waits until no task is registered, a shutdown is called for, or SIGINT, SIGTERM or
  // SIGQUIT arrives (handled only while Run runs); shuts down and returns its result.
  // OK says nothing about the tasks' success: watch their outcomes. After a shutdown, or if one
  // comes first, nothing is added (waiters answer kUnavailable), and the result is the shutdown's.
  //
  // Once per supervisor: later and concurrent calls answer kFailedPrecondition
  // ("runtime_already_running"), also after a batch that was refused.
  absl::Status Run(std::vector<TaskSpec> batch);

  template <class... Specs>
  requires(sizeof...(Specs) > 0 && (std::derived_from<Specs, TaskSpec> && ...)) absl::Status
      Run(Specs... specs) {
    std::vector<TaskSpec> batch;
    batch.reserve(sizeof...(specs));
    (batch.push_back(std::move(specs)), ...);
    return Run(std::move(batch));
  }

  // Starts the threads, once, and returns when they are ready. Any number of calls. If the
  // system has no thread or no memory for them it throws what std::thread throws
  // (std::system_error, std::bad_alloc), has started nothing, and may be called again; Run
  // answers kResourceExhausted ("runtime_start_failed") then, and does not count as used.
  SupervisorHandle Serve();

  // As it was given, with defaults filled in; its subscribers have been handed over.
  [[nodiscard]] const SupervisorConfig& config() const;
  [[nodiscard]] const TaskDefaults& task_defaults() const { return config().task_defaults; }

  // See SupervisorHandle.
  absl::Status Shutdown();
  void DumpRecent(int fd) const noexcept;
  [[nodiscard]] std::optional<ShutdownTrigger> shutdown_trigger() const;

 private:
  friend class internal::RuntimeAccess;
  explicit Supervisor(std::shared_ptr<internal::Runtime> runtime) : runtime_(std::move(runtime)) {}

  std::shared_ptr<internal::Runtime> runtime_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_SUPERVISOR_H_
