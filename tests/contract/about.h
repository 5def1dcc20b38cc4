#ifndef TASKVISOR_TESTS_CONTRACT_ABOUT_H_
#define TASKVISOR_TESTS_CONTRACT_ABOUT_H_

#include <cstdint>
#include <string_view>

#include "taskvisor/event.h"

namespace taskvisor::testing {

// An event of a number, about a task of this id (0: none) and name.
inline Event About(EventKind kind, uint64_t sequence, uint64_t id, std::string_view name) {
  Event event(kind);
  event.sequence = sequence;
  event.WithTask(name);
  if (id != 0) event.WithId(TaskId(id, 1));
  return event;
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_CONTRACT_ABOUT_H_
