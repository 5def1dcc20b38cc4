#include "supervisor/payload.h"

#include <cstdint>
#include <optional>

namespace taskvisor::internal {
namespace {

// A field that an event may lack: "1 <number> ", or "0 ". The one place that lists them,
// for both directions; Field says what to do with each.
//
// rejection_kind comes after outcome_kind, which its setter also sets.
template <class EventRef, class Field>
void ForEachField(EventRef& event, Field field) {
  using E = Event;
  field(event.attempt(), [](E& e, int64_t n) { e.WithAttempt(static_cast<uint32_t>(n)); });
  field(event.parent_id(),
        [](E& e, int64_t n) { e.WithParent(TaskId(static_cast<uint64_t>(n), 0)); });
  field(event.duration(), [](E& e, int64_t n) { e.WithDuration(Duration(n)); });
  field(event.delay(), [](E& e, int64_t n) { e.WithDelay(Duration(n)); });
  field(event.timeout(), [](E& e, int64_t n) { e.WithTimeout(Duration(n)); });
  field(event.overrun(), [](E& e, int64_t n) { e.WithOverrun(Duration(n)); });
  field(event.queue_wait(), [](E& e, int64_t n) { e.WithQueueWait(Duration(n)); });
  field(event.cpu_time(), [](E& e, int64_t n) { e.WithCpuTime(Duration(n)); });
  field(event.grace(), [](E& e, int64_t n) { e.WithGrace(Duration(n)); });
  field(event.exit_code(), [](E& e, int64_t n) { e.WithExitCode(static_cast<int32_t>(n)); });
  field(event.thread(), [](E& e, int64_t n) { e.WithThread(static_cast<int32_t>(n)); });
  field(event.backoff_source(),
        [](E& e, int64_t n) { e.WithBackoffSource(static_cast<BackoffSource>(n)); });
  field(event.outcome_kind(),
        [](E& e, int64_t n) { e.WithOutcomeKind(static_cast<OutcomeKind>(n)); });
  field(event.rejection_kind(),
        [](E& e, int64_t n) { e.WithRejectionKind(static_cast<RejectionKind>(n)); });
  field(event.cause(), [](E& e, int64_t n) { e.WithCause(static_cast<CancelCause>(n)); });
  field(event.count(), [](E& e, int64_t n) { e.WithCount(static_cast<uint64_t>(n)); });
}

int64_t AsNumber(Duration value) { return value.count(); }
int64_t AsNumber(TaskId value) { return static_cast<int64_t>(value.value()); }
template <class T>
int64_t AsNumber(T value) {
  return static_cast<int64_t>(value);
}

void WriteEvent(PayloadWriter& writer, const Event& event) {
  writer.Number(event.sequence);
  writer.Number(AsNumber(event.kind()));
  writer.Number(event.at().time_since_epoch().count());
  const TaskId id = event.id().value_or(TaskId());
  writer.Number(id.value());
  writer.Number(id.slot());
  writer.Text(event.task());
  writer.Text(event.slot());
  writer.Text(event.reason());
  ForEachField(event, [&](const auto& value, auto) {
    writer.Number(value.has_value() ? 1 : 0);
    if (value.has_value()) writer.Number(AsNumber(*value));
  });
}

Event ReadEvent(PayloadReader& reader) {
  const auto sequence = reader.Number<uint64_t>();
  Event event(static_cast<EventKind>(reader.Number<uint8_t>()));
  event.sequence = sequence;
  event.WithAt(WallTime(Duration(reader.Number<Duration::rep>())));
  const auto id = reader.Number<uint64_t>();
  const auto index = reader.Number<uint32_t>();
  if (id != 0) event.WithId(TaskId(id, index));
  event.WithTask(reader.Text());
  if (const std::string slot = reader.Text(); !slot.empty()) event.WithSlot(slot);
  event.WithReason(reader.Text());
  ForEachField(event, [&](const auto&, auto set) {
    if (reader.Number<int>() == 1) set(event, reader.Number<int64_t>());
  });
  return event;
}

}  // namespace

void PayloadWriter::Events(const std::vector<Event>& events) {
  Number(events.size());
  for (const Event& event : events) WriteEvent(*this, event);
}

std::vector<Event> PayloadReader::Events(size_t most) {
  std::vector<Event> events(std::min(Number<size_t>(), most));
  for (Event& event : events) event = ReadEvent(*this);
  return events;
}

}  // namespace taskvisor::internal
