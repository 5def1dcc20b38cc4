#include "tests/accept/replay_scenario.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kDays = 10;

std::string NameOf(size_t i) { return "job-" + std::to_string(i); }

Duration Minutes(uint64_t n) { return std::chrono::minutes(n); }

// A task's life as its events tell it, by statement 27 of the contract.
class Story {
 public:
  // False: this event cannot come now.
  [[nodiscard]] bool Goes(EventKind kind) {
    switch (kind) {
      case EventKind::kTaskAddRequested:
        return Move(kNew, kRequested);
      case EventKind::kTaskAdded:
        return Move(kRequested, kBetween);
      case EventKind::kTaskAddFailed:
        return Move(kRequested, kOver);
      case EventKind::kTaskStarting:
        timed_out_ = false;
        return Move(kBetween, kInside);
      case EventKind::kTimeoutHit:
        return state_ == kInside && !std::exchange(timed_out_, true);
      case EventKind::kTaskStuck:
      case EventKind::kTaskRecovered:
        return state_ == kInside;
      case EventKind::kTaskStopped:
      case EventKind::kTaskFailed:
        return Move(kInside, kAfter);
      case EventKind::kBackoffScheduled:
        return Move(kAfter, kBetween);
      case EventKind::kActorExhausted:
      case EventKind::kActorDead:
        if (state_ == kAfter) state_ = kBetween;
        return Move(kBetween, kEnded) || Move(kInside, kEnded);  // inside: it is stuck
      case EventKind::kTaskRemoved:
        return Move(kEnded, kOver);
      default:
        return kind == EventKind::kTaskRemoveRequested;
    }
  }
  // A task that is stuck when the bus is closed cannot tell of its last event.
  [[nodiscard]] bool Over(bool stuck) const { return state_ == (stuck ? kEnded : kOver); }

 private:
  enum State : uint8_t { kNew, kRequested, kBetween, kInside, kAfter, kEnded, kOver };
  bool Move(State from, State to) {
    if (state_ == from) return state_ = to, true;
    return false;
  }
  State state_ = kNew;
  bool timed_out_ = false;
};

}  // namespace

// A subscriber that is slow now and then, and loses some.
class Scenario::Counter : public Subscriber {
 public:
  void OnEvent(const Event& event) override {
    ++delivered;
    if (clock != nullptr && event.sequence % 64 == 0) {
      DetachedContext detached({.clock = clock});
      detached.context().SleepFor(3h);
    }
  }
  [[nodiscard]] std::string_view Name() const override { return "counter"; }
  [[nodiscard]] size_t QueueCapacity() const override { return 64; }

  std::shared_ptr<Clock> clock;
  uint64_t delivered = 0;
};

Scenario::Scenario(uint64_t seed)
    : seed_(seed),
      counter_(std::make_shared<Counter>()),
      simulation_({.seed = seed,
                   .config = {.workers = 4,
                              .grace = 30min,
                              .subscriber_drain = 1h,
                              .max_concurrent = kPermits,
                              .max_tasks = 1024,
                              .bus_capacity = 4096,
                              .subscribers = {counter_}}}) {
  counter_->clock = simulation_.clock();
}

TaskResult Scenario::Work(size_t i, TaskContext& context, bool deaf) {
  ++attempts_;
  most_inside_ = std::max(most_inside_, ++inside_);
  Random draws = DrawsOf(i, context);
  const Duration duration = Minutes(1 + draws.Below(40));
  bool slept = true;
  if (deaf) {
    DetachedContext detached({.clock = simulation_.clock()});
    slept = detached.context().SleepFor(duration);
  } else {
    slept = context.SleepFor(duration);
  }
  context.Beat();
  --inside_;
  if (!slept) return Cancelled();
  return draws.Percent(20) ? Fail("bad luck") : Ok();
}

Async<TaskResult> Scenario::WorkAsync(size_t i, TaskContext& context) {
  ++attempts_;
  Random draws = DrawsOf(i, context);
  if (draws.Percent(30)) context.KeepPermit();
  for (uint64_t steps = draws.Below(4); steps > 0; --steps) {
    if (!co_await SleepFor(Minutes(draws.Below(60)))) co_return Cancelled();
    co_await Yield();
  }
  if (draws.Percent(10)) throw FatalError("broken");
  co_return draws.Percent(20) ? Fail("bad luck") : Ok();
}

TaskSpec Scenario::SpecOf(size_t i) {
  const Duration every = Minutes(150 + 7 * i);
  const auto plain = [this, i](TaskContext& context) { return Work(i, context, /*deaf=*/false); };
  const auto deaf = [this, i](TaskContext& context) { return Work(i, context, /*deaf=*/true); };
  const auto async = [this, i](TaskContext& context) { return WorkAsync(i, context); };
  const auto backoff = BackoffPolicy::Exponential(5min).WithMax(2h).WithJitter(
      i % 2 == 0 ? Jitter::kFull : Jitter::kEqual);
  const std::string name = NameOf(i);
  switch (i % 9) {
    case 0:
      return TaskSpec::Periodic(name, every, plain).WithBackoff(backoff);
    case 1:
      return TaskSpec::Restartable(name,
                                   [this, i](TaskContext& context) {
                                     ++attempts_;
                                     return DrawsOf(i, context).Percent(90) ? Fail("not yet")
                                                                            : Ok();
                                   })
          .WithBackoff(backoff)
          .WithMaxRetries(12);
    case 2:
      return TaskSpec::Periodic(name, every, async).WithBackoff(backoff);
    case 3:
      return TaskSpec::Periodic(name, every, plain).WithBackoff(backoff).WithTimeout(20min);
    case 4:
      return TaskSpec::Periodic(name, every, deaf).WithBackoff(backoff).WithTimeout(10min);
    case 5:
      return TaskSpec::Periodic(name, every, plain).WithBackoff(backoff).WithDeadline(30h);
    case 6:
      return TaskSpec::Periodic(name, every, plain)
          .WithBackoff(backoff)
          .WithPriority(i % 2 == 0 ? Priority::kHigh : Priority::kLow);
    case 7:
      return TaskSpec::Periodic(name, every, plain).WithBackoff(backoff).WithHeartbeat(20min);
    default:
      return TaskSpec::Periodic(name, every, async).WithBackoff(backoff).WithTimeout(45min);
  }
}

void Scenario::Add(size_t i) {
  TaskSpec spec = SpecOf(i);
  TaskWaiter waiter = spec.Watch();
  const auto id = simulation_.handle().TryAdd(std::move(spec));
  if (id.ok()) waiters_[id->value()] = std::move(waiter);
}

void Scenario::AddManagers() {
  const SupervisorHandle handle = simulation_.handle();
  simulation_.Add(TaskSpec::Periodic("remover", 5h, [this, handle](TaskContext& context) {
    Random draws = DrawsOf(kNamed, context);
    for (int n = 0; n < 3; ++n) {
      static_cast<void>(handle.RemoveByName(NameOf(draws.Below(kNamed))));
    }
  }));
  simulation_.Add(TaskSpec::Periodic("adder", 3h, [this]() -> Async<> {
    for (size_t i = 0; i < kNamed; ++i) {
      Add(i);
      if (i % 16 == 15) co_await Yield();
    }
  }));
  simulation_.Add(TaskSpec::Periodic("batcher", 8h, [this, handle] {
    std::vector<TaskSpec> batch;
    for (size_t i = 0; i < 5; ++i) {
      batch.push_back(TaskSpec::Once(
          [this, i](TaskContext& context) { return Work(100 + i, context, /*deaf=*/i == 0); }));
    }
    handle.AddBatch(std::move(batch)).IgnoreError();
  }));
}

void Scenario::ADay(Random& random) {
  simulation_.AdvanceBy(24h);
  const SupervisorHandle& handle = simulation_.handle();
  handle.CancelByName(NameOf(random.Below(kNamed))).IgnoreError();
  handle.CancelByNameWithTimeout(NameOf(random.Below(kNamed)), 2min).IgnoreError();
  handle.TryAdd(SpecOf(random.Below(kNamed))).IgnoreError();  // its name may be taken
}

void Scenario::Run() {
  for (size_t i = 0; i < kNamed; ++i) Add(i);
  AddManagers();
  Random random(seed_);
  for (int day = 0; day < kDays; ++day) ADay(random);
  const absl::Status status = simulation_.Shutdown();
  const auto exceeded = GraceExceeded::From(status);
  clean_ = status.ok() || exceeded.has_value();
  if (exceeded.has_value()) {
    for (const StuckTask& task : exceeded->stuck) stuck_.insert(task.id.value());
  }
  simulation_.RunUntilIdle();  // who was stuck comes back
}

std::string Scenario::FaultOfEvents() const {
  std::map<uint64_t, Story> stories;
  uint64_t last = 0;
  for (const Event& event : simulation_.events()) {
    if (event.sequence != ++last) return "an event is missing before " + event.ToString();
    if (event.id().has_value() && !stories[event.id()->value()].Goes(event.kind())) {
      return "out of order: " + event.ToString();
    }
  }
  for (const auto& [id, story] : stories) {
    if (!story.Over(stuck_.contains(id)))
      return "the story of task " + std::to_string(id) + " has no end";
  }
  return {};
}

std::string Scenario::Fault() const {
  const SupervisorHandle& handle = simulation_.handle();
  const SupervisorStats stats = handle.Stats();
  const SubscriberStats counted = handle.SubscriberStats().at(0);
  if (!clean_) return "the shutdown failed";
  if (stats.tasks != 0 || !handle.List().empty()) return "a task is left";
  for (size_t i = 0; i < kNamed; ++i) {
    if (handle.IsAlive(NameOf(i))) return "a name is left: " + NameOf(i);
  }
  for (const auto& [id, waiter] : waiters_) {
    if (!waiter.Ready() || !waiter.IsDrained()) return "no outcome: " + std::to_string(id);
  }
  if (stats.permits != int64_t{kPermits}) {
    return "permits: " + std::to_string(stats.permits.value_or(-1)) + " of " +
           std::to_string(kPermits);
  }
  if (inside_ != 0 || most_inside_ > static_cast<int>(kPermits)) return "more bodies than permits";
  if (stats.events_published != events() || stats.events_lost != 0) {
    return "events: " + std::to_string(events()) + " seen, " +
           std::to_string(stats.events_published) + " published, " +
           std::to_string(stats.events_lost) + " lost";
  }
  if (counted.offered != counted.delivered + counted.dropped + counted.queued ||
      counted.delivered != counter_->delivered) {
    return "a subscriber's events do not add up";
  }
  return FaultOfEvents();
}

}  // namespace taskvisor::testing
