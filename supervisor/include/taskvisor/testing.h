#ifndef TASKVISOR_TESTING_H_
#define TASKVISOR_TESTING_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "taskvisor/clock.h"
#include "taskvisor/event.h"
#include "taskvisor/supervisor.h"

namespace taskvisor::testing {

struct SimulationOptions {
  // Decides whatever threads and time would decide.
  uint64_t seed = 1;

  // Whether events() and EventLog() have all events: 640 bytes each.
  bool keep_events = true;

  // As for Supervisor::Create, but: `workers` 0 is 4, whatever the machine has; `clock` must be
  // null; jitter comes from `seed` unless `jitter_seed` or `jitter_source` is set; `placement`
  // means nothing; a `bus_capacity` that was left at its default is 65536, because a test may
  // do much before anybody reads the bus.
  SupervisorConfig config = {};
};

// Simulation
//
// A whole supervisor on one thread, on virtual time, for tests of how tasks are supervised:
// policies, timeouts, cancellation, shutdown, subscribers. No thread is made. Whenever several
// parts of it could go on (tasks that are ready, timers that are due, the bus, subscribers), the
// seed decides which one does. So a run is a function of the seed and of what the test does:
// the same events, in the same order, with the same times and ids. Another seed is another
// order that could have happened. Days pass in microseconds.
//
//   the test's stack                         the simulation
//     Add, handle()                            things become ready
//     RunReady, Advance..., RunUntilIdle ────▶ runs, time passes as far as it says
//     any wait: waiter.Wait(), Shutdown() ───▶ runs, time passes as far as it must
//
// What runs is the supervisor that ships, with fibers in the place of its threads. A body takes
// no virtual time, but for its waits: SleepFor, WaitFor, what it awaits. It is not interrupted
// elsewhere. One that waits keeps its worker, as ever, and holds up nobody else; a coroutine keeps
// none. Heartbeats are judged by virtual time; no stack of a stuck body is taken, CPU time is 0,
// and Event::thread() is a small number. Task ids count from 1 in each simulation.
//
// Outside of the promise, because no seed decides it: a body that makes threads (nested loops of
// oneTBB do), reads another clock, or goes by addresses. A body that blocks its thread in another
// way, on a mutex that another body holds or on a condition variable, blocks all: nothing else
// runs meanwhile; so does one that loops without a wait, or on waits that return at once because
// it is cancelled (but for Yield). A callback of OnCancel must not wait: nothing waits for it
// here when its CancelCallback goes. A thread_local of the test's is one for all bodies: what a
// body sets in it before a wait, another one may find or change meanwhile.
//
// A body has a stack of 8 MiB, as a thread has; what it touches of it is memory. Overflow is a
// SIGSEGV, unless by a frame of more than 1 MiB.
//
// Thread safety: none. The simulation, its handle and its waiters belong to the thread that made
// it; the process ends with a message if another one makes it move. Several may live at a time, on
// several threads or on one. Inside of a body the handle, Now() and clock() may be used.
//
// A wait of the test's on a simulation for what can never come ends the process, with a list of
// who waits for what: when nobody can go on and no other thread brings it within 2 s of real
// time; or, if it has no limit, when it has not come after twenty million steps or a hundred
// virtual years. While a thread has a simulation, its waits for other things (a real supervisor's
// task) let virtual time pass as far as there is something to do, and then take as long as they
// take.
//
// Example:
//   taskvisor::testing::Simulation simulation({.seed = 7});
//   auto waiter = simulation.Add(TaskSpec::Restartable("job", body).WithBackoff(
//       BackoffPolicy::Exponential(1h).WithMax(24h)));
//   simulation.RunUntilIdle();
//   EXPECT_EQ(simulation.Now() - simulation.Start(), 7h);   // 1 + 2 + 4
class Simulation {
 public:
  // Throws std::invalid_argument if the config is refused.
  explicit Simulation(SimulationOptions options = {});
  // Shuts down, in virtual time, and leaves nothing behind; but for bodies that will never return
  // (OnStuck): what they may touch is leaked, and a line on stderr says so.
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Registers a task, which begins when the simulation runs. Throws std::invalid_argument with the
  // status's text if it is refused; handle().Add answers with the status instead. However many:
  // the bus and subscribers run meanwhile, so no event is lost. What is published by other calls
  // before the simulation runs has to find room in the bus: `bus_capacity` events, and two are a
  // task's that handle() adds.
  TaskWaiter Add(TaskSpec spec);
  template <class T>
  Waiter<T> Add(TypedSpec<T> spec) {
    Waiter<T> waiter = spec.Watch();
    Admit(std::move(spec));
    return waiter;
  }

  // For everything else that a supervisor does. It may outlive the simulation.
  [[nodiscard]] const SupervisorHandle& handle() const;

  [[nodiscard]] TimePoint Now() const;
  // What Now() was at first, always the same.
  [[nodiscard]] TimePoint Start() const;
  [[nodiscard]] uint64_t seed() const;
  // Moves only with the simulation.
  [[nodiscard]] const std::shared_ptr<Clock>& clock() const;

  // Runs until nothing can go on without time passing. False: a hundred thousand steps, and
  // twenty for each task that is there or comes meanwhile, were not enough, or twenty million
  // in all. (A task that repeats at once never lets time pass.)
  bool RunReady();

  // Runs, and lets time pass up to `to`, or by so much: all that is due on the way happens in its
  // time. A point that is past is now. Where RunReady would answer false, time passes on. It ends
  // after some 146 years.
  void AdvanceTo(TimePoint to);
  void AdvanceBy(Duration by);

  // Runs what is ready, then lets time pass to the next point at which something happens, and runs
  // that. False: nothing will ever happen by itself.
  bool AdvanceToNext();

  // Runs, and lets time pass, until no task is registered, or nothing will happen by itself. False:
  // that did not come within `limit`, or within some ten million steps. (A periodic task never
  // lets it come.)
  bool RunUntilIdle(Duration limit = std::chrono::hours(24 * 366));

  // As SupervisorHandle::Shutdown; grace passes on virtual time.
  absl::Status Shutdown();

  // All events so far, in their order.
  [[nodiscard]] const std::vector<Event>& events() const;
  // The same as text, a line each: the time since Start(), and Event::ToString(). Two runs
  // are the same if these are.
  [[nodiscard]] std::string EventLog() const;

 private:
  struct Inside;
  void Admit(TaskSpec spec);

  const std::unique_ptr<Inside> inside_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTING_H_
