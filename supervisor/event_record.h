#ifndef TASKVISOR_SUPERVISOR_EVENT_RECORD_H_
#define TASKVISOR_SUPERVISOR_EVENT_RECORD_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "supervisor/name.h"
#include "taskvisor/event.h"
#include "taskvisor/task_result.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// EventRecord
//
// An event as the bus carries it: one cache line with the ring's stamp, and its text
// behind it. The text is, in this order,
//   the numbers that are present, 8 bytes each, but for the first, which is in `number`
//   the name, name_size bytes
//   the reason, the rest
//   the parent, 8 bytes, if it is a child's: see ChildDraft
// An anonymous task carries no name: it follows from the id.
//
// A queue wait below 2^32 ns, 4.29 s, is in the place of an exit code, if there is none: an
// attempt's end stays in its one line. It is a number as the others otherwise.
struct EventRecord {
  uint64_t sequence;
  int64_t at;
  uint64_t id;
  uint64_t number;
  uint32_t slot;
  uint32_t attempt;
  uint32_t present;  // Event's field bits
  int32_t exit_code;
  uint16_t text_size;
  uint8_t name_size;
  EventKind kind;
  OutcomeKind outcome_kind;
  RejectionKind rejection_kind;
  CancelCause cause;
  BackoffSource backoff_source;

  // The event that this record, with its text behind it, stands for. Async-signal-safe.
  void ReadTo(Event& event) const;
  // The name behind it; empty if the task is called by its id.
  [[nodiscard]] std::string_view name() const;
  // The bit in `present` that says that there is a parent.
  static constexpr uint32_t kParent = 1u << Event::kParent;
  // Of the texts and the numbers, without the parent.
  [[nodiscard]] size_t TextSizeOfItsOwn() const {
    return text_size - ((present & kParent) != 0 ? sizeof(uint64_t) : 0);
  }

 private:
  void ReadNumber(Event& event, uint32_t field, uint64_t value) const;
};

static_assert(std::is_trivially_copyable_v<EventRecord> && std::is_standard_layout_v<EventRecord>);
static_assert(sizeof(EventRecord) == 56, "with its stamp a cache line");

// EventDraft
//
// What is to be published: the record but for its number, and where its texts are, which
// live until then. Setters as Event's. It is made and written in registers where the compiler
// sees both; so nothing here is kept twice, and nothing points into it.
class EventDraft {
 public:
  explicit EventDraft(EventKind kind) { record_.kind = kind; }

  EventDraft& As(EventKind kind) { return record_.kind = kind, *this; }
  EventDraft& WithAt(WallTime at) { return record_.at = at.time_since_epoch().count(), *this; }
  EventDraft& WithId(TaskId id) {
    record_.id = id.value();
    record_.slot = id.slot();
    return Set(Event::kId);
  }
  // Cut at kMaxNameLength and kMaxReasonLength bytes.
  EventDraft& WithTask(std::string_view task) {
    name_ = task.data();
    return NameSize(std::min(task.size(), kMaxNameLength));
  }
  // The name of a registered task, which has `size` bytes: itself it is not looked at before it
  // is written.
  EventDraft& WithTask(const Name& task, size_t size) { return task_ = &task, NameSize(size); }
  EventDraft& WithSlot(std::string_view slot) { return WithTask(slot).Set(Event::kSlot); }
  EventDraft& WithReason(std::string_view reason) {
    reason_ = reason.data();
    return reason_size_ = std::min(reason.size(), kMaxReasonLength), *this;
  }
  // The task is called by its id.
  EventDraft& Anonymous() { return record_.present |= kAnonymous, *this; }
  EventDraft& WithAttempt(uint32_t n) { return record_.attempt = n, Set(Event::kAttempt); }
  EventDraft& WithDuration(Duration d) { return Number(Event::kDuration, d.count()); }
  EventDraft& WithDelay(Duration d) { return Number(Event::kDelay, d.count()); }
  EventDraft& WithTimeout(Duration d) { return Number(Event::kTimeout, d.count()); }
  EventDraft& WithOverrun(Duration d) { return Number(Event::kOverrun, d.count()); }
  // After the exit code.
  EventDraft& WithQueueWait(Duration d) {
    const bool fits = d.count() == static_cast<uint32_t>(d.count());
    if (!fits || (record_.present & kInExitCode) != 0) return Number(Event::kQueueWait, d.count());
    record_.exit_code = static_cast<int32_t>(static_cast<uint32_t>(d.count()));
    return record_.present |= kShortWait, *this;
  }
  EventDraft& WithCpuTime(Duration d) { return Number(Event::kCpuTime, d.count()); }
  EventDraft& WithGrace(Duration d) { return Number(Event::kGrace, d.count()); }
  EventDraft& WithCount(uint64_t n) { return Number(Event::kCount, static_cast<int64_t>(n)); }
  EventDraft& WithExitCode(std::optional<int32_t> code) {
    if (!code.has_value()) return *this;
    assert((record_.present & kShortWait) == 0);
    return record_.exit_code = *code, Set(Event::kExitCode);
  }
  EventDraft& WithThread(int32_t thread) { return record_.exit_code = thread, Set(Event::kThread); }
  EventDraft& WithBackoffSource(BackoffSource s) {
    return record_.backoff_source = s, Set(Event::kBackoffSource);
  }
  EventDraft& WithOutcomeKind(OutcomeKind k) {
    return record_.outcome_kind = k, Set(Event::kOutcomeKind);
  }
  EventDraft& WithRejectionKind(RejectionKind k) {
    record_.rejection_kind = k;
    return Set(Event::kRejectionKind), WithOutcomeKind(OutcomeKind::kRejected);
  }
  EventDraft& WithCause(CancelCause c) { return record_.cause = c, Set(Event::kCause); }

  [[nodiscard]] uint32_t text_size() const {
    return static_cast<uint32_t>(8 * more_ + record_.name_size + reason_size_);
  }

  // Writes the record, and its text as a SlotText (or a ReportText) takes it.
  template <class Text>
  [[gnu::always_inline]] void WriteTo(EventRecord& record, Text& text) const {
    // Field by field, and each number by way of a local: see above.
    record.at = record_.at;
    record.id = record_.id;
    record.number = record_.number;
    record.slot = record_.slot;
    record.attempt = record_.attempt;
    record.present = record_.present;
    record.exit_code = record_.exit_code;
    record.text_size = static_cast<uint16_t>(text_size());
    record.name_size = record_.name_size;
    record.kind = record_.kind;
    record.outcome_kind = record_.outcome_kind;
    record.rejection_kind = record_.rejection_kind;
    record.cause = record_.cause;
    record.backoff_source = record_.backoff_source;
    for (size_t i = 0; i < more_; ++i) {
      const uint64_t number = numbers_[i];
      text.Append({reinterpret_cast<const char*>(&number), sizeof(number)});
    }
    if (record_.name_size > 0) AppendName(text);
    if (reason_size_ > 0) text.Append({reason_, reason_size_});
  }

  // Beside Event's fields in `present`.
  static constexpr uint32_t kAnonymous = uint32_t{1} << 31;
  static constexpr uint32_t kShortWait = uint32_t{1} << 30;  // a kQueueWait, in `exit_code`
  // The fields that are numbers, kept in the order of these bits.
  static constexpr uint32_t kNumbers =
      1u << Event::kDuration | 1u << Event::kDelay | 1u << Event::kTimeout | 1u << Event::kOverrun |
      1u << Event::kGrace | 1u << Event::kCount | 1u << Event::kQueueWait | 1u << Event::kCpuTime;
  // So many of them at most go with the text, beside the record's.
  static constexpr size_t kMoreNumbers = std::popcount(kNumbers) - 1;
  // All of an event's text at most, its parent included.
  static constexpr size_t kMostText =
      (kMoreNumbers + 1) * sizeof(uint64_t) + kMaxNameLength + kMaxReasonLength;

 private:
  static constexpr uint32_t kInExitCode = 1u << Event::kExitCode | 1u << Event::kThread;

  EventDraft& Set(Event::Field f) { return record_.present |= 1u << f, *this; }
  EventDraft& NameSize(size_t size) {
    return record_.name_size = static_cast<uint8_t>(size), *this;
  }
  // In the order of the bits, whatever the order of the calls.
  EventDraft& Number(Event::Field f, int64_t value) {
    if ((record_.present & kNumbers) != 0) return Insert(f, value);
    record_.number = static_cast<uint64_t>(value);
    return Set(f);
  }
  EventDraft& Insert(Event::Field f, int64_t value);

  template <class Text>
  [[gnu::always_inline]] void AppendName(Text& text) const {
    if (task_ == nullptr) return text.Append({name_, record_.name_size});
    if (char* const to = text.Room(Name::kShort); to != nullptr) {
      if (const size_t size = task_->CopyShortTo(to); size > 0) return text.Advance(size);
    }
    Name::Buffer buffer;
    const size_t size = task_->CopyTo(buffer);
    text.Append({buffer.data(), size});
  }

  EventRecord record_{};
  const Name* task_ = nullptr;  // else name_
  const char* name_ = nullptr;
  const char* reason_ = nullptr;
  size_t reason_size_ = 0;
  size_t more_ = 0;                             // numbers beside the record's
  std::array<uint64_t, kMoreNumbers> numbers_;  // written up to more_
};

// ChildDraft
//
// A draft about somebody's child. The parent is no number of the draft, which most tasks have none
// for: a field that is there or not, known only when it runs, would cost all the others' drafts
// their registers.
class ChildDraft {
 public:
  ChildDraft(const EventDraft& draft, TaskId parent) : draft_(draft), parent_(parent.value()) {}

  [[nodiscard]] uint32_t text_size() const {
    return draft_.text_size() + static_cast<uint32_t>(sizeof(parent_));
  }
  template <class Text>
  void WriteTo(EventRecord& record, Text& text) const {
    draft_.WriteTo(record, text);
    record.present |= EventRecord::kParent;
    record.text_size = static_cast<uint16_t>(text_size());
    text.Append({reinterpret_cast<const char*>(&parent_), sizeof(parent_)});
  }

 private:
  EventDraft draft_;
  uint64_t parent_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_EVENT_RECORD_H_
