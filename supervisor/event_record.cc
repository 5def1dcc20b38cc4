#include "supervisor/event_record.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "supervisor/line_buffer.h"

namespace taskvisor::internal {

EventDraft& EventDraft::Insert(Event::Field f, int64_t value) {
  const uint32_t bit = 1u << f;
  const auto at = static_cast<size_t>(std::popcount(record_.present & kNumbers & (bit - 1)));
  std::array<uint64_t, 1 + kMoreNumbers> all;
  all[0] = record_.number;
  std::copy_n(numbers_.begin(), more_, all.begin() + 1);
  if ((record_.present & bit) == 0) {
    ++more_;
    std::copy_backward(all.begin() + at, all.begin() + more_, all.begin() + more_ + 1);
  }
  all[at] = static_cast<uint64_t>(value);
  record_.number = all[0];
  std::copy_n(all.begin() + 1, more_, numbers_.begin());
  return Set(f);
}

std::string_view EventRecord::name() const {
  const int numbers = std::popcount(present & EventDraft::kNumbers);
  const auto* const text = reinterpret_cast<const char*>(this + 1);
  return {text + 8 * (std::max(numbers, 1) - 1), name_size};
}

void EventRecord::ReadTo(Event& event) const {
  event.sequence = sequence;
  event.at_ = at;
  event.id_ = id;
  event.slot_ = slot;
  event.attempt_ = attempt;
  event.exit_code_ = exit_code;
  event.present_ = present & ~(EventDraft::kAnonymous | EventDraft::kShortWait);
  event.kind_ = kind;
  event.outcome_kind_ = outcome_kind;
  event.rejection_kind_ = rejection_kind;
  event.cause_ = cause;
  event.backoff_source_ = backoff_source;
  if ((present & EventDraft::kShortWait) != 0) {
    event.WithQueueWait(Duration(static_cast<uint32_t>(exit_code)));
    event.exit_code_ = 0;
  }
  const auto* text = reinterpret_cast<const char*>(this + 1);
  const char* const end = text + TextSizeOfItsOwn();
  uint64_t value = number;
  for (uint32_t left = present & EventDraft::kNumbers; left != 0;) {
    ReadNumber(event, left & -left, value);
    left &= left - 1;
    if (left == 0) break;
    std::memcpy(&value, text, sizeof(value));
    text += sizeof(value);
  }
  if ((present & kParent) != 0) std::memcpy(&event.parent_, end, sizeof(event.parent_));
  event.WithReason({text + name_size, static_cast<size_t>(end - text) - name_size});
  if ((present & EventDraft::kAnonymous) != 0) {
    // As TaskId::ToString, but without memory: a signal handler may be reading.
    event.WithTask(LineBuffer().Text("task-").Decimal(id).view());
  } else {
    event.WithTask({text, name_size});
  }
}

void EventRecord::ReadNumber(Event& event, uint32_t field, uint64_t value) const {
  const auto ns = static_cast<int64_t>(value);
  switch (field) {
    case 1u << Event::kDuration:
      event.duration_ = ns;
      return;
    case 1u << Event::kDelay:
      event.delay_ = ns;
      return;
    case 1u << Event::kTimeout:
    case 1u << Event::kGrace:
      event.timeout_ = ns;
      return;
    case 1u << Event::kOverrun:
      event.overrun_ = ns;
      return;
    case 1u << Event::kQueueWait:
      event.queue_wait_ = ns;
      return;
    case 1u << Event::kCpuTime:
      event.cpu_time_ = ns;
      return;
    default:
      event.count_ = value;
  }
}

}  // namespace taskvisor::internal
