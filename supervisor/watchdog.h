#ifndef TASKVISOR_SUPERVISOR_WATCHDOG_H_
#define TASKVISOR_SUPERVISOR_WATCHDOG_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/thread.h"
#include "sched/timed_wait.h"
#include "supervisor/abandon_box.h"
#include "supervisor/entry.h"
#include "supervisor/publisher.h"
#include "supervisor/watch_slot.h"

namespace taskvisor::internal {

class Registry;

// How long all threads together get to write down their stacks. Real time. A thread that
// spins needs to be let onto a core, behind all others there.
inline constexpr std::chrono::milliseconds kStackLimit{100};

// Watchdog
//
// Tells about bodies that have missed their heartbeat (TaskStuck, once per silence) and
// about those that are back (TaskRecovered), and takes stacks where the timer thread must
// not wait for them: for a task whose own grace is over.
//
//   worker     Enter, LookBy, the body with its beats, Leave: some ns, on its seat's slot
//   watchdog   looks at all slots every quarter of the shortest heartbeat there: a few loads
//              each; captures, pins the attempt, publishes, unpins
//
// So silence is told after one heartbeat at the earliest, 1.25 of it at the latest, and what
// the machine takes to let the threads on a core; never within less than a millisecond. A beat
// counts from the look that finds it.
//
// One thread, made when the first attempt with a heartbeat begins or the first stack is
// asked for; it sleeps, for good, while no such attempt has run for a period. When it sleeps
// `next_look_` says until when; who wants to be looked at earlier lowers it and wakes it.
//
// That pair is not seq_cst: a worker stores its slot, goes on to kRunning by a
// compare-and-swap, and then reads next_look_; the watchdog exchanges next_look_ for
// "never" and then reads the slots. On the machines that we know both read-modify-writes
// keep the two sides in order. By the letter of C++ either may read the old value. An
// attempt that this hit would be seen a period later, because a look that finds nothing
// new is followed by another one before the watchdog sleeps. Nothing but an observation
// waits for it, and each attempt would pay for the order.
//
// A stack belongs to the attempt if that still runs, by its epoch, after the stack was
// taken: the pin is refused otherwise, and nothing is told.
class Watchdog {
 public:
  // `executor`: of the thread; null: the system's.
  Watchdog(Clock& clock, Publisher& publisher, Registry& registry, size_t seats,
           Executor* executor = nullptr);
  ~Watchdog();  // Stop()

  // The worker on that seat, before kRunning. Null: no heartbeat is declared.
  [[nodiscard]] WatchSlot* Enter(uint32_t seat, Entry& entry, uint64_t epoch, TimePoint start) {
    if (!entry.rules->heartbeat.has_value()) return nullptr;
    slots_[seat].Enter(entry, epoch, start.time_since_epoch().count(),
                       entry.rules->heartbeat->count());
    return &slots_[seat];
  }
  // The same, once it is kRunning.
  void LookBy(TimePoint start, Duration heartbeat) {
    const TimePoint wanted = SaturatingAdd(start, StepOf(heartbeat));
    // relaxed: see above
    if (next_look_.load(std::memory_order_relaxed) > wanted.time_since_epoch().count()) {
      Ask(wanted);
    }
  }

  // The body of the attempt of `epoch`, which began at `start`, is no longer silent; told once,
  // if it was. `thread`: its own; none: the one that the entry shows.
  void TellRecovered(Entry& entry, uint64_t epoch, TimePoint start,
                     std::optional<int32_t> thread = std::nullopt);

  // The timer thread: grace is over for the attempt of `epoch`. It is given up soon.
  void Abandon(Entry& entry, uint64_t epoch, TimePoint now);

  // Joins the thread. Idempotent, one caller. REQUIRES: the timer thread has stopped.
  void Stop();

 private:
  enum State : uint32_t { kIdle, kStarting, kRunning, kStopped };

  // What the thread remembers of a slot.
  struct Memory {
    uint64_t count = 0;
    TimePoint heard;    // the last sign of life
    bool told = false;  // this silence was dealt with
  };
  struct Silence {
    WatchSlot* slot;
    Memory* memory;
    WatchSlot::View view;
  };

  [[nodiscard]] static Duration StepOf(Duration heartbeat) {
    return std::max<Duration>(heartbeat / 4, std::chrono::milliseconds(1));
  }

  void Ask(TimePoint wanted);
  [[nodiscard]] bool EnsureThread();
  void Loop();
  void AbandonOverdue();
  // Both answer when to look again.
  [[nodiscard]] TimePoint Look(TimePoint now);
  [[nodiscard]] TimePoint LookAt(WatchSlot& slot, Memory& memory, TimePoint now);
  void TellSilences();
  void TellStuck(const Silence& silence, const std::string& stack);
  void Report(std::string_view what);

  Clock& clock_;
  Publisher& publisher_;
  Registry& registry_;
  Executor* const executor_;
  const size_t seats_;
  const std::unique_ptr<WatchSlot[]> slots_;
  alignas(kCacheLine) Atomic<int64_t> next_look_{INT64_MAX};  // ns of the clock
  Atomic<uint32_t> state_{kIdle};
  EventCount events_;
  AbandonBox overdue_;
  Thread thread_;

  // The thread's own.
  std::vector<Memory> memories_;
  std::vector<Silence> silences_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_WATCHDOG_H_
