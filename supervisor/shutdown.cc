#include "supervisor/shutdown.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>
#include <tuple>
#include <utility>

#include "sched/thread.h"
#include "sched/timed_wait.h"
#include "supervisor/line_buffer.h"
#include "supervisor/no_waiting.h"
#include "supervisor/runtime.h"
#include "supervisor/status.h"
#include "supervisor/stuck_stacks.h"
#include "supervisor/text.h"

namespace taskvisor::internal {
namespace {

// How long tasks that are between two phases (in a few lines of ours) get to end after
// the bodies have been given up. Real time.
constexpr std::chrono::milliseconds kSettleLimit{200};
constexpr int kSettleLooks = 1000;  // in a simulation

std::string ReasonOf(const ShutdownTrigger& trigger) {
  switch (trigger.kind) {
    case ShutdownTrigger::Kind::kSignal:
      return trigger.signal == SIGINT    ? "SIGINT"
             : trigger.signal == SIGTERM ? "SIGTERM"
                                         : "SIGQUIT";
    case ShutdownTrigger::Kind::kDestroyed:
      return "destroyed";
    default:
      return "requested";
  }
}

}  // namespace

bool Shutdown::Request(ShutdownTrigger trigger, Duration grace, absl::Status failure) {
  uint32_t idle = kIdle;
  if (!progress_->state.compare_exchange_strong(idle, kClaimed, std::memory_order_acq_rel,
                                                std::memory_order_acquire)) {
    runtime_.registry().gate().Close();  // the winner may not have come to it yet
    return false;
  }
  trigger_ = trigger;
  grace_ = grace;
  if (!failure.ok()) {
    failed_start_ = true;
    failure_code_ = static_cast<int>(failure.code());
    failure_label_ = ErrorLabel(failure);
    failure_text_ = ToStd(failure.message());
  }
  progress_->state.store(kRunning,
                         std::memory_order_release);  // pairs with the acquire in trigger()
  runtime_.registry().gate().Close();
  std::shared_ptr<Runtime> self = runtime_.shared_from_this();
  try {
    const BlockSignals block;
    // The lambda has no runtime when it ends: see Progress.
    Thread(runtime_.hooks().executor.get(), "tv-shutdown", [self]() mutable {
      RunAndLetGo(std::move(self));
    }).detach();
  } catch (const std::exception&) {
    RunAndLetGo(std::move(self));  // no thread to be had: on this one
  }
  return true;
}

void Shutdown::RunAndLetGo(std::shared_ptr<Runtime> runtime) {
  {
    const NoWaiting here(runtime->pool().id());
    runtime->shutdown().RunPhases();
  }
  const std::shared_ptr<Progress> progress = runtime->shutdown().progress_;
  runtime.reset();
  progress->state.store(kDone, std::memory_order_release);  // pairs with the acquire in done()
  progress->changed.Notify();
}

std::optional<ShutdownTrigger> Shutdown::trigger() const {
  const uint32_t state = progress_->state.load(std::memory_order_acquire);
  return state == kRunning || state == kDone ? std::optional(trigger_) : std::nullopt;
}

absl::Status Shutdown::Wait() {
  Await(&runtime_.clock(), progress_->changed, [this] { return done(); });
  return Result();
}

std::optional<absl::Status> Shutdown::WaitFor(Duration limit) {
  const auto clock = RealClock();
  const bool in_time = AwaitUntil(*clock, progress_->changed, SaturatingAdd(clock->Now(), limit),
                                  [this] { return done(); });
  return in_time ? std::optional(Result()) : std::nullopt;
}

absl::Status Shutdown::Result() const {
  if (failed_start_) {
    return Error(static_cast<absl::StatusCode>(failure_code_), failure_label_, failure_text_);
  }
  if (!exceeded_.stuck.empty()) return exceeded_.ToStatus();
  return broken_ ? ShuttingDown() : absl::OkStatus();
}

void Shutdown::RunPhases() {
  Phase("close", [this] { runtime_.registry().gate().Close(); });
  Phase("announce", [this] {
    if (trigger_.kind == ShutdownTrigger::Kind::kNatural) return;
    const std::string reason(ReasonOf(trigger_));
    runtime_.publisher().Emit(EventKind::kShutdownRequested, runtime_.clock().Now(),
                              [&](EventDraft& event) { event.WithReason(reason); });
  });
  Phase("cancel", [this] { CancelAll(); });
  Phase("drain", [this] { Drain(); });
  Phase("abandon", [this] { AbandonRest(); });
  Phase("verdict", [this] { Verdict(); });
  Phase("on_stuck", [this] { HandleStuck(); });
  Phase("pool", [this] {
    if (runtime_.registry().gate().members() == 0) {
      runtime_.pool().Join();
    } else {
      runtime_.Leak();
    }
  });
  Phase("subscribers", [this] {
    runtime_.subscribers().Close(runtime_.clock(), runtime_.config().subscriber_drain);
    AttachLastEvents();
  });
  Phase("timers", [this] {
    runtime_.timers().Stop();
    runtime_.watchdog().Stop();
  });
}

void Shutdown::Phase(std::string_view name, const std::function<void()>& work) {
  const auto report = [&](std::string_view what) {
    broken_ = true;
    LineBuffer reason;  // there may be no memory: that may be what it tells of
    reason.Text(name).Text(": ").Text(what);
    runtime_.publisher().Emit(
        EventKind::kRuntimeFailure, runtime_.clock().Now(),
        [&](EventDraft& e) { e.WithTask("shutdown").WithReason(reason.view()); });
  };
  try {
    if (runtime_.hooks().on_shutdown_phase) runtime_.hooks().on_shutdown_phase(name);
  } catch (const std::exception& error) {
    report(WhatOf(error));
  }
  try {
    work();
  } catch (const std::exception& error) {
    report(WhatOf(error));
  }
}

void Shutdown::CancelAll() {
  // The gate is closed: nobody comes any more, and who is inside is counted.
  if (runtime_.registry().gate().members() == 0) return;
  runtime_.registry().ForEach([this](Entry& entry, Snapshot seen) {
    // Refused: it has moved on to another state; look again, unless it is gone.
    while (!seen.Is(Phase::kFree) && !seen.Is(Phase::kFinishing) &&
           runtime_.actor().Stop(entry, seen, CancelCause::kShutdown) == StopResult::kRefused) {
      seen = entry.state.LoadForScan();
    }
  });
}

void Shutdown::Drain() {
  Lifecycle& gate = runtime_.registry().gate();
  const TimePoint deadline = SaturatingAdd(runtime_.clock().Now(), grace_);
  AwaitUntil(runtime_.clock(), gate.changed(), deadline, [&] {
    gate.WatchEmpty();
    return gate.members() == 0;
  });
}

void Shutdown::AbandonRest() {
  Registry& registry = runtime_.registry();
  const TimePoint now = runtime_.clock().Now();
  exceeded_.grace = grace_;
  if (registry.gate().members() == 0) return;
  const StuckStacks stacks(registry, kStackLimit);
  const auto abandon_all = [&](bool force) {
    bool rest = false;
    registry.ForEach([&](Entry& entry, Snapshot seen) {
      if (seen.abandoned()) return;
      auto task = registry.Abandon(entry, seen, now, force, stacks.Of(entry, seen));
      if (task.has_value()) exceeded_.stuck.push_back(*std::move(task));
      rest = rest || !task.has_value();
    });
    return rest;
  };
  const auto until = std::chrono::steady_clock::now() + kSettleLimit;
  const bool simulated = runtime_.pool().simulated();  // then real time counts for nothing
  for (int look = 0; abandon_all(/*force=*/false); ++look) {
    if (simulated ? look > kSettleLooks : std::chrono::steady_clock::now() >= until) {
      abandon_all(/*force=*/true);
      break;
    }
    GiveWay();
  }
  // And whom their own grace gave up. Looked up last, or one could slip between.
  for (StuckTask& task : registry.StuckTasks(now)) {
    task.stack = stacks.Of(task.id);
    const auto same = [&](const StuckTask& other) { return other.id == task.id; };
    if (std::none_of(exceeded_.stuck.begin(), exceeded_.stuck.end(), same)) {
      exceeded_.stuck.push_back(std::move(task));
    }
  }
  std::sort(exceeded_.stuck.begin(), exceeded_.stuck.end(),
            [](const StuckTask& a, const StuckTask& b) {
              return std::tie(a.name, a.id) < std::tie(b.name, b.id);
            });
}

void Shutdown::Verdict() {
  // Not empty, and nobody stuck: something of ours, or a body's destructor, did not come
  // to its end. Not a clean one.
  const bool empty = runtime_.registry().gate().members() == 0;
  if (exceeded_.stuck.empty() && !empty) broken_ = true;
  if (failed_start_) return;
  const TimePoint now = runtime_.clock().Now();
  if (exceeded_.stuck.empty() && empty) {
    return runtime_.publisher().Emit(EventKind::kAllStoppedWithinGrace, now, [](EventDraft&) {});
  }
  std::string names;
  for (const StuckTask& task : exceeded_.stuck) names += (names.empty() ? "" : ", ") + task.name;
  runtime_.publisher().Emit(EventKind::kGraceExceeded, now, [&](EventDraft& event) {
    event.WithGrace(grace_).WithCount(exceeded_.stuck.size()).WithReason(names);
  });
}

void Shutdown::HandleStuck() {
  if (exceeded_.stuck.empty()) return;
  const OnStuck on_stuck = runtime_.config().on_stuck;
  if (on_stuck == OnStuck::kTerminate) {
    std::fprintf(stderr, "taskvisor: %s\n", std::string(exceeded_.ToStatus().message()).c_str());
    std::terminate();
  }
  if (on_stuck != OnStuck::kWait) return;
  Lifecycle& gate = runtime_.registry().gate();
  Await(&runtime_.clock(), gate.changed(), [&] {
    gate.WatchEmpty();
    return gate.members() == 0;
  });
}

void Shutdown::AttachLastEvents() {
  if (exceeded_.stuck.empty()) return;
  std::vector<TaskId> ids;
  for (const StuckTask& task : exceeded_.stuck) ids.push_back(task.id);
  auto last = runtime_.subscribers().recorder()->Of(ids, kMaxLastEvents);
  for (size_t i = 0; i < ids.size(); ++i) exceeded_.stuck[i].last_events = std::move(last[i]);
}

}  // namespace taskvisor::internal
