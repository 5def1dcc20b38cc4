#ifndef TASKVISOR_SUPERVISOR_EVENT_RECORD_H_
#define TASKVISOR_SUPERVISOR_EVENT_RECORD_H_

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "taskvisor/event.h"

namespace taskvisor::internal {

// EventRecord
//
// An event as the bus carries it: one cache line with the ring's stamp, and its text
// behind it. The text is, in this order,
//   the numbers that are present, 8 bytes each, but for the first, which is in `number`
//   the name, name_size bytes
//   the reason, the rest
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

 private:
  void ReadNumber(Event& event, uint32_t field, uint64_t value) const;
};

static_assert(std::is_trivially_copyable_v<EventRecord> && std::is_standard_layout_v<EventRecord>);
static_assert(sizeof(EventRecord) == 56, "with its stamp a cache line");

// EventDraft
//
// What is to be published: the fields, and views of texts that live until then. Setters
// as Event's.
class EventDraft {
 public:
  explicit EventDraft(EventKind kind) : kind_(kind) {}

  EventDraft& WithAt(WallTime at) { return at_ = at.time_since_epoch().count(), *this; }
  EventDraft& WithId(TaskId id) { return id_ = id, Set(Event::kId); }
  // Cut at kMaxNameLength and kMaxReasonLength bytes.
  EventDraft& WithTask(std::string_view task);
  EventDraft& WithSlot(std::string_view slot) { return WithTask(slot).Set(Event::kSlot); }
  EventDraft& WithReason(std::string_view reason);
  // The task is called by its id.
  EventDraft& Anonymous() { return present_ |= kAnonymous, *this; }
  EventDraft& WithAttempt(uint32_t attempt) { return attempt_ = attempt, Set(Event::kAttempt); }
  EventDraft& WithDuration(Duration d) { return Number(Event::kDuration, d.count()); }
  EventDraft& WithDelay(Duration d) { return Number(Event::kDelay, d.count()); }
  EventDraft& WithTimeout(Duration d) { return Number(Event::kTimeout, d.count()); }
  EventDraft& WithOverrun(Duration d) { return Number(Event::kOverrun, d.count()); }
  // After the exit code.
  EventDraft& WithQueueWait(Duration d) {
    const bool fits = d.count() == static_cast<uint32_t>(d.count());
    if (!fits || (present_ & kInExitCode) != 0) return Number(Event::kQueueWait, d.count());
    exit_code_ = static_cast<int32_t>(static_cast<uint32_t>(d.count()));
    return present_ |= kShortWait, *this;
  }
  EventDraft& WithCpuTime(Duration d) { return Number(Event::kCpuTime, d.count()); }
  EventDraft& WithGrace(Duration d) { return Number(Event::kGrace, d.count()); }
  EventDraft& WithCount(uint64_t n) { return Number(Event::kCount, static_cast<int64_t>(n)); }
  EventDraft& WithParent(TaskId parent) {
    return Number(Event::kParent, static_cast<int64_t>(parent.value()));
  }
  EventDraft& WithExitCode(std::optional<int32_t> code) {
    if (!code.has_value()) return *this;
    assert((present_ & kShortWait) == 0);
    return exit_code_ = *code, Set(Event::kExitCode);
  }
  EventDraft& WithThread(int32_t thread) { return exit_code_ = thread, Set(Event::kThread); }
  EventDraft& WithBackoffSource(BackoffSource s) {
    return backoff_source_ = s, Set(Event::kBackoffSource);
  }
  EventDraft& WithOutcomeKind(OutcomeKind k) { return outcome_kind_ = k, Set(Event::kOutcomeKind); }
  EventDraft& WithRejectionKind(RejectionKind k) {
    rejection_kind_ = k;
    return Set(Event::kRejectionKind), WithOutcomeKind(OutcomeKind::kRejected);
  }
  EventDraft& WithCause(CancelCause c) { return cause_ = c, Set(Event::kCause); }

  [[nodiscard]] uint32_t text_size() const {
    return static_cast<uint32_t>(8 * more_numbers() + name_.size() + reason_.size());
  }

  // Writes the record, and its text in pieces by append(std::string_view).
  template <class Append>
  void WriteTo(EventRecord& record, Append append) const {
    record.at = at_;
    record.id = id_.value();
    record.number = numbers_[0];
    record.slot = id_.slot();
    record.attempt = attempt_;
    record.present = present_;
    record.exit_code = exit_code_;
    record.text_size = static_cast<uint16_t>(text_size());
    record.name_size = static_cast<uint8_t>(name_.size());
    record.kind = kind_;
    record.outcome_kind = outcome_kind_;
    record.rejection_kind = rejection_kind_;
    record.cause = cause_;
    record.backoff_source = backoff_source_;
    if (more_numbers() > 0) {
      append(std::string_view(reinterpret_cast<const char*>(&numbers_[1]), 8 * more_numbers()));
    }
    if (!name_.empty()) append(name_);
    if (!reason_.empty()) append(reason_);
  }

  // Beside Event's fields in `present`.
  static constexpr uint32_t kAnonymous = uint32_t{1} << 31;
  static constexpr uint32_t kShortWait = uint32_t{1} << 30;  // a kQueueWait, in `exit_code`
  // The fields that are numbers, kept in the order of these bits.
  static constexpr uint32_t kNumbers =
      1u << Event::kParent | 1u << Event::kDuration | 1u << Event::kDelay | 1u << Event::kTimeout |
      1u << Event::kOverrun | 1u << Event::kGrace | 1u << Event::kCount | 1u << Event::kQueueWait |
      1u << Event::kCpuTime;

 private:
  static constexpr uint32_t kInExitCode = 1u << Event::kExitCode | 1u << Event::kThread;

  EventDraft& Set(Event::Field f) { return present_ |= 1u << f, *this; }
  // In the order of the bits, whatever the order of the calls.
  EventDraft& Number(Event::Field f, int64_t value) {
    if ((present_ & kNumbers) >> f != 0) return Insert(f, value);
    numbers_[count_++] = static_cast<uint64_t>(value);
    return Set(f);
  }
  EventDraft& Insert(Event::Field f, int64_t value);
  [[nodiscard]] size_t more_numbers() const { return std::max(count_, size_t{1}) - 1; }

  TaskId id_;
  int64_t at_ = 0;
  uint32_t attempt_ = 0;
  uint32_t present_ = 0;
  int32_t exit_code_ = 0;
  EventKind kind_;
  OutcomeKind outcome_kind_ = OutcomeKind::kCompleted;
  RejectionKind rejection_kind_ = RejectionKind::kAlreadyExists;
  CancelCause cause_ = CancelCause::kNone;
  BackoffSource backoff_source_ = BackoffSource::kSuccess;
  std::string_view name_;
  std::string_view reason_;
  size_t count_ = 0;
  std::array<uint64_t, 9> numbers_;  // written up to count_
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_EVENT_RECORD_H_
