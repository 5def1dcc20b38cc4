#ifndef TASKVISOR_SCHED_PERMITS_H_
#define TASKVISOR_SCHED_PERMITS_H_

#include <cstdint>
#include <new>
#include <optional>

#include "sched/atomic.h"
#include "sched/ready_lanes.h"

namespace taskvisor::internal {

// Permits
//
// A counting limit that never blocks a thread: who finds no permit parks a ticket and
// goes away; who gives one back learns whom to tell.
//
//   balance > 0    that many permits are free, nobody waits
//   balance <= 0   none is free, -balance tickets wait
//
// Invariant P1: a ticket is pushed before its -1 is counted, so whoever counts a +1
// against a negative balance owns one ticket that is already in the queue.
//
// A ticket whose owner has gone (cancelled while waiting) stays in the queue. The
// caller of Release offers the permit to each ticket it gets; one that refuses has
// paid for itself, and the permit is released again:
//
//   for (auto t = permits.Release(); t && !Offer(*t); t = permits.Release()) {}
//
// Tickets of a higher class come first, with ReadyLanes' rule for the lower ones; those of one
// class in their order.
//
// Memory order: what was done before Release is visible to who gets the permit.
// Progress: lock-free, but for malloc when the ticket queue grows. Without memory for a
// ticket Park changes nothing: see there.
template <class Ticket>
class Permits {
 public:
  explicit Permits(int64_t limit) : balance_(limit) {}

  // Takes a free permit, if there is one.
  [[nodiscard]] bool TryAcquire() {
    return UpdateIf(
               balance_, [](int64_t b) { return b > 0; }, [](int64_t b) { return b - 1; })
        .done;
  }

  // Waits for a permit in the form of `ticket`; false if there is no memory for it, and
  // then nothing waits: to be tried again, from TryAcquire on. A permit may have come free
  // meanwhile: `offer` is then a ticket (any waiter's, this one's too) to offer it to.
  [[nodiscard]] bool TryPark(Ticket ticket, std::optional<Ticket>& offer,
                             Priority priority = Priority::kNormal) {
    if (!tickets_.Push(ticket, priority)) return false;
    if (balance_.fetch_sub(1, std::memory_order_acq_rel) > 0) offer = tickets_.Take();
    return true;
  }
  // The same for who has memory enough.
  [[nodiscard]] std::optional<Ticket> Park(Ticket ticket, Priority priority = Priority::kNormal) {
    std::optional<Ticket> offer;
    if (!TryPark(ticket, offer, priority)) throw std::bad_alloc();
    return offer;
  }

  // Gives a permit back. The result, if any, is the ticket to offer it to.
  [[nodiscard]] std::optional<Ticket> Release() {
    if (balance_.fetch_add(1, std::memory_order_acq_rel) >= 0) return std::nullopt;
    return tickets_.Take();
  }

  // Free permits; negative: tickets waiting, refused ones included.
  [[nodiscard]] int64_t balance() const { return balance_.load(std::memory_order_acquire); }

 private:
  alignas(kCacheLine) Atomic<int64_t> balance_;
  SharedReadyLanes<Ticket> tickets_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_PERMITS_H_
