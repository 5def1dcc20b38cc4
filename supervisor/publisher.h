#ifndef TASKVISOR_SUPERVISOR_PUBLISHER_H_
#define TASKVISOR_SUPERVISOR_PUBLISHER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>

#include "bus/bus.h"
#include "bus/late_wake.h"
#include "supervisor/entry.h"
#include "supervisor/event_record.h"
#include "taskvisor/clock.h"
#include "taskvisor/event.h"

namespace taskvisor::internal {

// Hands drafts to the bus as one run: consecutive numbers, or all of them lost. In line, so
// that a draft which is made where it is published is never a struct in memory.
template <class... Drafts>
[[gnu::always_inline]] inline void PublishRun(Bus<EventRecord>& bus, const Drafts&... drafts) {
  const std::tuple<const Drafts&...> run(drafts...);
  const auto write = [&run](auto i, EventRecord& record, SlotText<EventRecord>& text)
      __attribute__((always_inline)) {
    std::get<i>(run).WriteTo(record, text);
  };
  bus.PublishRun(std::array<uint32_t, sizeof...(Drafts)>{drafts.text_size()...}, write);
}

// Whom a draft is about. REQUIRES: until it is published, the caller owns the entry's phase,
// or holds a pin.
class EventName {
 public:
  explicit EventName(const Entry& entry)
      : id_(entry.Id()),
        name_(entry.name()),
        size_(entry.name_size.load(std::memory_order_relaxed)) {}

  [[nodiscard]] EventDraft Draft(EventKind kind, WallTime at) const {
    EventDraft draft(kind);
    draft.WithAt(at).WithId(id_);
    name_ != nullptr ? draft.WithTask(*name_, size_) : draft.Anonymous();
    return draft;
  }

 private:
  const TaskId id_;
  const Name* const name_;
  const uint8_t size_;
};

// The same, of a task that is not in the registry.
inline EventDraft DraftOf(TaskId id, std::string_view name, EventKind kind, WallTime at) {
  EventDraft draft(kind);
  draft.WithAt(at).WithId(id);
  name.empty() ? draft.Anonymous() : draft.WithTask(name);
  return draft;
}

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
    EventDraft draft = EventName(entry).Draft(kind, clock_.WallAt(now));
    more(draft);
    EmitOneOf(draft, entry.Tells(Entry::kChild) ? ParentOf(entry) : TaskId());
  }
  void Emit(EventKind kind, TimePoint now, const Entry& entry) {
    Emit(kind, now, entry, [](EventDraft&) {});
  }

  template <class More>
  void Emit(EventKind kind, TimePoint now, More more) {
    EventDraft draft(kind);
    draft.WithAt(clock_.WallAt(now));
    more(draft);
    EmitOne(draft);
  }

  // From a handler: what code of the user's threw, called `what`, which belongs to this task.
  void EmitThrown(std::string_view what, TaskId id, TimePoint now);

  // Drafts of one transition, as one claim.
  template <class... Drafts>
  [[gnu::always_inline]] void EmitRun(const Drafts&... drafts) {
    PublishRun(bus_, drafts...);
  }
  // The same, all about this task, which may be a child. REQUIRES: as Emit.
  template <class... Drafts>
  [[gnu::always_inline]] void EmitRunOf(const Entry& entry, const Drafts&... drafts) {
    if (entry.Tells(Entry::kChild)) [[unlikely]]
      return EmitCopies(ParentOf(entry), drafts...);
    PublishRun(bus_, drafts...);
  }
  // Of a child, where the others' drafts are to stay in registers: one to three. REQUIRES: as Emit.
  void EmitRunOfChild(TaskId parent, std::span<const EventDraft> run);
  // REQUIRES: a child.
  [[nodiscard]] static TaskId ParentOf(const Entry& entry);

  // As EmitRun; not in line, for what is rare.
  [[gnu::noinline]] void EmitOne(const EventDraft& draft) { PublishRun(bus_, draft); }
  // `parent`: not valid(), if it is nobody's child.
  void EmitOneOf(const EventDraft& draft, TaskId parent) {
    parent.valid() ? EmitRunOfChild(parent, {&draft, 1}) : EmitOne(draft);
  }
  // What was published is to be read now, if nobody has had it read: see Bus.
  void Rouse() { bus_.Rouse(); }
  // For a LateWake around what is published here.
  [[nodiscard]] Baton& wakes() { return bus_.baton(); }
  [[nodiscard]] WallTime WallAt(TimePoint now) const { return clock_.WallAt(now); }

 private:
  template <class... Drafts>
  [[gnu::noinline]] void EmitCopies(TaskId parent, Drafts... drafts) {
    const EventDraft run[] = {drafts...};
    EmitRunOfChild(parent, run);
  }

  Bus<EventRecord>& bus_;
  Clock& clock_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_PUBLISHER_H_
