#include "taskvisor/exporters/chrome_trace.h"

#include <chrono>
#include <string>

#include "tools/exporters/event_json.h"
#include "tools/exporters/text.h"

namespace taskvisor::exporters {
namespace {

// One process: the supervisor. Row 0 holds what belongs to no task.
constexpr int kProcess = 1;

uint64_t RowOf(const Event& event) { return event.id() ? event.id()->value() : 0; }

Json Entry(const char* phase, std::string_view name, uint64_t row) {
  return {{"ph", phase}, {"name", name}, {"pid", kProcess}, {"tid", row}};
}

std::string AttemptName(uint32_t attempt) { return "attempt " + std::to_string(attempt); }

}  // namespace

ChromeTrace::~ChromeTrace() {
  try {
    Finish();
  } catch (...) {  // out of memory: the viewers read an open array too
  }
}

void ChromeTrace::OnEvent(const Event& event) {
  if (finished_) return;
  if (!start_) Begin(event.at());
  switch (event.kind()) {
    case EventKind::kTaskAdded:
      Row(event);
      if (event.parent_id()) Arrow(event);
      return Instant(event);
    case EventKind::kTaskStarting:
      open_[RowOf(event)] = {event.at(), event.attempt().value_or(0)};
      return;
    case EventKind::kTaskStopped:
    case EventKind::kTaskFailed: {
      open_.erase(RowOf(event));
      const Duration length = event.duration().value_or(Duration::zero());
      return Span(event, AttemptName(event.attempt().value_or(0)), event.at() - length, length);
    }
    case EventKind::kBackoffScheduled:
      return Span(event, "backoff", event.at(), event.delay().value_or(Duration::zero()));
    case EventKind::kTaskRemoved:
      // An attempt whose end was lost must not look as if it still ran.
      open_.erase(RowOf(event));
      return Instant(event);
    default:
      return Instant(event);
  }
}

void ChromeTrace::Begin(WallTime at) {
  start_ = at;
  Json process = Entry("M", "process_name", 0);
  process["args"] = {{"name", "taskvisor, from " + Rfc3339(at)}};
  output_.Write("[\n" + Dump(process));
}

void ChromeTrace::Row(const Event& event) {
  Json row = Entry("M", "thread_name", RowOf(event));
  row["args"] = Json::object();
  AddText(row["args"], "name", event.task());
  Put(Dump(row));
}

// From its parent's row to its own.
void ChromeTrace::Arrow(const Event& event) {
  for (const bool from : {true, false}) {
    Json end = Entry(from ? "s" : "f", "child", from ? event.parent_id()->value() : RowOf(event));
    end["cat"] = "child";
    end["id"] = RowOf(event);
    end["ts"] = Micros(event.at());
    if (!from) end["bp"] = "e";
    Put(Dump(end));
  }
}

void ChromeTrace::Span(const Event& event, std::string_view name, WallTime from, Duration length) {
  Json span = Entry("X", name, RowOf(event));
  span["ts"] = Micros(from);
  span["dur"] = std::chrono::duration<double, std::micro>(length).count();
  span["args"] = ToJson(event);
  Put(Dump(span));
}

void ChromeTrace::Instant(const Event& event) {
  Json instant = Entry("i", Label(event.kind()), RowOf(event));
  instant["ts"] = Micros(event.at());
  instant["s"] = event.id() ? "t" : "g";
  instant["args"] = ToJson(event);
  Put(Dump(instant));
}

void ChromeTrace::Put(std::string_view json) {
  output_.Write(",\n");
  output_.Write(json);
}

double ChromeTrace::Micros(WallTime at) const {
  return std::chrono::duration<double, std::micro>(at - *start_).count();
}

void ChromeTrace::Finish() {
  if (finished_) return;
  finished_ = true;
  if (!start_) output_.Write("[");
  for (const auto& [row, open] : open_) {
    Json begin = Entry("B", AttemptName(open.attempt), row);
    begin["ts"] = Micros(open.since);
    Put(Dump(begin));
  }
  output_.Write("\n]\n");
  output_.Flush();
}

}  // namespace taskvisor::exporters
