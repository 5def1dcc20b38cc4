#ifndef TASKVISOR_SUPERVISOR_TESTING_FIBER_EXECUTOR_H_
#define TASKVISOR_SUPERVISOR_TESTING_FIBER_EXECUTOR_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sched/executor.h"
#include "sched/pool.h"
#include "supervisor/testing/seeded.h"
#include "taskvisor/clock.h"

namespace taskvisor::internal {

class Strand;

// Virtual time goes no further: so nothing that is reckoned from it is out of range.
inline constexpr TimePoint kEndOfTime{Duration(INT64_MAX / 2)};

// A clock that an executor moves: nobody needs to be told, for it knows who waits until when.
class VirtualClock final : public Clock {
 public:
  VirtualClock();

  [[nodiscard]] TimePoint Now() const override {
    // acquire: pairs with the release in MoveTo, for threads of a body's own.
    return TimePoint(Duration(now_.load(std::memory_order_acquire)));
  }
  [[nodiscard]] WallTime WallAt(TimePoint reading) const override;
  [[nodiscard]] bool RunsByItself() const override { return false; }
  void Watch(const void*, std::function<void()>) override {}
  void Unwatch(const void*) override {}

  void MoveTo(TimePoint to) {
    now_.store(to.time_since_epoch().count(), std::memory_order_release);
  }

 private:
  std::atomic<int64_t> now_;
};

// FiberExecutor
//
// Runs a supervisor on one thread: each of its threads, and each worker, is a strand on a fiber.
// A step lets one strand go on until it parks, gives way or ends; which one is drawn from the
// seed, among all that can. Nothing else decides anything, so the seed decides all.
//
//   a strand
//     kCanGoOn  it has yet to begin
//     kGaveWay  the same, but another one's step comes first, if anybody can go on: one of several
//               that wait for each other in turns would otherwise wait for ever
//     kParked   can go on when its word has changed or its time has come: looked at before each
//               step, so nobody has to tell
//     kIdle     a worker: when something is ready to run
//     kJoins    when all that was submitted has run
//
//   a worker    takes one that is ready, of the class whose turn it is (as ReadyLanes says),
//               drawn from the seed; runs it; is idle again. There are as many as the pool has
//               workers: a body that waits keeps its own
//
// Time stands still while anybody can go on. Who moves it is the executor's owner.
//
// Of the thread that made it; the process ends, and says so, if another one comes.
class FiberExecutor final : public Executor {
 public:
  explicit FiberExecutor(uint64_t seed);
  ~FiberExecutor();
  FiberExecutor(const FiberExecutor&) = delete;
  FiberExecutor& operator=(const FiberExecutor&) = delete;

  void Start(const char* name, std::function<void()> work) override;
  void Serve(Pool& pool) override { pool_ = &pool; }
  void Submit(Runnable& runnable, Priority priority) override;
  void JoinPool() override;
  void Park(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock,
            TimePoint until) override;
  void GiveWay() override;
  [[nodiscard]] size_t Choose(size_t count) override { return random_.Below(count); }

  // False: nobody can go on.
  bool Step();
  // Lets only those go on who bring events to where they are kept, until they cannot.
  void CarryEvents();
  // The earliest point that somebody waits for; it may turn out to be nothing.
  [[nodiscard]] std::optional<TimePoint> NextTime() const;
  void MoveTo(TimePoint to) { clock_->MoveTo(to); }
  // The steps that may follow each other while no time passes grow with these.
  struct TaskCounts {
    uint64_t registered = 0;
    uint64_t ever = 0;  // since it began
  };
  [[nodiscard]] TaskCounts tasks() const { return count_tasks_ ? count_tasks_() : TaskCounts(); }
  void SetCountTasks(std::function<TaskCounts()> count) { count_tasks_ = std::move(count); }
  [[nodiscard]] std::shared_ptr<Clock> clock() const override { return clock_; }
  [[nodiscard]] TimePoint Now() const { return clock_->Now(); }
  [[nodiscard]] bool IsClock(const Clock* clock) const { return clock == clock_.get(); }
  // Steps so far, but for those in which the timer thread only looked.
  [[nodiscard]] uint64_t moves() const { return moves_; }
  // True while a strand goes on.
  [[nodiscard]] bool inside() const { return current_ != nullptr; }

  // Who is there and what they wait for, a line each.
  [[nodiscard]] std::string Describe() const;
  // Adds to it.
  void SetDescribe(std::function<std::string()> more) { describe_more_ = std::move(more); }
  // Ends the process unless the calling thread is the one that made this.
  void CheckThread(const char* call) const;

 private:
  friend class Strand;
  struct Ready {
    size_t count() const { return of[0].size() + of[1].size() + of[2].size(); }
    std::array<std::vector<Runnable*>, 3> of;  // by Priority
    uint32_t turns = 0;
  };

  [[nodiscard]] bool CanGoOn(const Strand& strand) const;
  void GoOnWithOne();
  void GoOn(Strand& strand);
  void Suspend();
  void Work(uint32_t number);
  [[nodiscard]] Runnable& TakeReady();
  void AddWorkerIfShort();

  const std::thread::id owner_ = std::this_thread::get_id();
  const std::shared_ptr<VirtualClock> clock_ = std::make_shared<VirtualClock>();
  Seeded random_;
  Pool* pool_ = nullptr;
  std::vector<std::unique_ptr<Strand>> strands_;  // in the order in which they were made
  std::vector<Strand*> can_go_on_;
  Strand* current_ = nullptr;
  Ready ready_;
  size_t workers_ = 0;
  size_t busy_ = 0;      // workers with something to run
  bool joined_ = false;  // the pool's workers may end
  uint64_t steps_ = 0;
  uint64_t moves_ = 0;
  int32_t last_number_ = 0;
  std::function<std::string()> describe_more_;
  std::function<TaskCounts()> count_tasks_;
};

// Ends the process: a test that cannot go on.
[[noreturn]] void StopSimulation(std::string_view why, const std::string& details = {});

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TESTING_FIBER_EXECUTOR_H_
