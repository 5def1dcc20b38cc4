#ifndef TASKVISOR_SCHED_TBB_PARTS_H_
#define TASKVISOR_SCHED_TBB_PARTS_H_

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "sched/atomic.h"
#include "taskvisor/placement.h"

// What a Pool is made of on oneTBB's side; only pool.cc includes it.

namespace taskvisor::internal {

// A slot for each worker, which TBB's threads do not take, and one for each of those that may help
// in the nested loops of bodies: as many as make one loop as wide as the pool. (So where all
// workers have a loop there are more threads than workers: fewer could be had only where a worker
// has to wait for the slot of a helper.) One worker needs none: TBB has a slot more then, for what
// a body enqueues there. The constraints are set here, because a constructor that takes all of them
// is a preview of oneTBB's: see cores.cc.
class Arena final : public oneapi::tbb::task_arena {
 public:
  Arena(size_t workers, const Placement& placement)
      : task_arena(static_cast<int>(2 * workers - 1), static_cast<unsigned>(workers),
                   PriorityOf(placement.priority)) {
    my_numa_id = placement.numa_node.value_or(kAny);
    my_core_type = placement.core_type.value_or(kAny);
    my_max_threads_per_core = placement.max_threads_per_core.value_or(kAny);
    Initialize(workers - 1);
  }

 private:
  static constexpr int kAny = automatic;  // value_or takes a reference: TBB's is not defined

  // TBB complains of an arena that wants more helpers than it has threads, as on a single core: its
  // limit is raised for that moment. (Not where the host has set one: TBB takes the smallest.)
  void Initialize(size_t helpers) {
    using Control = oneapi::tbb::global_control;
    std::optional<Control> most;
    if (Control::active_value(Control::max_allowed_parallelism) <= helpers) {
      most.emplace(Control::max_allowed_parallelism, helpers + 1);
    }
    initialize();
  }

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
