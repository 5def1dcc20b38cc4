#ifndef TASKVISOR_SUPERVISOR_SUBSCRIBER_SET_H_
#define TASKVISOR_SUPERVISOR_SUBSCRIBER_SET_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "supervisor/alive.h"
#include "supervisor/hooks.h"
#include "taskvisor/subscriber.h"
#include "taskvisor/supervisor_config.h"

namespace taskvisor::internal {

// SubscriberSet
//
// Where the bus meets the users' subscribers: the alive tracker first, then each
// subscriber's queue; exceptions, overflow and lag turned into events.
class SubscriberSet final : public FanOutHooks<Event> {
 public:
  // `live` lists the registered ids, to reconcile the tracker after lag.
  SubscriberSet(const SupervisorConfig& config, const Hooks& hooks,
                std::function<std::vector<TaskId>()> live);

  [[nodiscard]] Bus<Event>& bus() { return bus_; }
  [[nodiscard]] const AliveTracker& alive() const { return alive_; }
  [[nodiscard]] std::vector<SubscriberStats> Stats() const;

  // Ends the bus in order: fan-out drained and joined, then all subscribers together
  // get until `deadline`; what is queued then is dropped, and a callback that still
  // runs keeps what it needs alive. False if a subscriber was cut off.
  bool Close(Clock& clock, Duration drain);

 private:
  void Observe(const Event& event) noexcept override;
  Event MakeLag(uint64_t lost) noexcept override;
  Event MakeRefusal(const Subscription<Event>& subscription, Subscription<Event>::Offered why,
                    uint64_t count) noexcept override;
  void OnIdle() noexcept override { Reconcile(); }
  bool IsDiagnostic(const Event& event) const noexcept override {
    return event.IsInternalDiagnostic();
  }

  void Reconcile() noexcept;

  const Hooks& hooks_;
  Clock& clock_;
  const std::function<std::vector<TaskId>()> live_;
  AliveTracker alive_;
  // The fan-out thread's: events were lost since the tracker was reconciled. Done when
  // there is time, or when the tracker has doubled, because it reads the whole registry.
  bool stale_ = false;
  size_t reconciled_size_ = 0;
  const std::shared_ptr<EventCount> done_ = std::make_shared<EventCount>();
  // A way for callbacks' exceptions back onto the bus; emptied before the bus goes.
  struct BackChannel;
  const std::shared_ptr<BackChannel> back_channel_;
  Bus<Event> bus_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_SUBSCRIBER_SET_H_
