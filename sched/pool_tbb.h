#ifndef TASKVISOR_SCHED_POOL_TBB_H_
#define TASKVISOR_SCHED_POOL_TBB_H_

#include <oneapi/tbb/task_group.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "sched/crew.h"
#include "sched/pool.h"
#include "sched/tbb_parts.h"

// What a Pool keeps where no executor runs it: its seats, its threads, its arena. Only pool.cc
// includes it.

namespace taskvisor::internal {

class Pool::TbbSeat final : public Seat {
 public:
  TbbSeat(Lanes& ready, uint32_t number) : Seat(number), cursor_(ready, number) {}

  void CancelNested() override { context_.cancel_group_execution(); }

 private:
  friend class Pool;
  // Before each Runnable, whoever has cancelled, and when (a body may cancel its own context, or
  // leave it to others): its loops would begin cancelled.
  void ResetNested() {
    if (context_.is_group_execution_cancelled()) context_.reset();
  }

  oneapi::tbb::task_group_context context_{oneapi::tbb::task_group_context::isolated};
  Lanes::Cursor cursor_;
};

struct Pool::Tbb {
  Tbb(Pool& pool, const Placement& placement) : arena(pool.workers_, placement) {
    for (uint32_t i = 0; i < pool.workers_; ++i) seats.emplace_back(pool.ready_, i);
    observer.emplace(arena, pool.id());
  }

  Arena arena;
  std::deque<TbbSeat> seats;
  std::optional<ArenaObserver> observer;
  Crew crew;  // last: its threads know of the others
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_POOL_TBB_H_
