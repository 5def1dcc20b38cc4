#ifndef TASKVISOR_EXPORTERS_PROMETHEUS_H_
#define TASKVISOR_EXPORTERS_PROMETHEUS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "taskvisor/subscriber.h"

namespace taskvisor::exporters {

// Prometheus
//
// Counts events, and renders the counts in the Prometheus text format (version 0.0.4).
// Serving the text, over HTTP or as a textfile, is the program's part.
//
//   taskvisor_events_total{kind}            events received, by their label
//   taskvisor_task_outcomes_total{outcome}  tasks that ended, by how (refused ones too)
//   taskvisor_attempts_started_total        attempts begun
//   taskvisor_attempts_total{result}        attempts ended: success, cancelled, failed
//   taskvisor_attempt_seconds_total         time spent in them
//   taskvisor_attempt_wait_seconds_total    time that they waited for a worker or a permit
//   taskvisor_attempt_overrun_seconds_total time that they ran on after their deadlines
//   taskvisor_attempt_cpu_seconds_total     time on cores of those that measure it
//   taskvisor_timeouts_total                deadlines passed
//   taskvisor_retries_total                 retries scheduled
//   taskvisor_missed_events_total           events that never reached this exporter: gaps
//                                           in the sequence
//   taskvisor_lost_events_total{subscriber} losses that were reported, by who missed them
//
// Events are best effort, so all these are lower bounds, and taskvisor_missed_events_total
// says how far off they may be. There are no gauges: a lost event would bend one for ever;
// ask SupervisorHandle::Stats for the present.
//
// Render: any thread, any time.
class Prometheus final : public Subscriber {
 public:
  void OnEvent(const Event& event) override;
  [[nodiscard]] std::string_view Name() const override { return "prometheus"; }
  [[nodiscard]] size_t QueueCapacity() const override { return 16384; }

  [[nodiscard]] std::string Render() const;

 private:
  struct Counts {
    std::array<uint64_t, kEventKindCount> kinds{};
    std::array<uint64_t, 7> outcomes{};  // by OutcomeKind
    uint64_t succeeded = 0;
    uint64_t cancelled = 0;
    uint64_t failed = 0;
    uint64_t retries = 0;
    uint64_t received = 0;  // of those that bear a number
    uint64_t last_sequence = 0;
    Duration in_attempts{};
    Duration waiting{};
    Duration overrun{};
    Duration on_cores{};
    std::map<std::string, uint64_t, std::less<>> lost;
  };

  static void Count(const Event& event, Counts& counts);
  static void AddTimes(const Event& event, Counts& counts);

  mutable std::mutex mutex_;  // held for a few additions, or for one copy
  Counts counts_;
};

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_EXPORTERS_PROMETHEUS_H_
