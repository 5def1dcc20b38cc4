#ifndef TASKVISOR_BUS_MERGE_H_
#define TASKVISOR_BUS_MERGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "bus/lane.h"

namespace taskvisor::internal {

// Merge<T>
//
// Takes the records of several lanes in the order of their tickets, in passes:
//
//          Open(bound): looks at each lane once            Next() finds nothing more
//   idle ─────────────────────────────────────────▶ open ───────────────────────────▶ idle
//
// A pass takes what has a ticket up to `bound` and is visible; it waits for nothing that is
// not. That keeps the order that matters: a record whose publishing happened before another
// one's ticket was drawn is visible in a pass whose bound has that other ticket, because the
// bound was read from the word that tickets are drawn from, and the lanes after it. Records
// that nothing orders may come in any order.
//
// One reader at a time. Waits for nobody, allocates nothing after it is made.
template <class T>
class Merge {
 public:
  explicit Merge(size_t max_lanes) : heads_(std::make_unique<Head[]>(max_lanes)) {}

  // Starts a pass. lanes(visit) calls visit(Lane<T>&) for each lane there is; what it goes
  // by was read after `bound`.
  template <class ForEachLane>
  void Open(uint64_t bound, ForEachLane lanes) {
    bound_ = bound;
    size_ = 0;
    lanes([this](Lane<T>& lane) { Add(lane); });
    Pick();
  }

  // The lane whose record is next; null: the pass is over.
  [[nodiscard]] Lane<T>* lane() const { return size_ == 0 ? nullptr : heads_[0].lane; }

  // The record of lane() is used up.
  void Pass(uint32_t span) {
    Head& head = heads_[0];
    head.lane->Pass(head.ticket, span);
    head.ticket = head.lane->Next();
    if (head.ticket != 0 && head.ticket <= limit_) return;  // mostly: it has several in a row
    if (head.ticket == 0 || head.ticket > bound_) {
      head.lane->TellRoom();
      head = heads_[--size_];
    }
    Pick();
  }

 private:
  struct Head {
    uint64_t ticket;
    Lane<T>* lane;
  };

  void Add(Lane<T>& lane) {
    const uint64_t ticket = lane.Next();
    if (ticket != 0 && ticket <= bound_) heads_[size_++] = {ticket, &lane};
  }

  // Brings the least ticket to the front; up to limit_ it remains the least.
  void Pick() {
    limit_ = bound_;
    for (size_t i = 1; i < size_; ++i) {
      if (heads_[i].ticket < heads_[0].ticket) std::swap(heads_[i], heads_[0]);
      limit_ = std::min(limit_, heads_[i].ticket);
    }
  }

  const std::unique_ptr<Head[]> heads_;  // lanes with a record for this pass
  size_t size_ = 0;
  uint64_t bound_ = 0;
  uint64_t limit_ = 0;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_BUS_MERGE_H_
