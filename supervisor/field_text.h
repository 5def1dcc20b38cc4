#ifndef TASKVISOR_SUPERVISOR_FIELD_TEXT_H_
#define TASKVISOR_SUPERVISOR_FIELD_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "supervisor/text.h"
#include "taskvisor/clock.h"

namespace taskvisor::internal {

// Fields of a line for people: " key=value", or nothing where there is no value.

inline void Append(std::string& line, std::string_view key, std::string_view value) {
  line.append(" ").append(key).append("=").append(value);
}

inline void Append(std::string& line, std::string_view key, std::optional<Duration> value) {
  if (value.has_value()) Append(line, key, ToText(*value));
}

template <class Number>
void AppendNumber(std::string& line, std::string_view key, std::optional<Number> value) {
  if (value.has_value()) Append(line, key, std::to_string(*value));
}

template <class Enum>
void AppendLabel(std::string& line, std::string_view key, std::optional<Enum> value) {
  if (value.has_value()) Append(line, key, Label(*value));
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_FIELD_TEXT_H_
