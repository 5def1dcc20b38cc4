#include "supervisor/runtime.h"

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "sched/timed_wait.h"
#include "supervisor/no_waiting.h"
#include "supervisor/status.h"
#include "supervisor/text.h"

namespace taskvisor::internal {
namespace {

// What ~Supervisor allows for everything but the grace, in real time.
constexpr std::chrono::milliseconds kDestroyMargin{500};

}  // namespace

Runtime::Runtime(SupervisorConfig config, Hooks hooks)
    : config_(std::move(config)),
      hooks_(std::move(hooks)),
      pool_(config_.workers, config_.placement, hooks_.executor.get()),
      timers_(config_.clock, hooks_.executor.get()),
      subscribers_(config_, hooks_,
                   // One that finishes has published its TaskRemoved, or is about to.
                   {[this](TaskId id) {
                      const Registry::Found found = registry_.Lookup(id);
                      return found.entry != nullptr && !found.seen.Is(Phase::kFinishing);
                    },
                    [this] { return registry_.gate().members(); }}),
      publisher_(subscribers_.bus(), *config_.clock),
      registry_(config_, pool_, publisher_, actor_),
      watchdog_(*config_.clock, publisher_, registry_, pool_.workers(), hooks_.executor.get()),
      actor_(config_, pool_, timers_, publisher_, registry_, watchdog_),
      admission_(config_, registry_, actor_, publisher_, pool_, timers_),
      shutdown_(*this) {
  config_.subscribers.clear();
  pool_.SetIdler(registry_);
  actor_.SetAdmission(admission_);
}

Runtime::~Runtime() = default;

void Runtime::Start() {
  std::call_once(start_once_, [this] {
    pool_.Start();  // its threads run code of the user's, and take signals as any of the host's
    try {
      StartOwnThreads();
    } catch (...) {
      pool_.Stop();
      throw;
    }
    started_.store(true, std::memory_order_release);
  });
}

void Runtime::StartOwnThreads() {
  const BlockSignals block;
  timers_.Start();
  try {
    subscribers_.bus().Start();
  } catch (...) {
    timers_.Stop();
    throw;
  }
}

absl::Status Runtime::Run(std::vector<TaskSpec> batch) {
  if (MustNotWait()) return WouldDeadlock("Run");
  if (run_used_.exchange(true, std::memory_order_acq_rel)) return AlreadyRunning();
  try {
    Start();
  } catch (const std::exception& error) {
    run_used_.store(false, std::memory_order_release);
    return StartFailed(WhatOf(error));
  }
  // The batch's memory goes while the tasks run. One that is refused tells its waiters now: a body
  // may wait for them, and the shutdown for the body.
  const auto let_go = [&] { std::vector<TaskSpec>().swap(batch); };
  if (shutdown_.trigger().has_value()) return let_go(), shutdown_.Wait();
  const auto on_signal = [this](int signal) {
    shutdown_.Request({ShutdownTrigger::Kind::kSignal, signal}, config_.grace);
  };
  absl::Status signals;
  std::unique_ptr<SignalWatcher> watcher;
  if (hooks_.signal_setup) signals = hooks_.signal_setup();
  if (signals.ok()) {
    auto installed = SignalWatcher::Install(on_signal);
    signals = installed.status();
    if (installed.ok()) watcher = std::move(installed).value();
  }
  if (!signals.ok()) {
    let_go();
    shutdown_.Request({}, config_.grace, signals);
    return shutdown_.Wait();
  }
  const absl::Status added = OrOutOfMemory([&] {
    std::vector<TaskId> ids(batch.size());
    return Add(batch, ids.data(), /*wait=*/false);
  });
  let_go();
  if (!added.ok()) {
    // Refused because a shutdown began first: its result is this one's.
    return registry_.gate().closed() ? shutdown_.Wait() : added;
  }
  Lifecycle& gate = registry_.gate();
  while (!gate.closed() && !gate.CloseIfEmpty()) {
    Await(&clock(), gate.changed(), [&] {
      gate.WatchEmpty();
      return gate.closed() || gate.members() == 0;
    });
  }
  shutdown_.Request({ShutdownTrigger::Kind::kNatural}, config_.grace);
  return shutdown_.Wait();
}

absl::Status Runtime::Add(std::span<TaskSpec> specs, TaskId* ids, bool wait) {
  if (specs.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "batch_empty", "the batch has no tasks");
  }
  if (!wait) return admission_.Admit(specs, ids);
  if (absl::Status valid = Admission::Validate(specs); !valid.ok()) return valid;
  Lifecycle& gate = registry_.gate();
  uint64_t ordinal = 0;
  while (true) {
    switch (gate.Enter(specs.size(), &ordinal, registry_.MyCredits())) {
      case Lifecycle::Entered::kYes:
        return admission_.AdmitEntered(specs, ids, ordinal);
      case Lifecycle::Entered::kClosed:
        return ShuttingDown();
      case Lifecycle::Entered::kFull:
        break;
    }
    if (MustNotWait()) return WouldDeadlock("Add on a full supervisor");
    Await(&clock(), gate.changed(), [&] {
      gate.WatchRoom();
      return gate.closed() || gate.HasRoom(specs.size());
    });
  }
}

void Runtime::PublishRemoveRequest(TaskId id, std::string_view name, bool cancel) {
  publisher_.Emit(EventKind::kTaskRemoveRequested, clock().Now(), [&](EventDraft& event) {
    event.WithId(id).WithTask(name);
    if (cancel) event.WithReason("manual_cancel");
  });
}

absl::StatusOr<bool> Runtime::RemoveFound(TaskId id, CancelCause cause) {
  const StopResult result = actor_.StopById(id, cause);
  return result != StopResult::kRefused && result != StopResult::kAlready;
}

absl::StatusOr<bool> Runtime::Remove(TaskId id) {
  if (shutdown_.done()) return ShuttingDown();
  PublishRemoveRequest(id, {}, /*cancel=*/false);
  return RemoveFound(id, CancelCause::kRemoved);
}

absl::StatusOr<bool> Runtime::Remove(std::string_view name) {
  if (shutdown_.done()) return ShuttingDown();
  const Registry::Found found = registry_.Lookup(name);
  if (found.entry == nullptr) return false;
  PublishRemoveRequest(found.id, name, /*cancel=*/false);
  return RemoveFound(found.id, CancelCause::kRemoved);
}

absl::StatusOr<bool> Runtime::Cancel(TaskId id, std::optional<Duration> limit) {
  if (MustNotWait()) return WouldDeadlock("Cancel");
  if (shutdown_.done()) return ShuttingDown();
  const Registry::Found found = registry_.Lookup(id);
  if (found.entry == nullptr) return false;
  PublishRemoveRequest(id, {}, /*cancel=*/true);
  return CancelFound(found, limit);
}

absl::StatusOr<bool> Runtime::Cancel(std::string_view name, std::optional<Duration> limit) {
  if (MustNotWait()) return WouldDeadlock("Cancel");
  if (shutdown_.done()) return ShuttingDown();
  const Registry::Found found = registry_.Lookup(name);
  if (found.entry == nullptr) return false;
  PublishRemoveRequest(found.id, name, /*cancel=*/true);
  return CancelFound(found, limit);
}

absl::StatusOr<bool> Runtime::CancelFound(const Registry::Found& found,
                                          std::optional<Duration> limit) {
  const absl::StatusOr<bool> mine = RemoveFound(found.id, CancelCause::kCancelled);
  const TimePoint deadline =
      limit.has_value() ? SaturatingAdd(clock().Now(), *limit) : TimePoint::max();
  switch (registry_.AwaitGone(found, clock(), deadline)) {
    case Registry::Gone::kReleased:
      return mine;
    case Registry::Gone::kStuck:
      return TerminationTimeout(found.id, limit.value_or(config_.grace), /*stuck=*/true);
    case Registry::Gone::kNotYet:
      break;
  }
  return TerminationTimeout(found.id, limit.value_or(config_.grace), /*stuck=*/false);
}

bool Runtime::MustNotWait() const { return pool_.OnWorker() || NoWaiting::For(pool_.id()); }

absl::Status Runtime::ShutDownAndWait() {
  if (MustNotWait() && !shutdown_.done()) return WouldDeadlock("Shutdown");
  shutdown_.Request({ShutdownTrigger::Kind::kExplicit}, config_.grace);
  return shutdown_.Wait();
}

void Runtime::Abandon() {
  if (!started()) {
    registry_.gate().Close();
    return;
  }
  const bool mine = shutdown_.Request({ShutdownTrigger::Kind::kDestroyed}, config_.destroy_grace);
  if (MustNotWait()) return;  // the shutdown's thread does the rest
  const auto result = shutdown_.WaitFor(
      SaturatingAdd(TimePoint() + config_.destroy_grace, kDestroyMargin) - TimePoint());
  const bool stuck = result.has_value() && GraceExceeded::From(*result).has_value();
  if (result.has_value() && !(stuck && mine)) return;
  const std::string what = stuck ? std::string(result->message()) : "its shutdown is not over";
  std::fprintf(stderr, "taskvisor: a supervisor was destroyed and leaks: %s\n", what.c_str());
}

void Runtime::Leak() {
  // Reachable for ever, so that a leak checker knows that it is meant.
  static std::mutex mutex;
  static auto* const leaked = new std::vector<std::shared_ptr<Runtime>>();
  std::lock_guard lock(mutex);
  leaked->push_back(shared_from_this());
}

absl::StatusOr<Supervisor> RuntimeAccess::Create(SupervisorConfig config, Hooks hooks) {
  if (absl::Status valid = config.Validate(); !valid.ok()) return valid;
  if (config.clock == nullptr) config.clock = RealClock();
  return Supervisor(std::make_shared<Runtime>(std::move(config), std::move(hooks)));
}

}  // namespace taskvisor::internal
