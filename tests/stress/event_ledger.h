#ifndef TASKVISOR_TESTS_STRESS_EVENT_LEDGER_H_
#define TASKVISOR_TESTS_STRESS_EVENT_LEDGER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "supervisor/hooks.h"
#include "taskvisor/subscriber.h"

namespace taskvisor::testing {

// What went through the fan-out, seen at the one place that nothing is lost after.
//
// Numbers 1..last are either a record's or a lost one's; a lag record that tells of n
// lost ones carries the number of the last of them.
struct FanOutLedger {
  uint64_t last = 0;
  uint64_t records = 0;  // lag records not counted
  uint64_t lag_records = 0;
  uint64_t lost = 0;         // the sum of what the lag records tell
  uint64_t out_of_step = 0;  // numbers that are not where they should be

  static bool IsLag(const Event& event) {
    return event.kind() == EventKind::kSubscriberOverflow && event.task() == "subscriber_listener";
  }

  void Note(const Event& event) {
    const bool lag = IsLag(event);
    const uint64_t step = lag ? event.count().value_or(0) : 1;
    if (event.sequence != last + step || step == 0) ++out_of_step;
    last = event.sequence;
    ++(lag ? lag_records : records);
    if (lag) lost += step;
  }

  // Read it only after the shutdown.
  static internal::Hooks HooksFor(FanOutLedger& ledger) {
    internal::Hooks hooks;
    hooks.on_observe = [&ledger](const Event& event) { ledger.Note(event); };
    return hooks;
  }
};

// A subscriber that keeps book of numbers, and of events of which a task may have one.
// Its fields belong to its thread; read them only after the shutdown.
class Bookkeeper final : public Subscriber {
 public:
  Bookkeeper(std::string name, size_t capacity, EventMask interests = EventMask::All())
      : name_(std::move(name)), capacity_(capacity), interests_(interests) {}

  void OnEvent(const Event& event) override {
    ++seen;
    if (event.sequence <= last) {
      ++not_increasing;
    } else {
      missing += event.sequence - last - 1;
    }
    last = event.sequence;
    if (event.id().has_value()) NoteEnd(event);
  }
  std::string_view Name() const override { return name_; }
  size_t QueueCapacity() const override { return capacity_; }
  EventMask Interests() const override { return interests_; }

  uint64_t seen = 0;
  uint64_t last = 0;
  uint64_t missing = 0;  // numbers skipped before `last`
  uint64_t not_increasing = 0;
  uint64_t after_ends = 0;  // a second end event of an id, or anything after its last

 private:
  enum End : uint8_t { kEnded = 1, kRemoved = 2, kRefused = 4 };

  void NoteEnd(const Event& event) {
    uint8_t mark = 0;
    switch (event.kind()) {
      case EventKind::kActorExhausted:
      case EventKind::kActorDead:
        mark = kEnded;
        break;
      case EventKind::kTaskRemoved:
        mark = kRemoved;
        break;
      case EventKind::kTaskAddFailed:
        mark = kRefused;
        break;
      case EventKind::kTaskRemoveRequested:
        return;  // may be asked for at any time
      default:
        break;
    }
    const auto found = ends_.find(event.id()->value());
    const uint8_t before = found == ends_.end() ? uint8_t{0} : found->second;
    const bool after_end = (before & kEnded) != 0 && mark != kRemoved;
    if (after_end || (before & (kRemoved | kRefused)) != 0) ++after_ends;
    if (mark != 0) ends_[event.id()->value()] = static_cast<uint8_t>(before | mark);
  }

  const std::string name_;
  const size_t capacity_;
  const EventMask interests_;
  std::unordered_map<uint64_t, uint8_t> ends_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_STRESS_EVENT_LEDGER_H_
