#include "tools/exporters/event_json.h"

#include <optional>

#include "tools/exporters/text.h"

namespace taskvisor::exporters {
namespace {

template <class T>
void AddNumber(Json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

void AddDuration(Json& object, const char* key, const std::optional<Duration>& value) {
  if (value) object[key] = value->count();
}

template <class T>
void AddLabel(Json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = Label(*value);
}

void AddId(Json& object, const char* key, const std::optional<TaskId>& id) {
  if (id) object[key] = id->value();
}

}  // namespace

void AddText(Json& object, const char* key, std::string_view text) {
  object[key] = text;
  if (!IsUtf8(text)) object[std::string(key) + "_hex"] = Hex(text);
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Json ToJson(const Event& event) {
  Json object = {
      {"sequence", event.sequence}, {"at", Rfc3339(event.at())}, {"kind", Label(event.kind())}};
  AddId(object, "id", event.id());
  AddId(object, "parent_id", event.parent_id());
  if (!event.task().empty()) AddText(object, "task", event.task());
  if (!event.slot().empty()) AddText(object, "slot", event.slot());
  AddNumber(object, "attempt", event.attempt());
  AddDuration(object, "duration_ns", event.duration());
  AddDuration(object, "delay_ns", event.delay());
  AddDuration(object, "timeout_ns", event.timeout());
  AddDuration(object, "overrun_ns", event.overrun());
  AddDuration(object, "queue_wait_ns", event.queue_wait());
  AddDuration(object, "cpu_time_ns", event.cpu_time());
  AddDuration(object, "grace_ns", event.grace());
  AddNumber(object, "thread", event.thread());
  AddNumber(object, "exit_code", event.exit_code());
  AddLabel(object, "backoff_source", event.backoff_source());
  AddLabel(object, "outcome_kind", event.outcome_kind());
  AddLabel(object, "rejection_kind", event.rejection_kind());
  AddLabel(object, "cause", event.cause());
  AddNumber(object, "count", event.count());
  if (!event.reason().empty()) AddText(object, "reason", event.reason());
  return object;
}

}  // namespace taskvisor::exporters
