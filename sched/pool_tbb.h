#ifndef TASKVISOR_SCHED_POOL_TBB_H_
#define TASKVISOR_SCHED_POOL_TBB_H_

#include <oneapi/tbb/task_group.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "sched/atomic.h"
#include "sched/pool.h"
#include "sched/tbb_parts.h"

// What a Pool keeps of oneTBB: its seats, its arena, the door. Only pool.cc includes it.

namespace taskvisor::internal {

class Pool::TbbSeat final : public Seat {
 public:
  TbbSeat(ReadyLanes<Runnable*>& ready, uint32_t number) : Seat(number), cursor_(ready) {}

  void CancelNested() override { context_.cancel_group_execution(); }

 private:
  friend class Pool;
  friend struct WorkItem;
  // After each Runnable, whoever cancelled (a body may cancel its own context too): TBB
  // drops the next item of a cancelled context without running it.
  void ResetNested() {
    if (context_.is_group_execution_cancelled()) context_.reset();
  }

  oneapi::tbb::task_group_context context_{oneapi::tbb::task_group_context::isolated};
  Group group_{context_};
  ReadyLanes<Runnable*>::Cursor cursor_;
  Atomic<uint32_t> next_free_{0};
  // When the Runnable that is on this seat began, by the coarse clock; 0: none is.
  // relaxed: only a hint to others, who may be wrong by a Runnable.
  Atomic<int64_t> since_{0};
  // Handed over with the item, both ways: release by StartItem and before the item is
  // done, acquire where it starts and by Join.
  Atomic<uint32_t> handed_{0};
};

struct Pool::Tbb {
  Tbb(Pool& pool, const Placement& placement)
      : workers(pool.workers_), arena(pool.workers_, placement), door(1, placement), seats{} {
    for (uint32_t i = 0; i < SeatsFor(workers); ++i) seats.emplace_back(pool.ready_, i);
    WorkerBudget::Add(threads());
    arena.initialize();
    door.initialize();
    observer = std::make_unique<ArenaObserver>(arena, pool.id());
  }

  ~Tbb() { WorkerBudget::Remove(threads()); }

  // One more for the door, so that it never waits for a thread of the arena's.
  [[nodiscard]] size_t threads() const { return workers + 1; }

  // An item that TBB loses half-way takes its group with it, which nobody can wait for any
  // more: the process ends. (That is when there is no memory for the list of what is
  // enqueued, or no thread for a worker: TBB itself knows no way on.)
  void Enqueue(oneapi::tbb::task_handle item, bool by_door) noexcept {
    (by_door ? door : arena).enqueue(std::move(item));
  }
  // For one item, until LeaveDoor. Not where the arena wakes no more than one thread either, or
  // has threads that are awake.
  [[nodiscard]] bool TryTakeDoor() {
    return workers > 1 && observer->inside() == 0 &&
           !door_taken.exchange(true, std::memory_order_acquire);
  }
  // release: pairs with the acquire of who takes it next.
  void LeaveDoor() { door_taken.store(false, std::memory_order_release); }
  // There is a slot for the door's thread, and one to spare. Rarely wrong: then TBB has another
  // thread in the arena do what execute() is given, and the caller waits, or works there.
  [[nodiscard]] bool HasRoom() const {
    return observer->inside() + 1 < static_cast<int64_t>(workers);
  }

  // Of free_seats_.
  [[nodiscard]] auto Link() {
    return [this](uint32_t i) -> Atomic<uint32_t>& { return seats[i].next_free_; };
  }

  const size_t workers;
  Arena arena;
  Arena door;
  Atomic<bool> door_taken{false};
  std::deque<TbbSeat> seats;
  std::unique_ptr<ArenaObserver> observer;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_POOL_TBB_H_
