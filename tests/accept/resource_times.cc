#include "tests/accept/resource_times.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/accept/figures.h"
#include "tests/support/recorder.h"

namespace taskvisor::testing {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr Duration kWithin = 1ms;

// Real time, with stamps that are readings: the real clock's follow the wall clock, whose steps
// would count as errors.
class ExactClock final : public Clock {
 public:
  [[nodiscard]] TimePoint Now() const override { return RealClock()->Now(); }
  [[nodiscard]] WallTime WallAt(TimePoint reading) const override {
    return WallTime(reading.time_since_epoch());
  }
  [[nodiscard]] bool RunsByItself() const override { return true; }
  void Watch(const void*, std::function<void()>) override {}
  void Unwatch(const void*) override {}
};

// One attempt, as its body saw it.
struct Seen {
  Steady::time_point begin;
  Steady::time_point end;
  Duration cpu{};
};

// A task of the times check, with what the test saw of it from outside.
struct Watched {
  TaskWaiter waiter;
  Steady::time_point before_add;
  Steady::time_point after_add;
  std::vector<Seen> seen;  // of its attempts; read after its end
  std::optional<Duration> timeout;
};

// The worst of each identity over all attempts; 0 where a "not longer" holds.
struct Worst {
  Duration wall{};     // ready to end, less queue wait and run time
  Duration overrun{};  // run time, less timeout and overrun
  Duration cpu{};      // CPU time, less the body's own
  Duration beyond{};   // CPU time above run time
  Duration outside{};  // what the test's own clock contradicts
  size_t attempts = 0;
  size_t overruns = 0;
  bool complete = true;  // every field and event was there
};

Duration Distance(Duration a, Duration b) { return a > b ? a - b : b - a; }
void Raise(Duration& worst, Duration value) { worst = std::max(worst, value); }

void Judge(const Watched& task, const Seen& seen, const Event& end, WallTime ready, Worst& worst) {
  ++worst.attempts;
  if (!end.queue_wait() || !end.duration() || !end.cpu_time()) {
    worst.complete = false;
    return;
  }
  const Duration run = *end.duration();
  Raise(worst.wall, Distance(end.at() - ready, *end.queue_wait() + run));
  Raise(worst.beyond, *end.cpu_time() - run);
  Raise(worst.cpu, Distance(*end.cpu_time(), seen.cpu));
  Raise(worst.outside, seen.end - seen.begin - run);
  if (end.overrun()) {
    ++worst.overruns;
    Raise(worst.overrun, Distance(run, *task.timeout + *end.overrun()));
  } else if (task.timeout) {
    Raise(worst.overrun, run - *task.timeout);
  }
}

// All attempts of one task, from its events in their order.
void JudgeTask(const Watched& task, const std::vector<Event>& events, Worst& worst) {
  WallTime ready{};
  size_t attempt = 0;
  for (const Event& event : events) {
    if (event.kind() == EventKind::kTaskAdded) ready = event.at();
    if (event.kind() == EventKind::kBackoffScheduled) ready = event.at() + *event.delay();
    if (event.kind() != EventKind::kTaskStopped && event.kind() != EventKind::kTaskFailed) continue;
    if (attempt == task.seen.size()) break;
    Judge(task, task.seen[attempt++], event, ready, worst);
  }
  worst.complete = worst.complete && attempt == task.seen.size() && attempt > 0;
}

// Of a task with one attempt, by the test's clock alone.
void JudgeFromOutside(const Watched& task, Steady::time_point told, const TaskOutcome& outcome,
                      Worst& worst) {
  if (!outcome.queue_wait() || !outcome.run_time() || !outcome.cpu_time()) {
    worst.complete = false;
    return;
  }
  if (task.seen.size() != 1) return;
  const Seen& seen = task.seen.front();
  Raise(worst.outside, *outcome.queue_wait() - (seen.begin - task.before_add));
  const Duration whole = *outcome.queue_wait() + *outcome.run_time();
  Raise(worst.outside, whole - (told - task.before_add));
  Raise(worst.outside, (seen.end - task.after_add) - whole);
}

class TimesCheck {
 public:
  explicit TimesCheck(SupervisorConfig config) {
    config.subscribers = {recorder_};
    config.bus_capacity = 1 << 16;
    config.clock = std::make_shared<ExactClock>();
    supervisor_ = std::make_unique<Supervisor>(Supervisor::Create(std::move(config)).value());
    handle_ = std::make_unique<SupervisorHandle>(supervisor_->Serve());
  }

  // `body` of (attempt number) is timed from inside.
  template <class Body>
  void Add(Body body, std::optional<Duration> timeout = std::nullopt) {
    tasks_.push_back(std::make_unique<Watched>());
    Watched& task = *tasks_.back();
    task.timeout = timeout;
    auto spec = TaskSpec::Restartable([&task, body](TaskContext& context) -> TaskResult {
                  Seen seen{Steady::now(), {}, {}};
                  const Duration cpu = ThreadTime();
                  TaskResult result = body(context);
                  seen.cpu = ThreadTime() - cpu;
                  seen.end = Steady::now();
                  task.seen.push_back(seen);
                  return result;
                })
                    .WithCpuTime()
                    .WithMaxRetries(2)
                    .WithBackoff(BackoffPolicy::Constant(2ms));
    if (timeout) spec = std::move(spec).WithTimeout(*timeout);
    task.before_add = Steady::now();
    task.waiter = handle_->AddAndWatch(std::move(spec)).value().waiter;
    task.after_add = Steady::now();
  }

  Worst Finish() {
    Worst worst;
    for (const auto& task : tasks_) {
      const TaskOutcome outcome = task->waiter.Wait().value();
      JudgeFromOutside(*task, Steady::now(), outcome, worst);
    }
    worst.complete = worst.complete && handle_->Stats().events_lost == 0;
    worst.complete = handle_->Shutdown().ok() && worst.complete;
    std::map<TaskId, std::vector<Event>> by_task;
    for (const Event& event : recorder_->Events()) {
      if (event.id()) by_task[*event.id()].push_back(event);
    }
    for (const auto& task : tasks_) JudgeTask(*task, by_task[task->waiter.id()], worst);
    return worst;
  }

 private:
  const std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>("recorder", 1 << 16);
  std::vector<std::unique_ptr<Watched>> tasks_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<SupervisorHandle> handle_;
};

}  // namespace

bool Times(const char* form, SupervisorConfig config) {
  TimesCheck check(std::move(config));
  for (int i = 0; i < 40; ++i) {
    check.Add([](TaskContext&) { return Spin(1ms), Ok(); });
    check.Add([](TaskContext& context) { return context.SleepFor(1ms), Ok(); });
    check.Add([](TaskContext& context) {
      Spin(300us);
      return context.attempt() < 3 ? Fail("again") : Ok();
    });
    check.Add([](TaskContext&) { return Spin(3ms), Ok(); }, /*timeout=*/1ms);
    check.Add([](TaskContext&) { return Ok(); });
  }
  const Worst worst = check.Finish();
  const bool good = worst.complete && worst.attempts >= 40 * (1 + 1 + 3 + 1 + 1) &&
                    worst.overruns >= 40 && worst.wall <= kWithin && worst.overrun <= kWithin &&
                    worst.cpu <= kWithin && worst.beyond <= kWithin &&
                    worst.outside <= Duration::zero();
  const auto us = [](Duration d) { return std::chrono::duration<double, std::micro>(d).count(); };
  std::printf(R"({"check":"times","good":%s,"form":"%s","attempts":%zu,"overruns":%zu,)"
              R"("off_us":{"wait_and_run":%.3f,"timeout_and_overrun":%.3f,"cpu":%.3f,)"
              R"("cpu_above_run":%.3f,"own_clock":%.3f}})"
              "\n",
              Json(good), form, worst.attempts, worst.overruns, us(worst.wall), us(worst.overrun),
              us(worst.cpu), us(worst.beyond), us(worst.outside));
  return good;
}

}  // namespace taskvisor::testing
