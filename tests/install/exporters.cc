// Uses an installed taskvisor::exporters as a stranger would: exits 0 once a task's events are
// written as JSON lines.
#include <iostream>
#include <memory>
#include <sstream>

#include "taskvisor/exporters/json_lines.h"
#include "taskvisor/supervisor.h"

int main() {
  std::ostringstream text;
  const auto lines =
      std::make_shared<taskvisor::exporters::JsonLines>(taskvisor::exporters::Output(text));
  auto supervisor = taskvisor::Supervisor::Create({.subscribers = {lines}});
  if (!supervisor.ok()) return 1;
  const absl::Status status = supervisor->Run(taskvisor::TaskSpec::Once("hello", [] {}));
  lines->Flush();
  std::cout << text.str();
  return status.ok() && text.str().find("\"kind\":\"task_stopped\"") != std::string::npos ? 0 : 1;
}
