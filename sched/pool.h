#ifndef TASKVISOR_SCHED_POOL_H_
#define TASKVISOR_SCHED_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/index_stack.h"
#include "sched/ready_queue.h"

namespace taskvisor::internal {

// Where a work item runs: one of the pool's seats, each with a task_group_context of
// its own, so that parallel loops started on it can be cancelled without touching
// anybody else's.
class Seat {
 public:
  // Cancels the nested parallel work of the Runnable that runs here now. Any thread that
  // knows that it still runs. The pool makes the seat fit for the next Runnable.
  virtual void CancelNested() = 0;

 protected:
  ~Seat() = default;
};

// What the pool runs. Never throws: an exception that reached TBB would cancel a
// whole task group.
class Runnable {
 public:
  virtual void Run(Seat& seat) noexcept = 0;

 protected:
  ~Runnable() = default;
};

// Pool
//
// Runs Runnables on TBB workers. A work item of a TBB task group does not carry one
// Runnable, it drains: it takes from the ready queue until that is empty or its time
// budget is spent, then goes back to TBB (so that nested parallel loops get workers)
// and comes again. At most `workers` items drain at a time: the arena has no more threads.
//
// Word:  | pending : 31 | starting : 16 | closed : 1 | draining + kNone : 16 |
//   pending    pushed and not yet claimed by an item
//   starting   promised starts: their threads have yet to give TBB an item
//   closed     joined: what is submitted now never runs
//   draining   items that TBB was given and that are not yet out. An item that leaves
//              before its starter has counted it takes this below kNone for a moment
//   Submit         pending + 1, and starting + 1 if draining < `workers`: the caller then
//                  owes TBB a new item, and counts it once TBB has it
//   item, again    pending - 1 if > 0 (it owns one element), else draining - 1 (it is
//                  out). One word: an item cannot leave over a push it did not see.
//
// What is promised does not count as draining: a thread that is stopped before it keeps its
// promise would otherwise leave the pool short of an item, or without any. The price is
// that threads which submit at once may start a few items too many; these find nothing to do.
//
// oneTBB, as of 2021.8, needs all of this to be true:
//   - task_arena(n, 0): no slot is kept for an outside thread, so work runs with
//     nobody waiting; items go in through enqueue, which also works on one CPU;
//   - global_control(max_allowed_parallelism) above the sum of all pools' workers, or
//     n - 1 threads come for n workers, and none on one core;
//   - no exception leaves an item;
//   - the library is not instrumented for TSan, so the hand-off of an item goes
//     through an atomic of ours (WorkItem in pool.cc).
//
// Progress: Submit is lock-free but for TBB's own queues when it starts an item and
// malloc when the ready queue grows, as long as at most kSpareSeats threads are stopped
// between a seat and its item. Memory order: what happened before Submit(r) is
// visible to r.Run.
class Pool {
 public:
  // workers = 0: as many as this process may use cores.
  explicit Pool(size_t workers);
  ~Pool();  // REQUIRES: Join was called, or nothing was ever submitted.

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void Submit(Runnable& runnable);

  // Submits the `count` elements of [first, ...), each a Runnable*.
  template <class Iterator>
  void SubmitRange(Iterator first, size_t count) {
    ready_.PushRange(first, count);
    Announce(count);
  }

  // Waits until everything submitted has run and TBB has let go of our items, and closes
  // the pool: a later Submit does nothing. (An entry may be finished by a stopper between
  // becoming ready and its Submit; such a latecomer has nothing to run.) Not from a worker.
  void Join();

  // True on a thread that is inside this pool's arena, also in a nested loop.
  [[nodiscard]] bool OnWorker() const { return OnWorkerOf(this); }
  // The same for a pool that may be gone.
  [[nodiscard]] static bool OnWorkerOf(const Pool* pool);

  [[nodiscard]] size_t workers() const { return workers_; }

 private:
  class TbbSeat;
  struct Tbb;
  struct WorkItem;

  static constexpr uint64_t kDrainingMask = 0xffff;
  static constexpr uint64_t kNone = 0x4000;
  static constexpr uint64_t kMaxWorkers = 0x4000;
  static constexpr uint64_t kClosed = uint64_t{1} << 16;
  static constexpr int kStartingShift = 17;
  static constexpr uint64_t kStartingOne = uint64_t{1} << kStartingShift;
  static constexpr uint64_t kStartingMask = 0xffff;
  static constexpr uint64_t kPendingOne = uint64_t{1} << 33;
  // For items that are on their way in, or on their way out.
  static constexpr size_t kSpareSeats = 16;

  void Announce(uint64_t count);
  [[nodiscard]] uint64_t Missing(uint64_t word) const;
  void StartItem();
  void Start(uint32_t seat);
  void Drain(uint32_t seat);
  [[nodiscard]] bool ClaimOrLeave();

  const size_t workers_;
  ReadyQueue<Runnable*> ready_;
  alignas(kCacheLine) Atomic<uint64_t> word_{kNone};
  EventCount idle_;
  IndexStack free_seats_;
  std::unique_ptr<Tbb> tbb_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_POOL_H_
