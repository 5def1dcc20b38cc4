#ifndef TASKVISOR_SUPERVISOR_NO_WAITING_H_
#define TASKVISOR_SUPERVISOR_NO_WAITING_H_

#include <utility>

namespace taskvisor::internal {

// Marks the calling thread, while it lives, as one that others wait for: it shuts
// `owner` down or finishes a task of it, and user code that runs meanwhile (a body's
// destructor) must not wait for that in turn.
class NoWaiting {
 public:
  explicit NoWaiting(const void* owner) : before_(std::exchange(Current(), owner)) {}
  ~NoWaiting() { Current() = before_; }
  NoWaiting(const NoWaiting&) = delete;
  NoWaiting& operator=(const NoWaiting&) = delete;

  [[nodiscard]] static bool For(const void* owner) { return Current() == owner; }

 private:
  static const void*& Current() {
    thread_local const void* current = nullptr;
    return current;
  }

  const void* const before_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NO_WAITING_H_
