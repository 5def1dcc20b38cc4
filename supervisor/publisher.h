#ifndef TASKVISOR_SUPERVISOR_PUBLISHER_H_
#define TASKVISOR_SUPERVISOR_PUBLISHER_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bus/bus.h"
#include "bus/late_wake.h"
#include "supervisor/entry.h"
#include "supervisor/event_record.h"
#include "taskvisor/clock.h"
#include "taskvisor/event.h"

namespace taskvisor::internal {

// Hands drafts to the bus as one run: consecutive numbers, or all of them lost.
template <class... Drafts>
void PublishRun(Bus<EventRecord>& bus, const Drafts&... drafts) {
  const std::array<const EventDraft*, sizeof...(Drafts)> run{&drafts...};
  bus.PublishRun(std::array<uint32_t, sizeof...(Drafts)>{drafts.text_size()...},
                 [&](size_t i, EventRecord& record, SlotText<EventRecord>& text) {
                   run[i]->WriteTo(record, [&](std::string_view part) { text.Append(part); });
                 });
}

// The name of a task for its drafts, which refer to it.
class EventName {
 public:
  // REQUIRES: the caller owns the entry's phase, or holds a pin.
  explicit EventName(const Entry& entry) : id_(entry.Id()), named_(entry.named) {
    if (named_) size_ = entry.name()->CopyTo(text_);
  }
  EventName(TaskId id, std::string_view name) : id_(id), named_(!name.empty()) {
    size_ = std::min(name.size(), sizeof(text_));
    std::copy_n(name.data(), size_, text_);
  }

  // An event about the task.
  [[nodiscard]] EventDraft Draft(EventKind kind, WallTime at) const {
    EventDraft draft(kind);
    draft.WithAt(at).WithId(id_);
    named_ ? draft.WithTask({text_, size_}) : draft.Anonymous();
    return draft;  // by its name: made where it goes, never copied
  }

 private:
  const TaskId id_;
  const bool named_;
  size_t size_ = 0;
  char text_[kMaxNameLength + 1];  // Name copies whole words
};

// Publisher
//
// The one way onto the bus: stamps and addresses events. `now` is the reading of the
// transition that an event belongs to, shared by all its events. Never blocks; losing an
// event changes nothing else.
class Publisher {
 public:
  Publisher(Bus<EventRecord>& bus, Clock& clock) : bus_(bus), clock_(clock) {}

  // About one task; more(EventDraft&) adds fields, as views of texts that outlive the
  // call. REQUIRES: the caller owns the entry's phase, or holds a pin.
  template <class More>
  void Emit(EventKind kind, TimePoint now, const Entry& entry, More more) {
    const EventName name(entry);
    EventDraft draft = name.Draft(kind, clock_.WallAt(now));
    more(draft);
    PublishRun(bus_, draft);
  }
  void Emit(EventKind kind, TimePoint now, const Entry& entry) {
    Emit(kind, now, entry, [](EventDraft&) {});
  }

  template <class More>
  void Emit(EventKind kind, TimePoint now, More more) {
    EventDraft draft(kind);
    draft.WithAt(clock_.WallAt(now));
    more(draft);
    PublishRun(bus_, draft);
  }

  // Drafts of one transition, as one claim.
  template <class... Drafts>
  void EmitRun(const Drafts&... drafts) {
    PublishRun(bus_, drafts...);
  }
  // For a LateWake around what is published here.
  [[nodiscard]] Baton& wakes() { return bus_.baton(); }
  [[nodiscard]] WallTime WallAt(TimePoint now) const { return clock_.WallAt(now); }

 private:
  Bus<EventRecord>& bus_;
  Clock& clock_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_PUBLISHER_H_
