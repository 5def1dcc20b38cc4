#ifndef TASKVISOR_SUPERVISOR_PUBLISHER_H_
#define TASKVISOR_SUPERVISOR_PUBLISHER_H_

#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "bus/bus.h"
#include "supervisor/entry.h"
#include "taskvisor/clock.h"
#include "taskvisor/event.h"

namespace taskvisor::internal {

// Publisher
//
// The one way onto the bus: stamps and addresses an event in the ring's slot. `now` is
// the reading of the transition that the event belongs to, shared by all its events.
// Never blocks; losing an event changes nothing else.
class Publisher {
 public:
  Publisher(Bus<Event>& bus, Clock& clock) : bus_(bus), clock_(clock) {}

  // About one task; more(Event&) adds fields. REQUIRES: the caller owns the entry's
  // phase, or holds a pin.
  template <class More>
  void Emit(EventKind kind, TimePoint now, const Entry& entry, More more) {
    Emit(kind, now, [&](Event& event) {
      Address(event, entry);
      more(event);
    });
  }
  void Emit(EventKind kind, TimePoint now, const Entry& entry) {
    Emit(kind, now, entry, [](Event&) {});
  }

  template <class More>
  void Emit(EventKind kind, TimePoint now, More more) {
    const WallTime at = clock_.WallAt(now);
    bus_.Publish([&](Event& slot) {
      new (&slot) Event(kind);
      slot.WithAt(at);
      more(slot);
    });
  }

  static void Address(Event& event, const Entry& entry) {
    const TaskId id = entry.Id();
    event.WithId(id);
    if (!entry.named) {
      event.WithTask(id.ToString());
      return;
    }
    char text[kMaxNameLength + 1];
    event.WithTask({text, entry.name.name.CopyTo(text)});
  }

 private:
  Bus<Event>& bus_;
  Clock& clock_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_PUBLISHER_H_
