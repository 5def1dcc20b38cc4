#include "supervisor/subscriber_set.h"

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <mutex>
#include <span>
#include <typeinfo>
#include <utility>

#include "sched/timed_wait.h"
#include "supervisor/line_buffer.h"
#include "supervisor/publisher.h"
#include "supervisor/text.h"

namespace taskvisor::internal {
namespace {

constexpr size_t kReconcileSlack = 1024;

static_assert(ReportText::kCapacity >= EventDraft::kMostText);
static_assert(Slot<EventRecord>::SpanOf(EventDraft::kMostText) <= Bus<EventRecord>::kLongest);

Report<EventRecord> ReportOf(const EventDraft& draft) {
  Report<EventRecord> report;
  draft.WriteTo(report.record, report.text);
  return report;
}

std::string NameOf(const Subscriber& subscriber) {
  if (const std::string_view name = subscriber.Name(); !name.empty()) return std::string(name);
  int status = 0;
  const char* mangled = typeid(subscriber).name();
  const std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return status == 0 ? readable.get() : mangled;
}

}  // namespace

// A lock is fine: taken only when a callback throws, and at the end. A subscriber that
// outlives the supervisor finds it empty.
struct SubscriberSet::BackChannel {
  std::mutex mutex;
  Bus<EventRecord>* bus = nullptr;
  Clock* clock = nullptr;

  void Report(const std::string& subscriber, std::string_view what) {
    std::lock_guard lock(mutex);
    if (bus == nullptr) return;
    const WallTime at = clock->WallAt(clock->Now());
    EventDraft draft(EventKind::kSubscriberPanicked);
    PublishRun(*bus, draft.WithAt(at).WithTask(subscriber).WithReason(what));
  }
};

namespace {

template <class BackChannel>
class UserSink final : public Sink<EventRecord> {
 public:
  UserSink(std::shared_ptr<Subscriber> subscriber, std::string name,
           std::shared_ptr<BackChannel> back_channel)
      : subscriber_(std::move(subscriber)),
        name_(std::move(name)),
        interests_(subscriber_->Interests()),
        back_channel_(std::move(back_channel)) {}

  uint64_t WantedOf(std::span<const EventRecord* const> records) const noexcept override {
    if (interests_ == EventMask::All()) return FirstBits(records.size());
    return SelectOf(records, [&](const EventRecord& r) { return interests_.Has(r.kind); });
  }

  // A subscriber may hold a handle, and a handle the supervisor: the ring of references
  // ends here, and the subscriber is gone when the shutdown is over.
  void OnClosed() noexcept override { subscriber_.reset(); }

  void OnRecord(const EventRecord& record) noexcept override {
    record.ReadTo(event_);
    try {
      subscriber_->OnEvent(event_);
    } catch (const std::exception& error) {
      Report(WhatOf(error));
    } catch (...) {
      Report("unknown panic");
    }
  }

 private:
  // Failing at one of our own reports is not reported again: no feedback loop.
  void Report(std::string_view what) {
    if (!event_.IsInternalDiagnostic()) back_channel_->Report(name_, what);
  }

  std::shared_ptr<Subscriber> subscriber_;
  const std::string name_;
  const EventMask interests_;
  const std::shared_ptr<BackChannel> back_channel_;
  Event event_;  // the one that is being handled
};

template <class BackChannel>
Bus<EventRecord>::Subscriptions Subscribe(const SupervisorConfig& config,
                                          const std::shared_ptr<EventCount>& done,
                                          const std::shared_ptr<BackChannel>& back_channel) {
  Bus<EventRecord>::Subscriptions subscriptions;
  for (const auto& subscriber : config.subscribers) {
    const std::string name = NameOf(*subscriber);
    auto sink = std::make_unique<UserSink<BackChannel>>(subscriber, name, back_channel);
    auto subscription = std::make_shared<Subscription<EventRecord>>(
        name, subscriber->QueueCapacity(), std::move(sink));
    subscription->SetDoneListener(done);
    subscriptions.push_back(std::move(subscription));
  }
  return subscriptions;
}

}  // namespace

SubscriberSet::SubscriberSet(const SupervisorConfig& config, const Hooks& hooks, Members members)
    : hooks_(hooks),
      clock_(*config.clock),
      members_(std::move(members)),
      recorder_(std::make_shared<FlightRecorder>(config.flight_recorder_events)),
      back_channel_(std::make_shared<BackChannel>()),
      bus_(config.bus_capacity, Subscribe(config, done_, back_channel_), *this,
           hooks.bus_threads == 0 ? Ring<EventRecord>::Options()
                                  : Ring<EventRecord>::Options{.max_threads = hooks.bus_threads},
           hooks.executor.get(),
           /*attended=*/hooks.on_observe != nullptr || hooks.executor != nullptr) {
  std::lock_guard lock(back_channel_->mutex);
  back_channel_->bus = &bus_;
  back_channel_->clock = &clock_;
}

std::vector<SubscriberStats> SubscriberSet::Stats() const {
  std::vector<SubscriberStats> stats;
  for (const auto& subscription : bus_.subscriptions()) {
    const SubscriptionCounts counts = subscription->Counts();
    stats.push_back(
        {subscription->name(), counts.offered, counts.delivered, counts.dropped, counts.queued});
  }
  return stats;
}

bool SubscriberSet::Close(Clock& clock, Duration drain) {
  const TimePoint deadline = SaturatingAdd(clock.Now(), drain);
  {
    std::lock_guard lock(back_channel_->mutex);
    back_channel_->bus = nullptr;
  }
  bus_.Close();
  bus_.Join();
  const auto all_done = [this] {
    for (const auto& subscription : bus_.subscriptions()) {
      if (!subscription->Done()) return false;
    }
    return true;
  };
  const bool done = AwaitUntil(clock, *done_, deadline, all_done);
  for (const auto& subscription : bus_.subscriptions()) subscription->Abandon();
  return done;
}

void SubscriberSet::Observe(const EventRecord& record) noexcept {
  recorder_->Record(record);
  try {
    if (hooks_.on_observe) {
      batch_.reset();  // a test may ask
      record.ReadTo(seen_);
      hooks_.on_observe(seen_);
    }
    if (!AliveTracker::Cares(record.kind)) return;
    Alive().Update({record.kind, record.sequence, TaskId(record.id, record.slot), record.name()});
  } catch (const std::exception& error) {
    if (IsInternalDiagnostic(record.kind)) return;
    EventDraft draft(EventKind::kRuntimeFailure);
    draft.WithAt(clock_.WallAt(clock_.Now())).WithTask("event_relay").WithReason(WhatOf(error));
    bus_.PublishReport(ReportOf(draft));
  }
}

Report<EventRecord> SubscriberSet::MakeLag(uint64_t lost) noexcept {
  static_cast<void>(Reconcile());
  stale_ = true;  // there may be records of earlier tickets that a pass has not seen yet
  LineBuffer reason;
  reason.Text("lagged(").Decimal(lost).Text(")");
  EventDraft draft(EventKind::kSubscriberOverflow);
  draft.WithAt(clock_.WallAt(clock_.Now()))
      .WithTask("subscriber_listener")
      .WithReason(reason.view())
      .WithCount(lost);
  return ReportOf(draft);
}

bool SubscriberSet::Reconcile() noexcept {
  AliveTracker::Batch& alive = Alive();
  if (alive.size() <= 2 * members_.count() + kReconcileSlack) return false;
  try {
    alive.Reconcile(members_.has);
  } catch (const std::exception&) {
    // No memory: the tracker stays as it was; it is a cache.
  }
  return true;
}

Report<EventRecord> SubscriberSet::MakeRefusal(const Subscription<EventRecord>& subscription,
                                               Subscription<EventRecord>::Offered why,
                                               uint64_t count) noexcept {
  const bool full = why == Subscription<EventRecord>::Offered::kFull;
  EventDraft draft(EventKind::kSubscriberOverflow);
  draft.WithAt(clock_.WallAt(clock_.Now()))
      .WithTask(subscription.name())
      .WithReason(full ? "full" : "closed")
      .WithCount(count);
  return ReportOf(draft);
}

}  // namespace taskvisor::internal
