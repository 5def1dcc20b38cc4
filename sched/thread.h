#ifndef TASKVISOR_SCHED_THREAD_H_
#define TASKVISOR_SCHED_THREAD_H_

#include <pthread.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "sched/atomic.h"
#include "sched/event_count.h"
#include "sched/executor.h"

namespace taskvisor::internal {

// Thread
//
// The only way in which the library makes threads of its own: the system's, or an executor's.
// As std::thread: it is joined or detached before it goes, by one caller.
class Thread {
 public:
  Thread() = default;

  // Runs `work` on a new thread. Throws, and has started nothing, if the system has none.
  // `executor` null: the system's. `name`: at most 15 characters, a literal; null: its parent's.
  Thread(Executor* executor, const char* name, std::function<void()> work) {
    if (executor == nullptr) {
      real_ = std::thread([name, work = std::move(work)] {
        if (name != nullptr) pthread_setname_np(pthread_self(), name);
        work();
      });
      return;
    }
    end_ = std::make_shared<End>();
    executor->Start(name, [end = end_, work = std::move(work)] {
      work();
      end->reached.store(true, std::memory_order_release);  // pairs with the acquire in join
      end->events.Notify();
    });
  }

  [[nodiscard]] bool joinable() const { return real_.joinable() || end_ != nullptr; }

  void join() {
    if (real_.joinable()) return real_.join();
    const std::shared_ptr<End> end = std::move(end_);
    Await(end->events, [&] { return end->reached.load(std::memory_order_acquire); });
  }

  void detach() {
    if (real_.joinable()) real_.detach();
    end_.reset();
  }

 private:
  // Of a simulated one.
  struct End {
    Atomic<bool> reached{false};
    EventCount events;
  };

  std::thread real_;
  std::shared_ptr<End> end_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SCHED_THREAD_H_
