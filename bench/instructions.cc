// How many instructions the key operations take, counted by callgrind: tools/instructions.
//
// The same number every time, whatever else the machine does, because
//   - only this thread is counted, and it does the worker's part too: the one worker is held
//     in a Runnable, so that Submit starts no item, and RunOneReady does what it would do;
//   - the fan-out and the timer thread are held as well: nobody sleeps, so nobody is woken;
//   - the clock is a manual one: a reading is a load.
// Not in the numbers, therefore: oneTBB's part in starting an item, wake-ups, the clock's
// readings, and what the fan-out and the subscribers do. malloc is in them.

#include <valgrind/callgrind.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "supervisor/runtime.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::bench {
namespace {

using std::chrono::hours;

constexpr int kWarmUp = 64;
constexpr int kTimes = 256;
constexpr int kChecks = 1000;
constexpr size_t kSeat = 0;  // of the pool; its worker is held there meanwhile

// Holds threads until opened; tells how many it holds.
class Barrier {
 public:
  void Pass() {
    held_.fetch_add(1);
    while (!open_.load()) std::this_thread::yield();
  }
  void AwaitHeld(int count) const {
    while (held_.load() < count) std::this_thread::yield();
  }
  void Open() { open_.store(true); }

 private:
  std::atomic<int> held_{0};
  std::atomic<bool> open_{false};
};

// A served supervisor with all its threads held.
class HeldSupervisor {
 public:
  HeldSupervisor() {
    internal::Hooks hooks;
    hooks.on_observe = [this](const Event&) {
      if (!std::exchange(observed_, true)) barrier_.Pass();
    };
    SupervisorConfig config{.workers = 1, .bus_capacity = 1 << 17, .clock = clock_};
    supervisor_ = std::make_unique<Supervisor>(
        internal::RuntimeAccess::Create(std::move(config), std::move(hooks)).value());
    handle_ = std::make_unique<SupervisorHandle>(supervisor_->Serve());
    holding_timer_.barrier = &barrier_;
    runtime().timers().Arm(holding_timer_, clock_->Now(), 0);
    runtime().pool().Submit(holding_work_);
    runtime().publisher().Emit(EventKind::kTaskAdded, clock_->Now(), [](internal::EventDraft&) {});
    barrier_.AwaitHeld(3);
    cursor_.emplace(runtime().pool().ready_, kSeat);
  }

  ~HeldSupervisor() {
    barrier_.Open();
    if (!supervisor_->Shutdown().ok()) std::abort();
  }

  [[nodiscard]] const SupervisorHandle& handle() const { return *handle_; }
  [[nodiscard]] internal::Runtime& runtime() { return internal::RuntimeAccess::Of(*handle_); }
  [[nodiscard]] TimePoint Now() const { return clock_->Now(); }

  // What Pool::Drain does for one Runnable, here.
  void RunOneReady() {
    internal::Pool& pool = runtime().pool();
    if (internal::Runnable* const again = std::exchange(seat_.again_, nullptr)) {
      return again->Run(seat_);
    }
    internal::Runnable* runnable = nullptr;
    if (!pool.ready_.TryTake(*cursor_, runnable, internal::Pool::Ready::First::kOwn,
                             internal::Pool::CallFor)) {
      std::abort();
    }
    runnable->Run(seat_);
  }

 private:
  struct HoldingTimer : internal::Timer {
    HoldingTimer() : Timer(&OnFire) {}
    static void OnFire(Timer& timer, uint64_t) {
      static_cast<HoldingTimer&>(timer).barrier->Pass();
    }
    Barrier* barrier = nullptr;
  };
  struct HoldingWork final : internal::Runnable {
    explicit HoldingWork(Barrier& held_at) : barrier(held_at) {}
    void Run(internal::Seat&) noexcept override { barrier.Pass(); }
    Barrier& barrier;
  };
  struct NoSeat final : internal::Seat {
    NoSeat() : Seat(kSeat) {}
    void CancelNested() override {}
  };

  Barrier barrier_;
  bool observed_ = false;  // the fan-out thread's
  HoldingTimer holding_timer_;
  HoldingWork holding_work_{barrier_};
  NoSeat seat_;
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<SupervisorHandle> handle_;
  std::optional<internal::Pool::Lanes::Cursor> cursor_;
};

// Counts `operation` kTimes, each after a `prepare` that is not counted. The line it prints
// tells tools/instructions what callgrind's dump of this name is about.
template <class Prepare, class Operation>
void Count(const char* name, const char* what, Prepare prepare, Operation operation) {
  for (int i = 0; i < kWarmUp; ++i) {
    prepare();
    operation();
  }
  CALLGRIND_ZERO_STATS;
  for (int i = 0; i < kTimes; ++i) {
    prepare();
    CALLGRIND_TOGGLE_COLLECT;
    operation();
    CALLGRIND_TOGGLE_COLLECT;
  }
  CALLGRIND_DUMP_STATS_AT(name);
  std::printf("%s\t%d\t%s\n", name, kTimes, what);
}
template <class Operation>
void Count(const char* name, const char* what, Operation operation) {
  Count(
      name, what, [] {}, operation);
}

TaskSpec OneShot(std::string name) {
  return TaskSpec::Once(std::move(name), [] {});
}

void CountPublishing(HeldSupervisor& held) {
  internal::Publisher& publisher = held.runtime().publisher();
  internal::Name name;
  name.Set("a-task-of-some-name");
  const WallTime at = publisher.WallAt(held.Now());
  const auto draft = [&](EventKind kind) {
    return internal::EventDraft(kind).WithAt(at).WithId(TaskId(7, 7)).WithTask(name, name.size());
  };
  Count("publish_one_event", "a draft with id and name, written to the ring",
        [&] { publisher.EmitRun(draft(EventKind::kTaskStarting).WithAttempt(1)); });
  Count("publish_run_of_three", "three drafts with id and name, as one claim", [&] {
    publisher.EmitRun(draft(EventKind::kTaskStopped).WithAttempt(1),
                      draft(EventKind::kActorExhausted).WithAttempt(1),
                      draft(EventKind::kTaskRemoved));
  });
}

void CountOneShots(HeldSupervisor& held) {
  Count("anonymous_one_shot", "spec, Add, its attempt, its end: 6 events", [&] {
    if (!held.handle().Add(OneShot({})).ok()) std::abort();
    held.RunOneReady();
  });
  Count("named_one_shot", "the same with a name of 19 bytes", [&] {
    if (!held.handle().Add(OneShot("a-task-of-some-name")).ok()) std::abort();
    held.RunOneReady();
  });
  Count("watched_one_shot", "anonymous, AddAndWatch, its attempt, its end, Wait", [&] {
    auto added = held.handle().AddAndWatch(OneShot({}));
    held.RunOneReady();
    if (!added.ok() || !added->waiter.Wait().ok()) std::abort();
  });
}

// A task that runs again and again; removed at the end, so that nothing is left in the queue.
void CountAttempts(HeldSupervisor& held) {
  const TaskId id = *held.handle().Add(TaskSpec::FromDefaults("a-task-of-some-name", [] {
                                       }).WithRestart(RestartPolicy::AlwaysImmediately()));
  Count("repeated_attempt", "an attempt of a named task, queued again: 2 events",
        [&] { held.RunOneReady(); });
  if (!held.handle().Remove(id).value()) std::abort();
  held.RunOneReady();
}

void CountRemove(HeldSupervisor& held) {
  TaskId id;
  Count(
      "remove_parked_task", "Remove of an anonymous task between two attempts",
      [&] {
        id = *held.handle().Add(TaskSpec::Periodic(hours(1), [] {}));
        held.RunOneReady();
      },
      [&] {
        if (!held.handle().Remove(id).value()) std::abort();
      });
}

// Each timer once: one that is still in the inbox of the timer thread is not pushed again.
void CountTimers(HeldSupervisor& held) {
  static std::deque<internal::Timer> timers;
  internal::TimerQueue& queue = held.runtime().timers();
  const TimePoint deadline = held.Now() + hours(1);
  Count(
      "timer_arm_and_cancel", "of a timer that the timer thread does not know yet",
      [&] { timers.emplace_back([](internal::Timer&, uint64_t) {}); },
      [&] {
        queue.Arm(timers.back(), deadline, 7);
        if (!queue.Cancel(timers.back())) std::abort();
      });
}

void CountChecks() {
  DetachedContext detached;
  TaskContext& context = detached.context();
  Count("thousand_cancellation_checks", "TaskContext::Cancelled in a loop", [&] {
    for (int i = 0; i < kChecks; ++i) {
      if (context.Cancelled()) std::abort();
    }
  });
}

}  // namespace
}  // namespace taskvisor::bench

int main() {
  using namespace taskvisor::bench;
  Count("nothing", "what counting itself costs; taken off the others", [] {});
  HeldSupervisor held;
  CountPublishing(held);
  CountOneShots(held);
  CountAttempts(held);
  CountRemove(held);
  CountTimers(held);
  CountChecks();
}
