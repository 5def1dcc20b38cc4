// Residents: a thousand workers that wait for work, on two threads. A worker that waits keeps no
// thread; each has its own timeout, retries and outcome, as any other task.

#include <atomic>
#include <iostream>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "taskvisor/async.h"
#include "taskvisor/completion.h"
#include "taskvisor/supervisor.h"

using namespace std::chrono_literals;
using taskvisor::Async;
using taskvisor::Completion;
using taskvisor::TaskContext;
using taskvisor::TaskResult;
using taskvisor::TaskSpec;

namespace {

// A queue of one consumer, made of completions: Pop gives the next item, or where it will be.
class Mailbox {
 public:
  void Push(int item) {
    const std::lock_guard lock(mutex_);
    if (next_.Set(item)) return;  // somebody waits, or will look here first
    items_.push(item);
  }
  // Waits for an item; a part of the body that awaits it.
  Async<int> Pop() {
    const int item = co_await Next();
    const std::lock_guard lock(mutex_);
    next_ = Completion<int>();
    if (!items_.empty()) {
      next_.Set(items_.front());
      items_.pop();
    }
    co_return item;
  }

 private:
  Completion<int> Next() {
    const std::lock_guard lock(mutex_);
    return next_;
  }

  std::mutex mutex_;
  std::queue<int> items_;
  Completion<int> next_;
};

}  // namespace

int main() {
  constexpr int kWorkers = 1000;
  auto supervisor = taskvisor::Supervisor::Create({.workers = 2});
  const taskvisor::SupervisorHandle handle = supervisor->Serve();

  std::vector<Mailbox> mailboxes(kWorkers);
  std::atomic<int64_t> sum{0};
  std::atomic<int> said_goodbye{0};
  const Completion<> all_done;
  for (Mailbox& mailbox : mailboxes) {
    auto worker = [&](TaskContext& context) -> Async<TaskResult> {
      int handled = 0;
      // Nothing comes any more: the worker is cancelled, and may clean up.
      while (std::optional<int> item = co_await context.RunUntilCancelled(mailbox.Pop())) {
        if (*item % 100 == 13) co_await taskvisor::SleepFor(1ms);  // keeps no thread either
        if (sum.fetch_add(*item) + *item == int64_t{3} * kWorkers * (kWorkers - 1) / 2) {
          all_done.Set();
        }
        ++handled;
      }
      said_goodbye += handled == 3 ? 1 : 0;
      co_return taskvisor::Cancelled();
    };
    if (!handle.Add(TaskSpec::Restartable(worker)).ok()) return 1;
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kWorkers; ++i) mailboxes[static_cast<size_t>(i)].Push(i);
  }

  // A body that waits for something and for its timeout, whichever comes first.
  auto patient = handle.AddAndWatch(TaskSpec::Once("patient", [all_done]() -> Async<std::string> {
                                      co_await all_done;
                                      co_return "all is done";
                                    }).WithTimeout(30s));
  auto hasty = handle.AddAndWatch(
      TaskSpec::Once("hasty", []() -> Async<> { co_await Completion<>(); }).WithTimeout(10ms));
  std::cout << "patient: " << patient->waiter.Get().value() << "\n";
  std::cout << "hasty: " << hasty->waiter.Wait()->reason() << "\n";
  std::cout << "sum: " << sum << "\n";

  const bool stopped = handle.Shutdown().ok();
  std::cout << "said goodbye: " << said_goodbye << "\n";
  return stopped ? 0 : 1;
}
