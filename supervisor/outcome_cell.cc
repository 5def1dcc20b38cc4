#include "supervisor/outcome_cell.h"

#include <optional>

#include "sched/slab.h"

namespace taskvisor::internal {
namespace {

// Cells in the store; who keeps more waiters than that at a time gets them from malloc.
constexpr uint32_t kPlaces = uint32_t{1} << 22;
constexpr uint32_t kNoPlace = ~uint32_t{0};

}  // namespace

struct OutcomeCell::Store {
  static Slab<OutcomeCell>& Cells() {
    static auto* const cells = new Slab<OutcomeCell>(kPlaces);  // outlives every waiter
    return *cells;
  }
};

CellRef OutcomeCell::Make() {
  const std::optional<uint32_t> place = Store::Cells().Allocate();
  OutcomeCell* const cell = place.has_value() ? &Store::Cells().At(*place) : new OutcomeCell();
  cell->place_ = place.value_or(kNoPlace);
  cell->refs_.store(1, std::memory_order_relaxed);  // nobody else has it yet
  return CellRef(cell);
}

void OutcomeCell::Recycle() {
  if (place_ == kNoPlace) return delete this;
  // relaxed: handed on by the release in Free.
  state_.store(kPending, std::memory_order_relaxed);
  id_.store(0, std::memory_order_relaxed);
  outcome_ = TaskOutcome();
  clock_.reset();
  Store::Cells().Free(place_);
}

void CellRef::Keep(OutcomeCell* cell) {
  // relaxed: who copies a reference has one, so the cell cannot go meanwhile.
  cell->refs_.fetch_add(1, std::memory_order_relaxed);
}

void CellRef::LetGo(OutcomeCell* cell) {
  // acq_rel: the last one sees what all others did with it.
  if (cell->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) cell->Recycle();
}

}  // namespace taskvisor::internal
