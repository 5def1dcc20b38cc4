#ifndef TASKVISOR_SUPERVISOR_NO_WAITING_H_
#define TASKVISOR_SUPERVISOR_NO_WAITING_H_

#include <cstdint>
#include <utility>

namespace taskvisor::internal {

// Marks the calling thread, while it lives, as one that others wait for: it shuts the
// supervisor of the pool with this id down, or finishes or tells a task of it, and user code
// that runs meanwhile (a body's destructor, a callback) must not wait for that in turn. Marks
// nest, also of several supervisors.
class NoWaiting {
 public:
  explicit NoWaiting(uint32_t pool) : pool_(pool), outer_(std::exchange(Innermost(), this)) {}
  ~NoWaiting() { Innermost() = outer_; }
  NoWaiting(const NoWaiting&) = delete;
  NoWaiting& operator=(const NoWaiting&) = delete;

  // For an executor: the innermost mark of the thread that goes on now on this one. That of who
  // went before.
  static const NoWaiting* Exchange(const NoWaiting* mark) {
    return std::exchange(Innermost(), mark);
  }

  [[nodiscard]] static bool For(uint32_t pool) {
    const NoWaiting* mark = Innermost();
    while (mark != nullptr && mark->pool_ != pool) mark = mark->outer_;
    return mark != nullptr;
  }

 private:
  static const NoWaiting*& Innermost() {
    thread_local const NoWaiting* innermost = nullptr;
    return innermost;
  }

  const uint32_t pool_;
  const NoWaiting* const outer_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NO_WAITING_H_
