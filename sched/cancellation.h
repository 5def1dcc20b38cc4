#ifndef TASKVISOR_SCHED_CANCELLATION_H_
#define TASKVISOR_SCHED_CANCELLATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "sched/atomic.h"
#include "sched/event_count.h"

namespace taskvisor::internal {

// CancelNode
//
// One scope of the cancellation tree: cancelled at most once, with a cause (a number
// to this layer; 0 = not cancelled). Cancelling a node cancels its children with the
// same cause; a child's cancellation never goes up.
//
//   live ── Cancel(cause) or the parent's ──▶ cancelled(cause), for ever
//
// Registration and notification are std::stop_source's: a callback runs on the thread
// that cancels, or at once if it comes late, and destroying it waits for a run in
// progress. It is the slow half of cancellation, made on demand; the fast half, a bit
// that an inner loop can read, is the owner's state word.
//
// Lifetime: a parent keeps no child alive; a child keeps its parent's stop state.
// Memory order: what was done before Cancel is visible to who sees it cancelled.
class CancelNode {
 public:
  // A root.
  CancelNode() = default;

  // A child of `parent`; cancelled at once if the parent is.
  explicit CancelNode(CancelNode& parent)
      : from_parent_(std::make_unique<Callback>(parent.stop_.get_token(), Inherit{this, &parent})) {
  }

  CancelNode(const CancelNode&) = delete;
  CancelNode& operator=(const CancelNode&) = delete;

  // False if it was cancelled before. `cause` != 0. Runs the callbacks.
  bool Cancel(uint8_t cause) {
    uint8_t none = 0;
    if (!cause_.compare_exchange_strong(none, cause, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
      return false;
    }
    changed_.Notify();
    // A callback may drop the last owner of this node: nothing of it is touched after.
    std::stop_source stop = stop_;
    stop.request_stop();
    return true;
  }

  // 0 while live. One load.
  [[nodiscard]] uint8_t cause() const { return cause_.load(std::memory_order_acquire); }

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

  // Notified by Cancel, for who sleeps on it.
  [[nodiscard]] EventCount& changed() { return changed_; }

 private:
  struct Inherit {
    CancelNode* self;
    CancelNode* parent;
    // The parent is alive: it runs this from its own Cancel, or we are in its child's
    // constructor.
    void operator()() const noexcept { self->Cancel(parent->cause()); }
  };
  using Callback = std::stop_callback<Inherit>;

  Atomic<uint8_t> cause_{0};
  std::stop_source stop_;
  EventCount changed_;
  std::unique_ptr<Callback> from_parent_;  // last: it may run during construction
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_CANCELLATION_H_
