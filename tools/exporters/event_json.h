#ifndef TASKVISOR_TOOLS_EXPORTERS_EVENT_JSON_H_
#define TASKVISOR_TOOLS_EXPORTERS_EVENT_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "taskvisor/event.h"

namespace taskvisor::exporters {

using Json = nlohmann::ordered_json;

// The fields of an event that are set, as JsonLines describes them.
[[nodiscard]] Json ToJson(const Event& event);

// Adds `text` under `key`, and under `key`_hex too if it is not UTF-8.
void AddText(Json& object, const char* key, std::string_view text);

// On one line, valid UTF-8: what is not shows U+FFFD. Does not throw for any text.
[[nodiscard]] std::string Dump(const Json& value);

}  // namespace taskvisor::exporters

#endif  // TASKVISOR_TOOLS_EXPORTERS_EVENT_JSON_H_
