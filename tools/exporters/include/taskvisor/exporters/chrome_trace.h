#ifndef TASKVISOR_EXPORTERS_CHROME_TRACE_H_
#define TASKVISOR_EXPORTERS_CHROME_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "taskvisor/exporters/output.h"
#include "taskvisor/subscriber.h"

namespace taskvisor::exporters {

// ChromeTrace
//
// A trace that ui.perfetto.dev and chrome://tracing show: an array of trace events, one a
// line. Each task is a row, named after it.
//
//   span     each attempt ("attempt 2"), drawn when it has ended; each announced wait
//            ("backoff"), drawn to its planned end
//   arrow    from a task's row to that of each child that it adds
//   instant  all else that happens to a task, by its label; on every row, what happens to
//            the supervisor (shutdown and its verdict, lost events, failures)
//
// The fields of the event stand under "args", as JsonLines writes them. Times count from
// the first event; "process_name" carries its wall clock time.
//
// The array is closed by Finish or the destructor. A file without its end, of a program
// that died, is still read by both viewers. An attempt whose end was lost is not drawn.
class ChromeTrace final : public Subscriber {
 public:
  static constexpr size_t kDefaultCapacity = 16384;

  // `capacity`: events that may wait to be written, about 640 bytes each.
  explicit ChromeTrace(Output output, size_t capacity = kDefaultCapacity)
      : output_(std::move(output)), capacity_(capacity) {}
  ~ChromeTrace() override;

  void OnEvent(const Event& event) override;
  [[nodiscard]] std::string_view Name() const override { return "chrome-trace"; }
  [[nodiscard]] size_t QueueCapacity() const override { return capacity_; }

  // Draws attempts that still run (stuck ones) as open, ends the array, flushes. What
  // comes later is dropped.
  // REQUIRES: no OnEvent at the same time (the supervisor is shut down).
  void Finish();

  // A write has failed; nothing was written after it. Any thread.
  [[nodiscard]] bool failed() const { return output_.failed(); }
  // Why: an errno; 0 if none has.
  [[nodiscard]] int error() const { return output_.error(); }

 private:
  struct Open {
    WallTime since;
    uint32_t attempt;
  };

  void Begin(WallTime at);
  void Row(const Event& event);
  void Arrow(const Event& event);
  void Span(const Event& event, std::string_view name, WallTime from, Duration length);
  void Instant(const Event& event);
  void Put(std::string_view json);
  [[nodiscard]] double Micros(WallTime at) const;

  Output output_;
  size_t capacity_;
  bool finished_ = false;
  std::optional<WallTime> start_;
  std::unordered_map<uint64_t, Open> open_;  // by task id
};

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_EXPORTERS_CHROME_TRACE_H_
