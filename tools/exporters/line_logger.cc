#include "taskvisor/exporters/line_logger.h"

#include <string>

#include "tools/exporters/text.h"

namespace taskvisor::exporters {

void LineLogger::OnEvent(const Event& event) {
  std::string line = Rfc3339(event.at());
  line += ' ';
  line += OneLine(event.ToString());
  line += '\n';
  output_.Write(line);
  output_.Flush();
}

}  // namespace taskvisor::exporters
