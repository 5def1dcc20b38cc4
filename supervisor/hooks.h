#ifndef TASKVISOR_SUPERVISOR_HOOKS_H_
#define TASKVISOR_SUPERVISOR_HOOKS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "taskvisor/event.h"

namespace taskvisor::internal {

class Executor;

// Places where a test stands in for a failure that cannot be brought about from
// outside, or for threads. All empty in production.
struct Hooks {
  // On the fan-out thread, for each event; may throw.
  std::function<void(const Event&)> on_observe;
  // At the start of each phase of a shutdown; may throw.
  std::function<void(std::string_view phase)> on_shutdown_phase;
  // Instead of installing signal handlers.
  std::function<absl::Status()> signal_setup;
  // As if so many threads, those that publish first, were all that the bus has lanes for.
  // 0: the bus's own limit.
  uint32_t bus_threads = 0;
  // Runs everything, in the place of threads.
  std::shared_ptr<Executor> executor = nullptr;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_HOOKS_H_
