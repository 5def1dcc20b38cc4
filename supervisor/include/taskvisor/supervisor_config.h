#ifndef TASKVISOR_SUPERVISOR_CONFIG_H_
#define TASKVISOR_SUPERVISOR_CONFIG_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "taskvisor/clock.h"
#include "taskvisor/placement.h"
#include "taskvisor/subscriber.h"
#include "taskvisor/task_spec.h"

namespace taskvisor {

// What a shutdown does about bodies that still run when grace is over. Their tasks
// have the outcome Stuck in any case.
enum class OnStuck : uint8_t {
  kLeak,       // return; what the bodies may still touch is never freed
  kWait,       // report, then wait for them without a limit
  kTerminate,  // report, print who is stuck on stderr, std::terminate
};

// Uniform numbers in [0, 1) for jitter: a function of the task's name (or "task-<n>"
// with n the order at this supervisor's gate, for anonymous ones; an Add that is refused for a
// name has its n too) and of how many samples the task has drawn. Called from workers, several at
// once; must not block. An exception out of it ends the task as Panicked.
using JitterSource = std::function<double(std::string_view task, uint64_t draw)>;

// SupervisorConfig
//
// Limits of one supervisor. Every field has a default that suits a first program.
// Fixed once the supervisor is created. Supervisor::Create checks it and answers
// kInvalidArgument with the field and its range.
//
// Example:
//   taskvisor::Supervisor::Create({.workers = 8, .grace = 10s, .max_concurrent = 4});
struct SupervisorConfig {
  // Threads that run bodies; 0 = one per core this process may use: by its affinity mask, by
  // `placement`, and by the CPU quota of its control groups, rounded up. At most 256.
  size_t workers = 0;

  // On which cores, and before which other arenas of oneTBB.
  Placement placement = {};

  // How long a shutdown waits for bodies to return; also for each task that is removed
  // or cancelled alone. >= 0; 0 = ask, and report at once.
  Duration grace = std::chrono::seconds(60);

  // How long a shutdown waits for all subscribers together to empty their queues. >= 0.
  Duration subscriber_drain = std::chrono::seconds(5);

  // The grace of a supervisor that is destroyed without Shutdown. >= 0.
  Duration destroy_grace = std::chrono::seconds(1);

  // Bodies on cores at once; none = as many as workers. 1 to 2^31.
  std::optional<size_t> max_concurrent = std::nullopt;

  // Registered tasks at once. Add waits for room, TryAdd does not. In [1, 16777216].
  size_t max_tasks = size_t{1} << 20;

  // Events that a thread may have published and the fan-out not yet taken. In [1, 16777216].
  // 128 bytes each, for each thread that publishes, taken up as they are used, 32 KiB at a time; an
  // event with more than 56 bytes of name and reason takes further places. Beyond 1024 threads at a
  // time, what the others publish is lost, and counted.
  size_t bus_capacity = 1024;

  // The last events, kept in memory for DumpRecent and GraceExceeded. In [0, 65536]; 0 =
  // none. 256 bytes each.
  size_t flight_recorder_events = 256;

  OnStuck on_stuck = OnStuck::kLeak;

  // What specs inherit.
  TaskDefaults task_defaults = {};

  // None may be null.
  std::vector<std::shared_ptr<Subscriber>> subscribers = {};

  // Default: RealClock().
  std::shared_ptr<Clock> clock = nullptr;

  // Seeds the built-in jitter, so that delays can be replayed; none = a random seed.
  std::optional<uint64_t> jitter_seed = std::nullopt;
  // Replaces it.
  JitterSource jitter_source = nullptr;

  // OK, or kInvalidArgument naming the first field that is out of range.
  [[nodiscard]] absl::Status Validate() const;
};

}  // namespace taskvisor

#endif  // TASKVISOR_SUPERVISOR_CONFIG_H_
