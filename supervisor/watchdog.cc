#include "supervisor/watchdog.h"

#include <array>
#include <exception>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include "sched/stack_text.h"
#include "supervisor/body_stack.h"
#include "supervisor/registry.h"
#include "supervisor/signals.h"
#include "supervisor/text.h"

namespace taskvisor::internal {

Watchdog::Watchdog(Clock& clock, Publisher& publisher, Registry& registry, size_t seats,
                   Executor* executor)
    : clock_(clock),
      publisher_(publisher),
      registry_(registry),
      executor_(executor),
      seats_(seats),
      slots_(std::make_unique<WatchSlot[]>(seats)) {}

Watchdog::~Watchdog() { Stop(); }

void Watchdog::Ask(TimePoint wanted) {
  const int64_t at = wanted.time_since_epoch().count();
  const auto lowered = UpdateIf(
      next_look_, [=](int64_t now) { return now > at; }, [=](int64_t) { return at; });
  if (!lowered) return;
  if (EnsureThread()) events_.Notify();
}

// True if it is there, or is being made by somebody who does not wait for us.
bool Watchdog::EnsureThread() {
  uint32_t seen = kIdle;
  if (!state_.compare_exchange_strong(seen, kStarting, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
    return seen != kStopped;
  }
  try {
    const BlockSignals block;
    memories_.resize(seats_);
    silences_.reserve(seats_);
    thread_ = Thread(executor_, "tv-watchdog", [this] { Loop(); });
    // release: pairs with the acquire in Stop, which joins it.
    state_.store(kRunning, std::memory_order_release);
    return true;
  } catch (const std::exception& error) {
    next_look_.store(INT64_MAX, std::memory_order_release);  // so the next attempt tries again
    state_.store(kIdle, std::memory_order_release);
    Report(WhatOf(error));
    return false;
  }
}

void Watchdog::Stop() {
  uint32_t seen = state_.load(std::memory_order_acquire);
  while (seen == kStarting ||
         !state_.compare_exchange_weak(seen, kStopped, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
    std::this_thread::yield();  // somebody is making the thread
    seen = state_.load(std::memory_order_acquire);
  }
  events_.Notify();
  if (thread_.joinable()) thread_.join();
  AbandonOverdue();
}

void Watchdog::Abandon(Entry& entry, uint64_t epoch, TimePoint now) {
  // Not while it is being made: that may fail, and nobody would look into the box.
  const bool there = EnsureThread() && state_.load(std::memory_order_acquire) == kRunning;
  if (there && overdue_.TryPut({entry.slot, epoch, now})) return events_.Notify();
  static_cast<void>(registry_.Abandon(entry, Snapshot{epoch << kEpochShift}, now, /*force=*/true,
                                      "(no stack: nobody is there to take it)"));
}

void Watchdog::AbandonOverdue() {
  std::array<AbandonBox::Overdue, AbandonBox::kPlaces> overdue;
  std::array<int32_t, AbandonBox::kPlaces> threads{};
  size_t count = 0;
  overdue_.Take([&](const AbandonBox::Overdue& taken) {
    const Entry& entry = registry_.At(taken.slot);
    if (entry.state.Load().epoch() != taken.epoch) return;  // it has returned
    threads[count] = entry.thread.load(std::memory_order_acquire);
    overdue[count++] = taken;
  });
  if (count == 0) return;
  std::vector<std::string> stacks;
  try {
    stacks = BodyStacks(std::span(threads).first(count), kStackLimit);
  } catch (const std::exception& error) {  // no memory: the outcomes must come all the same
    Report(WhatOf(error));
  }
  for (size_t i = 0; i < count; ++i) {
    std::string stack = i < stacks.size() ? std::move(stacks[i]) : std::string();
    static_cast<void>(registry_.Abandon(registry_.At(overdue[i].slot),
                                        Snapshot{overdue[i].epoch << kEpochShift}, overdue[i].at,
                                        /*force=*/true, std::move(stack)));
  }
}

void Watchdog::Loop() {
  const auto stopped = [this] { return state_.load(std::memory_order_acquire) == kStopped; };
  while (!stopped()) {
    const int64_t until = next_look_.load(std::memory_order_acquire);
    AwaitUntil(clock_, events_, TimePoint(Duration(until)), [&] {
      return stopped() || overdue_.HasAny() || next_look_.load(std::memory_order_acquire) < until;
    });
    AbandonOverdue();
    const TimePoint now = clock_.Now();
    if (now.time_since_epoch().count() < next_look_.load(std::memory_order_acquire)) continue;
    try {
      // Before the looks: who enters a slot that was looked at already finds it, and asks.
      next_look_.exchange(INT64_MAX, std::memory_order_acq_rel);
      Ask(Look(now));
      TellSilences();
    } catch (const std::exception& error) {
      Report(WhatOf(error));
    }
  }
}

TimePoint Watchdog::Look(TimePoint now) {
  TimePoint next = TimePoint::max();
  silences_.clear();
  for (size_t i = 0; i < seats_; ++i) next = std::min(next, LookAt(slots_[i], memories_[i], now));
  return next;
}

TimePoint Watchdog::LookAt(WatchSlot& slot, Memory& memory, TimePoint now) {
  const WatchSlot::View view = slot.Read();
  const bool changed = std::exchange(memory.count, view.count) != view.count;
  const TimePoint next = SaturatingAdd(now, StepOf(Duration(view.heartbeat)));
  if (!view.inside) return changed ? next : TimePoint::max();
  if (changed) {
    memory.heard = TimePoint(Duration(view.start));
    memory.told = false;
  }
  if (slot.TakeBeat(view.count)) {
    memory.heard = now;
    if (std::exchange(memory.told, false)) {
      TellRecovered(*view.entry, view.epoch, TimePoint(Duration(view.start)));
    }
  } else if (!memory.told && now - memory.heard >= Duration(view.heartbeat)) {
    silences_.push_back({&slot, &memory, view});
    return next;
  }
  if (memory.told) return next;
  return std::min(next, SaturatingAdd(memory.heard, Duration(view.heartbeat)));
}

void Watchdog::TellSilences() {
  if (silences_.empty()) return;
  std::vector<int32_t> threads;
  for (const Silence& silence : silences_) {
    threads.push_back(silence.view.entry->thread.load(std::memory_order_acquire));
  }
  const std::vector<std::string> stacks = BodyStacks(threads, kStackLimit);
  for (size_t i = 0; i < stacks.size(); ++i) TellStuck(silences_[i], stacks[i]);
}

void Watchdog::TellStuck(const Silence& silence, const std::string& stack) {
  if (silence.slot->beaten()) return;  // it came back meanwhile
  Entry& entry = *silence.view.entry;
  if (entry.state.Load().epoch() < silence.view.epoch) return;  // its body has yet to begin
  // A coroutine that has left its seat meanwhile is not silent, and may be on another.
  if (silence.slot->Read().count != silence.view.count) return;
  silence.memory->told = true;  // also if refused: it has ended, or is given up
  if (!entry.state.TrySilence(silence.view.epoch, /*silent=*/true)) return;
  const TimePoint now = clock_.Now();
  const std::string line = ToOneLine(stack, kMaxReasonLength);
  publisher_.Emit(EventKind::kTaskStuck, now, entry, [&](EventDraft& e) {
    e.WithAttempt(entry.attempts().load(std::memory_order_relaxed))
        .WithDuration(now - TimePoint(Duration(silence.view.start)))
        .WithThread(entry.thread.load(std::memory_order_relaxed))
        .WithReason(line);
  });
  entry.state.Unpin();
}

void Watchdog::TellRecovered(Entry& entry, uint64_t epoch, TimePoint start,
                             std::optional<int32_t> thread) {
  if (!entry.state.TrySilence(epoch, /*silent=*/false)) return;
  const TimePoint now = clock_.Now();
  publisher_.Emit(EventKind::kTaskRecovered, now, entry, [&](EventDraft& e) {
    e.WithAttempt(entry.attempts().load(std::memory_order_relaxed))
        .WithDuration(now - start)
        .WithThread(thread.has_value() ? *thread : entry.thread.load(std::memory_order_relaxed));
  });
  entry.state.Unpin();
}

void Watchdog::Report(std::string_view what) {
  publisher_.Emit(EventKind::kRuntimeFailure, clock_.Now(),
                  [&](EventDraft& e) { e.WithTask("watchdog").WithReason(what); });
}

}  // namespace taskvisor::internal
