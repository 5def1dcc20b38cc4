#ifndef TASKVISOR_TESTS_CONTRACT_SHUTDOWN_HOOKS_H_
#define TASKVISOR_TESTS_CONTRACT_SHUTDOWN_HOOKS_H_

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "supervisor/hooks.h"
#include "supervisor/status.h"

namespace taskvisor::testing {

// The phases of a shutdown, in order.
inline const std::vector<std::string> kPhases = {"close",       "announce", "cancel",   "drain",
                                                 "abandon",     "verdict",  "on_stuck", "pool",
                                                 "subscribers", "timers"};

// Calls hook at the start of each phase.
inline internal::Hooks OnPhase(std::function<void(std::string_view phase)> hook) {
  internal::Hooks hooks;
  hooks.on_shutdown_phase = std::move(hook);
  return hooks;
}

// Signal handlers cannot be installed.
inline internal::Hooks SignalsFailWith(const std::string& why) {
  internal::Hooks hooks;
  hooks.signal_setup = [why] { return internal::SignalSetupFailed(why); };
  return hooks;
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_SHUTDOWN_HOOKS_H_
