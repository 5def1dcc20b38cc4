#ifndef TASKVISOR_SUPERVISOR_ABANDON_BOX_H_
#define TASKVISOR_SUPERVISOR_ABANDON_BOX_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "sched/atomic.h"
#include "taskvisor/clock.h"

namespace taskvisor::internal {

// AbandonBox
//
// Attempts whose grace is over, on their way from the timer thread, which must not wait for
// a stack, to the watchdog, which may. Each place:
//
//   kEmpty ── TryPut ──▶ kFilling ──▶ kFull ── Take ──▶ kEmpty
//
// Bounded: at most as many attempts run at a time as there are workers. Progress: TryPut is
// lock-free, Take wait-free. Memory order: what was done before TryPut is visible to the
// visit.
class AbandonBox {
 public:
  static constexpr size_t kPlaces = 64;

  struct Overdue {
    uint32_t slot = 0;
    uint64_t epoch = 0;
    TimePoint at;
  };

  // False: full.
  [[nodiscard]] bool TryPut(const Overdue& overdue) {
    for (Place& place : places_) {
      uint32_t empty = kEmpty;
      // acquire: pairs with the release in Take, whose reads come before our writes.
      if (!place.word.compare_exchange_strong(empty, kFilling, std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
        continue;
      }
      place.overdue = overdue;
      place.word.store(kFull, std::memory_order_release);  // pairs with the acquire in Take
      return true;
    }
    return false;
  }

  [[nodiscard]] bool HasAny() const {
    for (const Place& place : places_) {
      if (place.word.load(std::memory_order_acquire) == kFull) return true;
    }
    return false;
  }

  // Calls visit(Overdue) for each. One thread at a time.
  template <class Visit>
  void Take(Visit visit) {
    for (Place& place : places_) {
      if (place.word.load(std::memory_order_acquire) != kFull) continue;
      const Overdue overdue = place.overdue;
      place.word.store(kEmpty, std::memory_order_release);
      visit(overdue);
    }
  }

 private:
  enum State : uint32_t { kEmpty, kFilling, kFull };
  struct Place {
    Atomic<uint32_t> word{kEmpty};
    Overdue overdue;
  };
  std::array<Place, kPlaces> places_{};
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_ABANDON_BOX_H_
