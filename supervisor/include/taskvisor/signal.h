#ifndef TASKVISOR_SIGNAL_H_
#define TASKVISOR_SIGNAL_H_

#include <memory>

namespace taskvisor {

namespace internal {
class EventCount;
}  // namespace internal

// Signal
//
// Tells bodies that wait for something (TaskContext::WaitFor) to look whether it has come. It
// carries no state of its own: what is waited for is kept elsewhere, by whatever protects it,
// and is changed before Notify. A wake-up is never lost, and may be for nothing.
//
// A copy is the same signal; whoever has one may outlive all others.
//
// Thread safety: Notify from any thread, a signal handler included. Wait-free; a system call
// only if a body waits, and then it wakes all. Memory order: what was done before Notify is
// visible to the look that it causes.
class Signal {
 public:
  Signal();
  Signal(const Signal&) = default;  // a move is a copy: none is ever without its count
  Signal& operator=(const Signal&) = default;

  void Notify() const;

 private:
  friend class TaskContext;
  std::shared_ptr<internal::EventCount> changed_;
};

}  // namespace taskvisor

#endif  // TASKVISOR_SIGNAL_H_
