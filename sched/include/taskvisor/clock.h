#ifndef TASKVISOR_CLOCK_H_
#define TASKVISOR_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace taskvisor {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Clock
//
// The only source of time in the library. Delays, timeouts, grace and every timed
// wait are measured on `Now()`; `WallAt()` only stamps events. Give a supervisor a
// `ManualClock` (`SupervisorConfig::clock`) and its whole life runs on virtual time.
//
// Thread safety: every method may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // A reading of a monotonic line. Never blocks.
  [[nodiscard]] virtual TimePoint Now() const = 0;

  // The wall clock at `reading`, a recent result of `Now()`. Never blocks.
  [[nodiscard]] virtual WallTime WallAt(TimePoint reading) const = 0;

  // True if time passes without help, so that a thread may sleep until a point of
  // it; false if it only moves when somebody moves it (see `Watch`).
  [[nodiscard]] virtual bool RunsByItself() const = 0;

  // Calls `moved` after every jump of a clock that does not run by itself, on the
  // thread that moved it, until `Unwatch(key)` has returned. A clock that runs by
  // itself may ignore both.
  virtual void Watch(const void* key, std::function<void()> moved) = 0;
  virtual void Unwatch(const void* key) = 0;
};

// The process-wide real clock: `steady_clock`, with a wall stamp derived from the
// same reading (offset sampled again every second, so a reading costs one clock
// call; an event stamp may be up to a second late to follow a step of the wall clock).
[[nodiscard]] std::shared_ptr<Clock> RealClock();

// ManualClock
//
// A clock that stands still until a test moves it. Starts at one day, wall time
// 2000-01-01 00:00 UTC.
//
// `Advance` returns when time has moved and every timer thread has been told; what
// comes due runs after that, on its own threads. Wait for its effect (an event, an
// outcome), never for a duration.
//
// Example:
//   auto clock = std::make_shared<taskvisor::ManualClock>();
//   auto supervisor = taskvisor::Supervisor::Create({.clock = clock});
//   ...
//   clock->Advance(std::chrono::hours(1));
class ManualClock final : public Clock {
 public:
  ManualClock();
  ~ManualClock() override;

  [[nodiscard]] TimePoint Now() const override;
  [[nodiscard]] WallTime WallAt(TimePoint reading) const override;
  [[nodiscard]] bool RunsByItself() const override { return false; }
  void Watch(const void* key, std::function<void()> moved) override;
  void Unwatch(const void* key) override;

  // Moves time forward by `step` (>= 0; a negative one is ignored).
  void Advance(Duration step);

 private:
  struct Watchers;

  std::atomic<int64_t> now_;
  std::unique_ptr<Watchers> watchers_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_CLOCK_H_
