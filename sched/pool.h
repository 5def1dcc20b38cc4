#ifndef TASKVISOR_SCHED_POOL_H_
#define TASKVISOR_SCHED_POOL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "sched/atomic.h"
#include "sched/cell_queue.h"
#include "sched/delays.h"
#include "sched/event_count.h"
#include "sched/executor.h"
#include "sched/item_count.h"
#include "sched/ready_lanes.h"
#include "taskvisor/clock.h"
#include "taskvisor/placement.h"

namespace taskvisor::internal {

class Runnable;

// Where a work item runs: one of the pool's seats, each with a task_group_context of
// its own, so that parallel loops started on it can be cancelled without touching
// anybody else's.
class Seat {
 public:
  // Cancels the nested parallel work of the Runnable that runs here now. Any thread that
  // knows that it still runs. The pool makes the seat fit for the next Runnable.
  virtual void CancelNested() = 0;

  // Below Pool::workers(). One Runnable at a time runs on a seat: what is kept by its number
  // belongs to that one.
  [[nodiscard]] uint32_t number() const { return number_; }

  // As Pool::Submit, for the one that runs here now, as the last thing it does: if nothing
  // waits it runs again at once, else behind what waits of its class.
  void RunAgain(Runnable& runnable, Priority priority = Priority::kNormal) {
    again_ = &runnable;
    again_priority_ = priority;
  }

  // A reading of the clock, and t_delays at it.
  struct Reading {
    TimePoint now;
    uint32_t delays;
  };
  // Of the one that runs here now, as the last thing it does: it has read the clock for that.
  void KeepNow(const Reading& reading) { kept_ = reading; }
  // To who runs: what the one before it has kept, if it follows at once, and nothing that may take
  // long has come between. So that is still good.
  [[nodiscard]] std::optional<TimePoint> StillNow() const {
    const bool good = still_now_.has_value() && still_now_->delays == t_delays;
    return good ? std::optional(still_now_->now) : std::nullopt;
  }

 protected:
  explicit Seat(uint32_t number) : number_(number) {}
  ~Seat() = default;
  Runnable* again_ = nullptr;
  Priority again_priority_ = Priority::kNormal;
  std::optional<Reading> kept_;
  std::optional<Reading> still_now_;

 private:
  const uint32_t number_;
};

// What the pool runs. Never throws: an exception that reached TBB would cancel a
// whole task group.
class Runnable {
 public:
  virtual void Run(Seat& seat) noexcept = 0;

 protected:
  ~Runnable() = default;
};

// Who is told of a seat that has nothing to run.
class Idler {
 public:
  // After the last Runnable on the seat, before its item looks on or leaves; more often
  // than that too. What was put off until then is done now.
  virtual void OnIdle(Seat& seat) noexcept = 0;
  // It has looked on for a while, in vain: its item leaves, unless something comes just now. What
  // is nobody's hurry.
  virtual void OnLeave() noexcept = 0;

 protected:
  ~Idler() = default;
};

// Who looks after a pool that runs out of memory, so that nothing that was submitted is lost.
// Called on the thread that found out, which may be in the middle of a lock-free operation.
class Keeper {
 public:
  // The ready queue has no room for it: to be submitted again, later.
  virtual void OnRefused(Runnable& runnable) noexcept = 0;

 protected:
  ~Keeper() = default;
};

// Pool
//
// Runs Runnables in an arena of oneTBB, on `workers` threads of its own (Crew). Each has a seat,
// and stays in the arena as work of that seat's task_group_context, also while it waits. A work
// item does not carry one Runnable, it drains: it takes from the ready queue until that is empty.
//
//   thread:  waits ── StartItem: called ──▶ an item drains ── TryLeave ──▶ waits
//
// When an item starts and ends is ItemCount's; what lies where, and who looks where first, is
// CellQueue's. An item that finds nothing looks on for some 30 us before it
// leaves, yielding its core: to start it again costs the submitter more than that.
//
// Why not TBB's own threads: it calls none for what is enqueued as long as threads of its own are
// busy where it does not count on them, as that of an arena with one long body and nothing else to
// do; it takes them for about to come back. What another pool was given then waited for the end of
// that body. And it calls one for each slot of the arena, for one item: 25 us, not 5, where there
// are two. Its threads come for nested parallel loops, into slots beside those of the crew; and the
// crew's threads, while they wait in a loop, do nothing but its parts. So a Runnable never waits
// for the end of another one's loop, nor a loop for the end of another Runnable.
//
// Three classes of priority, by ReadyLanes' rule; nothing that runs is interrupted. So a high one
// begins when the first body on any seat ends, or the one after it, if that seat's turn is a
// lower class's. While there are others, a seat whose turn is the normal class's takes strays
// first, so that what lies behind a long body is not passed over.
//
// oneTBB, as of 2021.8, needs all of this to be true:
//   - an outside thread takes the first free one of the slots that are kept for such, and none but
//     the crew's comes from outside: so execute() never waits;
//   - where this_task_arena::isolate() is in force, run_and_wait() begins with its own function,
//     and a wait takes what was spawned in there only; TBB's helpers, in no such region, take all;
//   - for its helpers TBB does not count on the threads in these slots, so they may wait there;
//   - no exception leaves an item.
//
// Progress: Submit is lock-free but for the kernel's wake when it starts an item and malloc when
// the ready queue grows. Memory order: what happened before Submit(r) is visible to r.Run.
class Pool {
 public:
  // workers = 0: as many as this process may use cores (UsableCores). REQUIRES: as there.
  // `executor`: runs everything in the place of TBB, on so many seats as `workers` says.
  explicit Pool(size_t workers, const Placement& placement = {}, Executor* executor = nullptr);
  ~Pool();  // REQUIRES: Join was called, or nothing was ever submitted.

  // Makes the threads; nothing runs before that. Throws what std::thread throws, or bad_alloc, and
  // has made none. They take the signals that the caller takes.
  void Start();
  // Undoes Start. REQUIRES: nothing was submitted.
  void Stop();

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Before anything is submitted. Without a keeper, a pool that finds no memory ends the
  // process.
  void SetKeeper(Keeper& keeper) { keeper_ = &keeper; }
  // The same. Who is none need not be told.
  void SetIdler(Idler& idler) { idler_ = &idler; }
  [[nodiscard]] Idler* idler() const { return idler_; }

  void Submit(Runnable& runnable, Priority priority = Priority::kNormal);

  // Submits the `count` elements of [first, ...), each a Runnable*, all of one class.
  template <class Iterator>
  void SubmitRange(Iterator first, size_t count, Priority priority = Priority::kNormal) {
    if (executor_ == nullptr && ready_.PushRange(first, count, priority)) return Announce(count);
    for (; count > 0; --count, ++first) Submit(**first, priority);  // as many as there is room for
  }

  // Submits at(0), ..., at(count - 1), each a Runnable&.
  template <class At>
  void SubmitEach(size_t count, At at, Priority priority = Priority::kNormal) {
    SubmitRange(Elements<At>{&at, 0}, count, priority);
  }

  // Waits until everything submitted has run, ends the threads and closes the pool: a later Submit
  // does nothing. (An entry may be finished by a stopper between becoming ready and its Submit;
  // such a latecomer has nothing to run.) Not from a worker.
  void Join();

  // True on a thread that is inside this pool's arena, also in a nested loop.
  [[nodiscard]] bool OnWorker() const { return OnWorkerOf(id_); }
  // The same, for the id() of a pool that may be gone. 0 is no pool's.
  [[nodiscard]] static bool OnWorkerOf(uint32_t id);
  // For an executor, and for a thread that ends: from now on the calling thread is a worker of the
  // pool `id`, 0: of none. What it was before.
  static uint32_t ExchangeHere(uint32_t id);
  [[nodiscard]] uint32_t id() const { return id_; }

  [[nodiscard]] size_t workers() const { return workers_; }
  // By an executor.
  [[nodiscard]] bool simulated() const { return executor_ != nullptr; }

 private:
  // An input iterator, as far as the ready queue needs one.
  template <class At>
  struct Elements {
    Runnable* operator*() const { return &(*at)(next); }
    Elements& operator++() { return ++next, *this; }
    Elements operator++(int) { return {at, next++}; }
    At* at;
    size_t next;
  };

  class TbbSeat;
  struct Tbb;
  using Ready = CellQueue<Runnable*>;
  using Lanes = ReadyLanes<Runnable*, Ready>;

  // Small parts: nobody claims two of what waits while it is less than 32 for each worker. The
  // README promises order so far.
  static size_t PartsFor(size_t workers) { return 16 * workers; }

  void Announce(uint64_t count);
  void StartItem();
  void Serve(TbbSeat& seat, const std::function<bool()>& called);
  void RunItem(TbbSeat& seat);
  [[nodiscard]] bool Drain(TbbSeat& seat);
  [[nodiscard]] Runnable* Again(TbbSeat& seat, bool anywhere);
  [[nodiscard]] Runnable* Next(TbbSeat& seat, bool strays_first);
  [[nodiscard]] Runnable* Find(TbbSeat& seat, bool strays_first);
  [[nodiscard]] Runnable* Take(TbbSeat& seat, bool strays_first);
  // It runs soon.
  static void CallFor(Runnable* runnable);
  [[nodiscard]] bool StayAwake(const TbbSeat& seat) const;

  const uint32_t id_;
  Executor* const executor_;
  const size_t workers_;
  Lanes ready_;
  ItemCount items_;
  EventCount idle_;
  Keeper* keeper_;
  Idler* idler_ = nullptr;
  std::unique_ptr<Tbb> tbb_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_POOL_H_
