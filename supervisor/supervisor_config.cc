#include "taskvisor/supervisor_config.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sched/cores.h"
#include "supervisor/status.h"
#include "supervisor/text.h"

namespace taskvisor {
namespace {

// What oneTBB gives a process at most, however many are asked for, unless it has more
// than 64 cores (it then gives 4 for each).
constexpr size_t kMaxWorkers = 256;
constexpr size_t kMaxSlots = size_t{1} << 24;
constexpr size_t kMaxRecorded = 65536;

using internal::InvalidConfig;

absl::Status NotNegative(std::string_view field, Duration value) {
  if (value >= Duration::zero()) return absl::OkStatus();
  return InvalidConfig(std::string(field) + ": must not be negative; it is " +
                       internal::ToText(value));
}

absl::Status InRange(std::string_view field, size_t value, size_t low, size_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return InvalidConfig(std::string(field) +
                       absl::StrCat(": ", value, " is not in [", low, ", ", high, "]"));
}

absl::Status CheckPriority(std::string_view field, Priority priority) {
  if (priority <= Priority::kLow) return absl::OkStatus();
  return InvalidConfig(std::string(field) + ": not a Priority");
}

absl::Status CheckDefaults(const TaskDefaults& defaults) {
  if (defaults.max_retries == std::optional<uint32_t>(0)) {
    return InvalidConfig("task_defaults.max_retries: must be at least 1; none is unlimited");
  }
  if (auto status = NotNegative("task_defaults.timeout", defaults.timeout.value_or(Duration(0)));
      !status.ok()) {
    return status;
  }
  if (defaults.heartbeat.value_or(Duration(1)) <= Duration(0)) {
    return InvalidConfig("task_defaults.heartbeat: must be above 0; none is not watched");
  }
  if (auto status = CheckPriority("task_defaults.priority", defaults.priority); !status.ok()) {
    return status;
  }
  if (defaults.deadline.value_or(Duration(1)) <= Duration(0)) {
    return InvalidConfig("task_defaults.deadline: must be above 0; none is no deadline");
  }
  return NotNegative("task_defaults.restart.interval", defaults.restart.interval());
}

absl::Status OneOf(std::string_view field, std::optional<int> value, std::vector<int> (*known)()) {
  if (!value.has_value()) return absl::OkStatus();
  const std::vector<int> values = known();
  if (std::find(values.begin(), values.end(), *value) != values.end()) return absl::OkStatus();
  return InvalidConfig(std::string(field) +
                       (values.empty() ? ": oneTBB knows of none; its tbbbind library is missing"
                                       : absl::StrCat(": there is no ", *value, "; there is ",
                                                      absl::StrJoin(values, ", "))));
}

absl::Status CheckPlacement(const Placement& placement) {
  const absl::Status checks[] = {
      OneOf("placement.numa_node", placement.numa_node, &internal::NumaNodes),
      OneOf("placement.core_type", placement.core_type, &internal::CoreTypes),
  };
  for (const absl::Status& check : checks) {
    if (!check.ok()) return check;
  }
  if (!placement.max_threads_per_core.has_value()) return absl::OkStatus();
  if (*placement.max_threads_per_core < 1) {
    return InvalidConfig(absl::StrCat(
        "placement.max_threads_per_core: ", *placement.max_threads_per_core, "; at least 1"));
  }
  return internal::NumaNodes().empty() ? InvalidConfig(
                                             "placement.max_threads_per_core: needs oneTBB's "
                                             "tbbbind library, which is missing")
                                       : absl::OkStatus();
}

}  // namespace

absl::Status SupervisorConfig::Validate() const {
  const absl::Status checks[] = {
      InRange("workers", workers, 0, kMaxWorkers),
      CheckPriority("placement.priority", placement.priority),
      CheckPlacement(placement),
      NotNegative("grace", grace),
      NotNegative("subscriber_drain", subscriber_drain),
      NotNegative("destroy_grace", destroy_grace),
      InRange("max_concurrent", max_concurrent.value_or(1), 1, size_t{1} << 31),
      InRange("max_tasks", max_tasks, 1, kMaxSlots),
      InRange("bus_capacity", bus_capacity, 1, kMaxSlots),
      InRange("flight_recorder_events", flight_recorder_events, 0, kMaxRecorded),
      CheckDefaults(task_defaults),
  };
  for (const absl::Status& check : checks) {
    if (!check.ok()) return check;
  }
  for (const auto& subscriber : subscribers) {
    if (subscriber == nullptr) return InvalidConfig("subscribers: must not hold a null pointer");
  }
  return absl::OkStatus();
}

}  // namespace taskvisor
