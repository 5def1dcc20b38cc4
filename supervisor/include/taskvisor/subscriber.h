#ifndef TASKVISOR_SUBSCRIBER_H_
#define TASKVISOR_SUBSCRIBER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "taskvisor/event.h"

namespace taskvisor {

// Subscriber
//
// Receives events on a thread of its own, one at a time, in the order of their
// sequence; between subscribers there is no order. A callback may block: it delays
// nobody but itself, and while its queue is full new events are dropped for it alone,
// counted, and reported as SubscriberOverflow{reason "full", count}: once per episode,
// when it takes an event again or at the end. Events of kinds outside Interests() cost it
// nothing.
//
// An exception out of OnEvent becomes SubscriberPanicked; the next event follows.
//
// Name, QueueCapacity and Interests are read once, when the supervisor is created.
// When a shutdown's subscriber drain is over (SupervisorConfig::subscriber_drain), a callback
// that runs, or was just about to, may outlast the shutdown; no further one follows.
// OnEvent may call the supervisor's handle; blocking on a shutdown from inside it makes
// that shutdown wait for its subscriber drain to expire.
class Subscriber {
 public:
  virtual ~Subscriber() = default;

  virtual void OnEvent(const Event& event) = 0;

  // For reports about this subscriber. Default: the name of its type.
  [[nodiscard]] virtual std::string_view Name() const { return {}; }

  // Events that may wait for OnEvent, 600 bytes each; taken as at least 1 and at most
  // 16,777,216.
  [[nodiscard]] virtual size_t QueueCapacity() const { return 1024; }

  // Kinds to receive; the others cost this subscriber nothing.
  [[nodiscard]] virtual EventMask Interests() const { return EventMask::All(); }
};

// What became of one subscriber's events. At any moment
// offered == delivered + dropped + queued; `queued` is 0 once it is closed.
struct SubscriberStats {
  std::string name;
  uint64_t offered = 0;    // of its kinds, through the bus
  uint64_t delivered = 0;  // handed to OnEvent
  uint64_t dropped = 0;    // its queue was full, or its drain time was up
  uint64_t queued = 0;
};

}  // namespace taskvisor

#endif  // TASKVISOR_SUBSCRIBER_H_
