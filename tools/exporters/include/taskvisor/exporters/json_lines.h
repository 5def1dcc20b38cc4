#ifndef TASKVISOR_EXPORTERS_JSON_LINES_H_
#define TASKVISOR_EXPORTERS_JSON_LINES_H_

#include <cstddef>
#include <string_view>
#include <utility>

#include "taskvisor/exporters/output.h"
#include "taskvisor/subscriber.h"

namespace taskvisor::exporters {

// JsonLines
//
// One JSON object per event, one per line, valid UTF-8, for programs:
//
//   {"sequence":12,"at":"2025-01-31T12:00:00.000000001Z","kind":"task_failed","id":3,
//    "task":"flaky","attempt":1,"duration_ns":1500,"reason":"not yet"}     (on one line)
//
//   always    sequence, at, kind (the stable label)
//   if set    id, parent_id, task, slot, attempt, duration_ns, delay_ns, timeout_ns,
//             overrun_ns, queue_wait_ns, cpu_time_ns, grace_ns, thread, exit_code,
//             backoff_source, outcome_kind, rejection_kind, cause, count, reason
//
// Durations are exact, in nanoseconds; kinds and causes are their stable labels.
//
// Names and reasons are byte strings. One that is not UTF-8 shows U+FFFD for what cannot
// be read, and is there once more in full, in hexadecimal: "task_hex", "slot_hex",
// "reason_hex".
//
// Buffered like its output; Flush and the destructor write it out. Not flushed per event.
class JsonLines final : public Subscriber {
 public:
  static constexpr size_t kDefaultCapacity = 16384;

  // `capacity`: events that may wait to be written, about 640 bytes each.
  explicit JsonLines(Output output, size_t capacity = kDefaultCapacity)
      : output_(std::move(output)), capacity_(capacity) {}
  ~JsonLines() override { output_.Flush(); }

  void OnEvent(const Event& event) override;
  [[nodiscard]] std::string_view Name() const override { return "json-lines"; }
  [[nodiscard]] size_t QueueCapacity() const override { return capacity_; }

  // REQUIRES: no OnEvent at the same time (the supervisor is shut down).
  void Flush() { output_.Flush(); }

  // A write has failed; nothing was written after it. Any thread.
  [[nodiscard]] bool failed() const { return output_.failed(); }
  // Why: an errno; 0 if none has.
  [[nodiscard]] int error() const { return output_.error(); }

 private:
  Output output_;
  size_t capacity_;
};

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_EXPORTERS_JSON_LINES_H_
