#include "tests/stress/workload.h"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace taskvisor::testing {
namespace {

using std::chrono::microseconds;

constexpr Duration kLong = std::chrono::hours(1);

// Counts a body in and out, and what must hold meanwhile.
class Visit {
 public:
  Visit(Probe& probe, Workload::Shared& shared, const TaskContext& context)
      : probe_(probe), shared_(shared) {
    const uint32_t run = probe_.runs.fetch_add(1, std::memory_order_acq_rel) + 1;
    Violations& violations = shared_.violations;
    if (run != context.attempt()) violations.bad_attempt.fetch_add(1);
    if (probe_.inside.exchange(true, std::memory_order_acq_rel)) violations.overlaps.fetch_add(1);
    if (shared_.inside.fetch_add(1) >= shared_.max_inside) violations.over_limit.fetch_add(1);
  }
  ~Visit() {
    shared_.inside.fetch_sub(1);
    probe_.inside.store(false, std::memory_order_release);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  Probe& probe_;
  Workload::Shared& shared_;
};

void SpinPastDeadline(const TaskContext& context) {
  while (context.Now() <= context.Deadline() + microseconds(10)) {
  }
}

TaskResult Body(Probe& probe, Workload::Shared& shared, TaskContext& context) {
  const Visit visit(probe, shared, context);
  const uint32_t attempt = context.attempt();
  switch (probe.kind) {
    case BodyKind::kOk:
      return Ok();
    case BodyKind::kRetry:
      return attempt > probe.bad_attempts ? Ok() : Fail("not yet");
    case BodyKind::kExhaust:
      return Fail("never").WithExitCode(7);
    case BodyKind::kThrow:
      if (attempt <= probe.bad_attempts) throw std::runtime_error("thrown");
      return Ok();
    case BodyKind::kThrowFatal:
      throw FatalError("fatal", 3);
    case BodyKind::kFatal:
      return Fatal("fatal").WithExitCode(3);
    case BodyKind::kCancelsItself:
      return Cancelled();
    case BodyKind::kTimesOut:
      return context.SleepFor(kLong) ? Fatal("slept an hour") : Cancelled();
    case BodyKind::kTimesOutLate:
      SpinPastDeadline(context);
      return Ok();
    case BodyKind::kTimeoutRetry:
      if (attempt == 1) static_cast<void>(context.SleepFor(kLong));
      return Ok();
    case BodyKind::kPeriodic:
      return attempt >= 3 ? Cancelled() : Ok();
    case BodyKind::kParent:
      shared.add_child(probe.number);
      return Ok();
  }
  return Ok();
}

BackoffPolicy Backoff(Random& random) {
  const Duration first = random.Percent(50) ? Duration::zero() : microseconds(50);
  return BackoffPolicy::Make({.first = first, .max = microseconds(100)}).value();
}

// What the task ends with if nobody stops it.
OutcomeKind Expected(BodyKind kind) {
  switch (kind) {
    case BodyKind::kExhaust:
    case BodyKind::kTimesOut:
    case BodyKind::kTimesOutLate:
      return OutcomeKind::kFailed;
    case BodyKind::kThrowFatal:
    case BodyKind::kFatal:
      return OutcomeKind::kFatal;
    case BodyKind::kCancelsItself:
    case BodyKind::kPeriodic:
      return OutcomeKind::kCancelled;
    default:
      return OutcomeKind::kCompleted;
  }
}

// Attempts of a task that nobody stops; 0: not fixed.
uint32_t ExpectedAttempts(const Probe& probe) {
  switch (probe.kind) {
    case BodyKind::kRetry:
    case BodyKind::kThrow:
      return probe.bad_attempts + 1;
    case BodyKind::kExhaust:
    case BodyKind::kPeriodic:
      return 3;
    case BodyKind::kTimeoutRetry:
      return 0;  // its short attempt, too, may miss a deadline that is real time
    default:
      return 1;
  }
}

}  // namespace

TaskSpec Workload::Draw(const std::shared_ptr<Probe>& probe, uint64_t named) {
  probe->kind = static_cast<BodyKind>(random_.Below(kBodyKinds));
  // Real waits of milliseconds: enough of them, but not most of the run.
  const bool slow = probe->kind == BodyKind::kPeriodic || probe->kind == BodyKind::kTimesOut ||
                    probe->kind == BodyKind::kTimeoutRetry;
  if (slow && random_.Percent(60)) probe->kind = BodyKind::kOk;
  probe->bad_attempts = 1 + static_cast<uint32_t>(random_.Below(2));
  return Make(probe, random_.Percent(named) ? DrawName() : std::string());
}

TaskSpec Workload::Make(const std::shared_ptr<Probe>& probe, std::string name) {
  if (!name.empty()) probe->others_may_stop_it = true;
  auto body = [probe, &shared = shared_](TaskContext& c) { return Body(*probe, shared, c); };
  auto spec = TaskSpec::Restartable(std::move(name), std::move(body)).WithBackoff(Backoff(random_));
  const Duration timeout = microseconds(50 + random_.Below(200));
  switch (probe->kind) {
    case BodyKind::kExhaust:
      return std::move(spec).WithMaxRetries(2);
    case BodyKind::kTimesOut:
    case BodyKind::kTimesOutLate:
      return std::move(spec).WithRestart(RestartPolicy::Never()).WithTimeout(timeout);
    case BodyKind::kTimeoutRetry:
      return std::move(spec).WithTimeout(timeout);
    case BodyKind::kPeriodic:
      return std::move(spec).WithRestart(
          RestartPolicy::Always(random_.Percent(50) ? Duration::zero() : microseconds(1100)));
    default:
      return spec;
  }
}

std::string Judge(const Probe& probe, const TaskOutcome& outcome) {
  const std::string who = "task " + std::to_string(probe.number) + " of kind " +
                          std::to_string(static_cast<int>(probe.kind)) + " ended " +
                          std::string(Label(outcome.kind())) + " after " +
                          std::to_string(outcome.attempts()) + " attempts";
  const uint32_t runs = probe.runs.load(std::memory_order_acquire);
  const bool stopped = outcome.kind() == OutcomeKind::kCancelled && probe.others_may_stop_it;
  // A stop may come between the start of an attempt and that of its body.
  const bool unbegun = stopped && outcome.attempts() == runs + 1;
  if (outcome.attempts() != runs && !unbegun) {
    return who + ", but ran " + std::to_string(runs) + " times";
  }
  if (probe.inside.load(std::memory_order_acquire)) return who + ", but its body is inside";
  if (stopped) return {};
  if (outcome.kind() != Expected(probe.kind)) return who;
  const uint32_t attempts = ExpectedAttempts(probe);
  if (!probe.others_may_stop_it && attempts != 0 && runs != attempts) {
    return who + ", expected " + std::to_string(attempts);
  }
  return {};
}

}  // namespace taskvisor::testing
