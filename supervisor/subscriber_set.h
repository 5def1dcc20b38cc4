#ifndef TASKVISOR_SUPERVISOR_SUBSCRIBER_SET_H_
#define TASKVISOR_SUPERVISOR_SUBSCRIBER_SET_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "supervisor/alive.h"
#include "supervisor/event_record.h"
#include "supervisor/flight_recorder.h"
#include "supervisor/hooks.h"
#include "taskvisor/subscriber.h"
#include "taskvisor/supervisor_config.h"

namespace taskvisor::internal {

// SubscriberSet
//
// Where the bus meets the users' subscribers: the flight recorder and the alive tracker
// first, then each subscriber's queue; exceptions, overflow and lag turned into events.
class SubscriberSet final : public FanOutHooks<EventRecord> {
 public:
  // What the registry knows, whatever events were lost.
  struct Members {
    AliveTracker::IsLive has;
    std::function<uint64_t()> count;
  };
  SubscriberSet(const SupervisorConfig& config, const Hooks& hooks, Members members);

  [[nodiscard]] Bus<EventRecord>& bus() { return bus_; }
  [[nodiscard]] const AliveTracker& alive() const { return alive_; }
  // What it says of registered tasks, with what was published before, if it comes in time: see
  // Bus::CatchUp.
  [[nodiscard]] std::vector<std::string> AliveSnapshot() {
    bus_.CatchUp();
    return alive_.Snapshot(members_.has);
  }
  [[nodiscard]] bool IsAlive(std::string_view name) {
    bus_.CatchUp();
    return alive_.IsAlive(name, members_.has);
  }
  // Its own owner: a crash dump may hold it for longer than this.
  [[nodiscard]] const std::shared_ptr<FlightRecorder>& recorder() const { return recorder_; }
  // The same of what the recorder has.
  void DumpRecent(int fd) noexcept {
    bus_.CatchUp();
    recorder_->Dump(fd);
  }
  [[nodiscard]] std::vector<SubscriberStats> Stats() const;

  // Ends the bus in order: fan-out drained and joined, then all subscribers together
  // get until `deadline`; what is queued then is dropped, and a callback that still
  // runs keeps what it needs alive. False if a subscriber was cut off.
  bool Close(Clock& clock, Duration drain);

 private:
  void Observe(const EventRecord& record) noexcept override;
  Report<EventRecord> MakeLag(uint64_t lost) noexcept override;
  Report<EventRecord> MakeRefusal(const Subscription<EventRecord>& subscription,
                                  Subscription<EventRecord>::Offered why,
                                  uint64_t count) noexcept override;
  void OnHandedOver() noexcept override { batch_.reset(); }
  void OnIdle() noexcept override {
    if (stale_ && Reconcile()) stale_ = false;
    batch_.reset();
  }
  bool IsDiagnostic(const EventRecord& record) const noexcept override {
    return IsInternalDiagnostic(record.kind);
  }

  // Where that drops half of the tracker at least, since it looks at all of it. False: it would
  // not.
  bool Reconcile() noexcept;
  // To change the tracker with, until what was observed is handed over.
  AliveTracker::Batch& Alive() { return batch_.has_value() ? *batch_ : batch_.emplace(alive_); }

  const Hooks& hooks_;
  Clock& clock_;
  const Members members_;
  const std::shared_ptr<FlightRecorder> recorder_;
  AliveTracker alive_;
  Event seen_;  // the fan-out thread's, to read records into
  // The fan-out thread's: events were lost since the tracker was reconciled.
  bool stale_ = false;
  std::optional<AliveTracker::Batch> batch_;
  const std::shared_ptr<EventCount> done_ = std::make_shared<EventCount>();
  // A way for callbacks' exceptions back onto the bus; emptied before the bus goes.
  struct BackChannel;
  const std::shared_ptr<BackChannel> back_channel_;
  Bus<EventRecord> bus_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_SUBSCRIBER_SET_H_
