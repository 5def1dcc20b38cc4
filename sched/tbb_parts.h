#ifndef TASKVISOR_SCHED_TBB_PARTS_H_
#define TASKVISOR_SCHED_TBB_PARTS_H_

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "sched/atomic.h"
#include "taskvisor/placement.h"

// What a Pool is made of on oneTBB's side; only pool.cc includes it.

namespace taskvisor::internal {

// A slot for each worker, which TBB's threads do not take, and one for each of those that may help
// in the nested loops of bodies: as many as make one loop as wide as the pool, but no more than
// there are cores. (So where all workers have a loop there are more threads than workers: fewer
// could be had only where a worker has to wait for the slot of a helper.) At least one, for what a
// body enqueues there; with one worker TBB has that by itself. The constraints are set here,
// because a constructor that takes all of them is a preview of oneTBB's: see cores.cc.
class Arena final : public oneapi::tbb::task_arena {
 public:
  Arena(size_t workers, const Placement& placement)
      : task_arena(static_cast<int>(workers + HelpersFor(workers)), static_cast<unsigned>(workers),
                   PriorityOf(placement.priority)) {
    my_numa_id = placement.numa_node.value_or(kAny);
    my_core_type = placement.core_type.value_or(kAny);
    my_max_threads_per_core = placement.max_threads_per_core.value_or(kAny);
    Initialize();
  }

 private:
  static constexpr int kAny = automatic;  // value_or takes a reference: TBB's is not defined

  static size_t Cores() { return static_cast<size_t>(oneapi::tbb::info::default_concurrency()); }
  static size_t HelpersFor(size_t workers) {
    return workers == 1 ? 0 : std::max<size_t>(std::min(workers, Cores()) - 1, 1);
  }

  // TBB complains on standard error of an arena that asks for more helpers than it has threads, as
  // on a single core, where it has none: there its limit is raised for that moment.
  void Initialize() {
    using Control = oneapi::tbb::global_control;
    std::optional<Control> one_more;
    if (Cores() == 1 && Control::active_value(Control::max_allowed_parallelism) == 1) {
      one_more.emplace(Control::max_allowed_parallelism, 2);
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
    if (t_here == pool) ++t_again;                                // by way of another arena
    Set(pool);
  }
  void on_scheduler_exit(bool) override {
    if (t_again > 0) {
      --t_again;
      return Set(t_here);
    }
    Set(0);  // last: see there
  }

  // The pool whose arena the calling thread is in; 0: none.
  static uint32_t Here() { return t_here; }
  static uint32_t ExchangeHere(uint32_t pool) { return std::exchange(t_here, pool); }

 private:
  static thread_local uint32_t t_here;
  static thread_local uint32_t t_again;  // entries into the same beside the first

  void Set(uint32_t pool) {
    t_here = pool;
    calls_.fetch_add(1, std::memory_order_release);  // pairs with the destructor's acquire
  }

  // Atomic for the edges that TBB, not instrumented, does not show.
  Atomic<uint32_t> pool_{0};
  Atomic<uint64_t> calls_{0};
};

inline thread_local uint32_t ArenaObserver::t_here = 0;
inline thread_local uint32_t ArenaObserver::t_again = 0;

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_TBB_PARTS_H_
