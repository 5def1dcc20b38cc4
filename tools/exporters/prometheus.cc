#include "taskvisor/exporters/prometheus.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace taskvisor::exporters {
namespace {

// Names of label values may hold anything; the format escapes three characters.
std::string LabelValue(std::string_view text) {
  std::string value;
  for (const char c : text) {
    switch (c) {
      case '\\':
        value += "\\\\";
        break;
      case '"':
        value += "\\\"";
        break;
      case '\n':
        value += "\\n";
        break;
      default:
        value += c;
    }
  }
  return value;
}

// Writes one metric: its head, then a sample for each label value.
class Metric {
 public:
  Metric(std::string& text, std::string_view name, std::string_view help)
      : text_(text), name_(name) {
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} counter\n", name_, help);
  }
  template <class Number>
  void Sample(Number value) {
    fmt::format_to(std::back_inserter(text_), "{} {}\n", name_, value);
  }
  void Sample(std::string_view label, std::string_view label_value, uint64_t value) {
    fmt::format_to(std::back_inserter(text_), "{}{{{}=\"{}\"}} {}\n", name_, label,
                   LabelValue(label_value), value);
  }

 private:
  std::string& text_;
  std::string_view name_;
};

}  // namespace

void Prometheus::OnEvent(const Event& event) {
  std::lock_guard lock(mutex_);
  Count(event, counts_);
}

void Prometheus::Count(const Event& event, Counts& counts) {
  ++counts.kinds[static_cast<size_t>(event.kind())];
  // Reports made for this subscriber alone have no number of their own.
  if (event.sequence > counts.last_sequence) {
    counts.last_sequence = event.sequence;
    ++counts.received;
  }
  switch (event.kind()) {
    case EventKind::kTaskStopped:
      ++(event.cause().value_or(CancelCause::kNone) == CancelCause::kNone ? counts.succeeded
                                                                          : counts.cancelled);
      AddTimes(event, counts);
      break;
    case EventKind::kTaskFailed:
      ++counts.failed;
      AddTimes(event, counts);
      break;
    case EventKind::kBackoffScheduled:
      if (event.backoff_source() == BackoffSource::kFailure) ++counts.retries;
      break;
    case EventKind::kTaskAddFailed:
    case EventKind::kActorExhausted:
    case EventKind::kActorDead:
      if (event.outcome_kind()) ++counts.outcomes[static_cast<size_t>(*event.outcome_kind())];
      break;
    case EventKind::kSubscriberOverflow:
      counts.lost[std::string(event.task())] += event.count().value_or(1);
      break;
    default:
      break;
  }
}

void Prometheus::AddTimes(const Event& event, Counts& counts) {
  counts.in_attempts += event.duration().value_or(Duration::zero());
  counts.waiting += event.queue_wait().value_or(Duration::zero());
  counts.overrun += event.overrun().value_or(Duration::zero());
  counts.on_cores += event.cpu_time().value_or(Duration::zero());
}

std::string Prometheus::Render() const {
  const Counts counts = [this] {
    std::lock_guard lock(mutex_);
    return counts_;
  }();
  const auto of = [&](EventKind kind) { return counts.kinds[static_cast<size_t>(kind)]; };

  std::string text;
  Metric kinds(text, "taskvisor_events_total", "Events received, by kind.");
  for (size_t i = 0; i < counts.kinds.size(); ++i) {
    kinds.Sample("kind", Label(static_cast<EventKind>(i)), counts.kinds[i]);
  }
  Metric outcomes(text, "taskvisor_task_outcomes_total", "Tasks that ended, by outcome.");
  for (size_t i = 0; i < counts.outcomes.size(); ++i) {
    outcomes.Sample("outcome", Label(static_cast<OutcomeKind>(i)), counts.outcomes[i]);
  }
  Metric(text, "taskvisor_attempts_started_total", "Attempts begun.")
      .Sample(of(EventKind::kTaskStarting));
  Metric attempts(text, "taskvisor_attempts_total", "Attempts ended, by result.");
  attempts.Sample("result", "success", counts.succeeded);
  attempts.Sample("result", "cancelled", counts.cancelled);
  attempts.Sample("result", "failed", counts.failed);
  const auto seconds = [&](std::string_view name, std::string_view help, Duration value) {
    Metric(text, name, help).Sample(std::chrono::duration<double>(value).count());
  };
  seconds("taskvisor_attempt_seconds_total", "Time spent in attempts that ended.",
          counts.in_attempts);
  seconds("taskvisor_attempt_wait_seconds_total", "Time that they waited for a worker or a permit.",
          counts.waiting);
  seconds("taskvisor_attempt_overrun_seconds_total", "Time that they ran after their deadlines.",
          counts.overrun);
  seconds("taskvisor_attempt_cpu_seconds_total", "Time on cores of those that measure it.",
          counts.on_cores);
  Metric(text, "taskvisor_timeouts_total", "Attempts whose deadline passed.")
      .Sample(of(EventKind::kTimeoutHit));
  Metric(text, "taskvisor_retries_total", "Retries scheduled.").Sample(counts.retries);
  Metric(text, "taskvisor_missed_events_total", "Events that never reached this exporter.")
      .Sample(counts.last_sequence - counts.received);
  Metric lost(text, "taskvisor_lost_events_total", "Events reported lost, by subscriber.");
  for (const auto& [subscriber, count] : counts.lost) lost.Sample("subscriber", subscriber, count);
  return text;
}

}  // namespace taskvisor::exporters
