#include "supervisor/body_stack.h"

#include "sched/executor.h"
#include "sched/stack_capture.h"
#include "sched/stack_text.h"

namespace taskvisor::internal {

std::vector<std::string> BodyStacks(std::span<const int32_t> threads, Duration limit) {
  if (Waits::Here() != nullptr) return {threads.size(), "(no stack: in a simulation)"};
  std::vector<std::string> texts;
  for (const CapturedStack& stack : CaptureStacks(threads, limit)) {
    texts.push_back(ToText(stack, "taskvisor::internal::CallBody("));
  }
  return texts;
}

}  // namespace taskvisor::internal
