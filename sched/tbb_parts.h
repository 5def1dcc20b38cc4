#ifndef TASKVISOR_SCHED_TBB_PARTS_H_
#define TASKVISOR_SCHED_TBB_PARTS_H_

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "sched/atomic.h"
#include "taskvisor/placement.h"

// What a Pool is made of on oneTBB's side; only pool.cc includes it.

namespace taskvisor::internal {

// TBB's threads help in the nested loops of bodies. It makes as many as the smallest
// global_control allows: one control per pool would let the smallest pool starve all others. So
// there is one for all pools, and it leaves the rest of the process its usual share. (A smaller
// control of the host's own still counts: then loops share what it allows.)
class WorkerBudget {
 public:
  static void Add(size_t workers) { Instance().Change(static_cast<int64_t>(workers)); }
  static void Remove(size_t workers) { Instance().Change(-static_cast<int64_t>(workers)); }

 private:
  using Control = oneapi::tbb::global_control;

  static WorkerBudget& Instance() {
    static auto* const budget = new WorkerBudget();  // outlives every pool
    return *budget;
  }
  void Change(int64_t by) {
    std::lock_guard lock(mutex_);  // making and ending a pool: far from any hot path
    workers_ += by;
    control_.reset();
    if (workers_ == 0) return;
    control_ = std::make_unique<Control>(
        Control::max_allowed_parallelism,
        static_cast<size_t>(workers_ + oneapi::tbb::info::default_concurrency()));
  }

  std::mutex mutex_;
  int64_t workers_ = 0;
  std::unique_ptr<Control> control_;
};

// No slot is kept for an outside thread: each of the crew's that is inside leaves one less to
// TBB's, so that no more than `workers` threads are busy. The constraints are set here, because a
// constructor that takes all of them is a preview of oneTBB's: see cores.cc.
class Arena final : public oneapi::tbb::task_arena {
 public:
  Arena(size_t workers, const Placement& placement)
      : task_arena(static_cast<int>(workers), /*reserved_for_masters=*/0,
                   PriorityOf(placement.priority)) {
    my_numa_id = placement.numa_node.value_or(kAny);
    my_core_type = placement.core_type.value_or(kAny);
    my_max_threads_per_core = placement.max_threads_per_core.value_or(kAny);
  }

 private:
  static constexpr int kAny = automatic;  // value_or takes a reference: TBB's is not defined

  static priority PriorityOf(Priority p) {
    if (p == Priority::kNormal) return priority::normal;
    return p == Priority::kHigh ? priority::high : priority::low;
  }
};

// Marks the threads that are in the arena of a pool, by its number.
class ArenaObserver final : public oneapi::tbb::task_scheduler_observer {
 public:
  ArenaObserver(oneapi::tbb::task_arena& arena, uint32_t pool) : task_scheduler_observer(arena) {
    pool_.store(pool, std::memory_order_release);  // pairs with the acquire in the calls
    observe(true);
  }
  ~ArenaObserver() override {
    observe(false);  // waits for calls in progress
    static_cast<void>(calls_.load(std::memory_order_acquire));
  }
  void on_scheduler_entry(bool) override {
    const uint32_t pool = pool_.load(std::memory_order_acquire);  // first: see there
    Set(pool);
  }
  void on_scheduler_exit(bool) override {
    Set(0);  // last: see there
  }

  // The pool whose arena the calling thread is in; 0: none.
  static uint32_t Here() { return t_here; }
  static uint32_t ExchangeHere(uint32_t pool) { return std::exchange(t_here, pool); }

 private:
  static thread_local uint32_t t_here;

  void Set(uint32_t pool) {
    t_here = pool;
    calls_.fetch_add(1, std::memory_order_release);  // pairs with the destructor's acquire
  }

  // Atomic for the edges that TBB, not instrumented, does not show.
  Atomic<uint32_t> pool_{0};
  Atomic<uint64_t> calls_{0};
};

inline thread_local uint32_t ArenaObserver::t_here = 0;

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_TBB_PARTS_H_
