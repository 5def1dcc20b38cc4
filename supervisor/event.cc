#include "taskvisor/event.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "supervisor/field_text.h"
#include "taskvisor/task_result.h"
#include "taskvisor/task_spec.h"

namespace taskvisor {
namespace {

using internal::Append;
using internal::AppendLabel;
using internal::AppendNumber;

template <size_t kSize>
uint8_t CopyText(char (&to)[kSize], std::string_view text) {
  static_assert(kSize == kMaxNameLength && kSize == kMaxReasonLength && kSize <= 255);
  const size_t size = std::min(text.size(), kSize);
  if (size > 0) std::memcpy(to, text.data(), size);
  return static_cast<uint8_t>(size);
}

}  // namespace

Event& Event::WithId(TaskId id) {
  id_ = id.value();
  slot_ = id.slot();
  return Set(kId);
}

Event& Event::WithTask(std::string_view task) {
  name_size_ = CopyText(name_, task);
  return *this;
}

Event& Event::WithSlot(std::string_view slot) {
  name_size_ = CopyText(name_, slot);
  return Set(kSlot);
}

Event& Event::WithReason(std::string_view reason) {
  reason_size_ = CopyText(reason_, reason);
  return *this;
}

Event& Event::WithExitCode(std::optional<int32_t> code) {
  if (!code.has_value()) return *this;
  exit_code_ = *code;
  return Set(kExitCode);
}

std::optional<uint32_t> Event::Ms(Field f, int64_t ns) const {
  if (!Has(f)) return std::nullopt;
  constexpr int64_t kMost = std::numeric_limits<uint32_t>::max();
  return static_cast<uint32_t>(std::clamp<int64_t>(ns / 1'000'000, 0, kMost));
}

std::string Event::ToString() const {
  std::string line("#");
  line.append(std::to_string(sequence)).append(" ").append(Label(kind_));
  if (!task().empty()) Append(line, "task", task());
  if (!slot().empty()) Append(line, "slot", slot());
  if (const auto task_id = id(); task_id.has_value()) {
    Append(line, "id", std::to_string(task_id->value()));
  }
  AppendNumber(line, "attempt", attempt());
  if (const auto parent = parent_id(); parent.has_value()) {
    Append(line, "parent", std::to_string(parent->value()));
  }
  Append(line, "duration", duration());
  Append(line, "delay", delay());
  Append(line, "timeout", timeout());
  Append(line, "overrun", overrun());
  Append(line, "queue_wait", queue_wait());
  Append(line, "cpu_time", cpu_time());
  Append(line, "grace", grace());
  AppendNumber(line, "thread", thread());
  AppendNumber(line, "exit_code", exit_code());
  AppendLabel(line, "backoff_source", backoff_source());
  AppendLabel(line, "outcome_kind", outcome_kind());
  AppendLabel(line, "rejection_kind", rejection_kind());
  AppendLabel(line, "cause", cause());
  AppendNumber(line, "count", count());
  if (!reason().empty()) Append(line, "reason", reason());
  return line;
}

}  // namespace taskvisor
