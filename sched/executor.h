#ifndef TASKVISOR_SCHED_EXECUTOR_H_
#define TASKVISOR_SCHED_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "sched/atomic.h"
#include "sched/delays.h"
#include "taskvisor/clock.h"
#include "taskvisor/priority.h"

namespace taskvisor::internal {

class Pool;
class Runnable;

// Waits
//
// How the calling thread waits, if not as the system has it.
class Waits {
 public:
  // Returns once `word` does not hold `expected`, or `clock` has reached `until`; may be
  // sooner. clock: null, or the one that `until` is a point of.
  virtual void Park(Atomic<uint32_t>& word, uint32_t expected, const Clock* clock,
                    TimePoint until) = 0;
  // Others first, if any can go on.
  virtual void GiveWay() = 0;

  // What time passes on while it waits; null: it cannot tell.
  [[nodiscard]] virtual std::shared_ptr<Clock> clock() const = 0;

  // Null: the system's way.
  [[nodiscard]] static Waits* Here() { return t_here; }
  static Waits* Exchange(Waits* here) { return std::exchange(t_here, here); }

 protected:
  ~Waits() = default;

 private:
  static constinit thread_local Waits* t_here;
};

inline constinit thread_local Waits* Waits::t_here = nullptr;

// Executor
//
// Stands in for the system's threads and for a pool's, where a whole supervisor is to
// run on one thread and on virtual time. In production there is none: each place that asks
// for it is off the hot paths, or one comparison with null.
//
//   the library                              asks, in the place of
//   makes a thread (Thread)                  Start       std::thread
//   makes a task ready (Pool)                Submit      the ready queue and TBB
//   parks (EventCount)                       Park        the futex
//   waits for a few lines of another thread  GiveWay     a yield
//   fires timers that are due together       Choose      the order in which they hang
//
// What is run, a thread or a Runnable, runs until it parks, gives way or ends; nothing of ours
// is interrupted between two such points. So what is found is how whole steps of a supervisor
// may follow each other; the order of single atomic accesses is what model tests are for.
//
// Used on one thread: the one that made it.
class Executor : public Waits {
 public:
  // A thread of the library's: runs `work` to its end, some time after this has returned.
  // `name`: for messages; a literal.
  virtual void Start(const char* name, std::function<void()> work) = 0;

  // The pool whose Runnables these are: once, before any is submitted.
  virtual void Serve(Pool& pool) = 0;
  virtual void Submit(Runnable& runnable, Priority priority) = 0;
  // Parks until all that was submitted has run. What comes later does nothing.
  virtual void JoinPool() = 0;

  // A number below `count`, which is not 0.
  [[nodiscard]] virtual size_t Choose(size_t count) = 0;

 protected:
  ~Executor() = default;
};

// For a loop that waits for another thread, which is about to do what is waited for.
inline void GiveWay() {
  Waits* const here = Waits::Here();
  here == nullptr ? YieldCore() : here->GiveWay();
}

// The clock of who asks for the real one: not in a simulation.
[[nodiscard]] inline std::shared_ptr<Clock> ClockHere() {
  const Waits* const here = Waits::Here();
  std::shared_ptr<Clock> clock = here == nullptr ? nullptr : here->clock();
  return clock == nullptr ? RealClock() : clock;
}

// How often who is about to park looks again before it does, to save the wake-up: not at all
// where nobody can have moved meanwhile.
[[nodiscard]] inline int LooksBeforeParking(int usual) {
  return Waits::Here() == nullptr ? usual : 0;
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_EXECUTOR_H_
