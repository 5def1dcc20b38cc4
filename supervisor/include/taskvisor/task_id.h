#ifndef TASKVISOR_TASK_ID_H_
#define TASKVISOR_TASK_ID_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace taskvisor {

// TaskId
//
// Names one task for ever: never given twice in a process, ordered by creation. It
// stays valid as a value after its task is gone; operations then answer "unknown".
//
// Two numbers: `value()` counts tasks from 1, and is what events and logs show;
// `slot()` is where the registry keeps the task, so that a lookup is one index and one
// compare.
class TaskId {
 public:
  // No task.
  constexpr TaskId() = default;
  constexpr TaskId(uint64_t value, uint32_t slot) : value_(value), slot_(slot) {}

  [[nodiscard]] constexpr uint64_t value() const { return value_; }
  [[nodiscard]] constexpr uint32_t slot() const { return slot_; }
  [[nodiscard]] constexpr bool valid() const { return value_ != 0; }

  // "task-17": what an anonymous task is called.
  [[nodiscard]] std::string ToString() const { return "task-" + std::to_string(value_); }

  friend constexpr auto operator<=>(const TaskId&, const TaskId&) = default;

 private:
  uint64_t value_ = 0;
  uint32_t slot_ = 0;
};

}  // namespace taskvisor

template <>
struct std::hash<taskvisor::TaskId> {
  size_t operator()(const taskvisor::TaskId& id) const noexcept {
    return std::hash<uint64_t>{}(id.value());
  }
};

#endif  // TASKVISOR_TASK_ID_H_
