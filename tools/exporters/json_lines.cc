#include "taskvisor/exporters/json_lines.h"

#include <string>

#include "tools/exporters/event_json.h"

namespace taskvisor::exporters {

void JsonLines::OnEvent(const Event& event) {
  std::string line = Dump(ToJson(event));
  line += '\n';
  output_.Write(line);
}

}  // namespace taskvisor::exporters
