#ifndef TASKVISOR_EXPORTERS_LINE_LOGGER_H_
#define TASKVISOR_EXPORTERS_LINE_LOGGER_H_

#include <cstddef>
#include <cstdio>
#include <string_view>
#include <utility>

#include "taskvisor/exporters/output.h"
#include "taskvisor/subscriber.h"

namespace taskvisor::exporters {

// LineLogger
//
// One line of text per event, for people:
//
//   2025-01-31T12:00:00.000000001Z #12 task_failed task=flaky id=3 ... reason=not yet
//
// Always one line, flushed: control characters in names and reasons are written as \n,
// \r, \t or \xHH, and a backslash as \\. Other bytes pass as they are.
//
// Example:
//   auto log = std::make_shared<taskvisor::exporters::LineLogger>(stderr);
//   auto supervisor = taskvisor::Supervisor::Create({.subscribers = {log}});
class LineLogger final : public Subscriber {
 public:
  explicit LineLogger(Output output = stderr, EventMask interests = EventMask::All())
      : output_(std::move(output)), interests_(interests) {}

  void OnEvent(const Event& event) override;
  [[nodiscard]] std::string_view Name() const override { return "line-logger"; }
  [[nodiscard]] size_t QueueCapacity() const override { return 4096; }
  [[nodiscard]] EventMask Interests() const override { return interests_; }

  // A write has failed; nothing was written after it. Any thread.
  [[nodiscard]] bool failed() const { return output_.failed(); }
  // Why: an errno; 0 if none has.
  [[nodiscard]] int error() const { return output_.error(); }

 private:
  Output output_;
  EventMask interests_;
};

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_EXPORTERS_LINE_LOGGER_H_
