// What a body can do about its end: clean up when it is cancelled, wait without a poll, see how
// much time is left, and know what went wrong before.

#include <atomic>
#include <deque>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "taskvisor/supervisor.h"

using namespace std::chrono_literals;
using namespace taskvisor;

namespace {

// Jobs for one worker body, which sleeps until there are some.
class Inbox {
 public:
  void Put(std::string job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    filled_.Notify();
  }

  // False: cancelled before there was one.
  bool Take(const TaskContext& context, std::string& job) {
    return context.WaitFor(filled_, [&] {
      const std::lock_guard lock(mutex_);
      if (jobs_.empty()) return false;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      return true;
    });
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> jobs_;
  Signal filled_;
};

}  // namespace

int main() {
  auto supervisor = Supervisor::Create({});
  const SupervisorHandle handle = supervisor->Serve();

  Inbox inbox;
  auto clerk = handle.AddAndWatch(TaskSpec::Once("clerk", [&](TaskContext& context) {
    const auto closing = context.OnCancel(  // on the thread that cancels
        [&] { std::cout << "clerk: closing, " << Label(context.Cause()) << std::endl; });
    for (std::string job; inbox.Take(context, job);) {
      std::cout << "clerk: " << job << std::endl;
      if (job == "last") return Ok();
    }
    return Cancelled();
  }));
  if (!clerk.ok()) return 1;
  inbox.Put("first");
  inbox.Put("last");
  std::cout << Label(clerk->waiter.Wait()->kind()) << std::endl;

  std::atomic<bool> waiting{false};
  auto idle = handle.AddAndWatch(TaskSpec::Once("idle", [&](TaskContext& context) {
    const auto closing = context.OnCancel(
        [&] { std::cout << "idle: closing, " << Label(context.Cause()) << std::endl; });
    waiting = true;
    waiting.notify_one();
    std::string job;
    return inbox.Take(context, job) ? Ok() : Cancelled();
  }));
  if (!idle.ok()) return 1;
  waiting.wait(false);
  const absl::StatusOr<bool> claimed = handle.Cancel(idle->id);
  std::cout << "idle: cancelled, " << std::boolalpha << claimed.value() << std::endl;

  // Half a minute for all attempts together; a missing row is no reason to try again.
  struct NoRow : std::runtime_error {
    NoRow() : std::runtime_error("no such row") {}
  };
  const auto ask = [](TaskContext& context) -> TaskResult {
    if (context.attempt() < 3) return Fail("busy");
    std::cout << "fetch: after \"" << context.LastError()->reason
              << "\", time left: " << (context.Remaining() > 0s) << std::endl;
    throw NoRow();
  };
  auto fetch = handle.AddAndWatch(TaskSpec::Restartable("fetch", ask)
                                      .WithBackoff(BackoffPolicy::Constant(1ms))
                                      .WithFatalOn<NoRow>()
                                      .WithDeadline(30s));
  if (!fetch.ok()) return 1;
  const TaskOutcome outcome = fetch->waiter.Wait().value();
  std::cout << Label(outcome.kind()) << ": " << outcome.reason() << std::endl;

  auto slow = handle.AddAndWatch(TaskSpec::Restartable("slow", [](TaskContext& context) {
                                   static_cast<void>(context.WaitCancelled(1h));
                                 }).WithDeadline(50ms));
  if (!slow.ok()) return 1;
  const TaskOutcome late = slow->waiter.Wait().value();
  std::cout << Label(late.kind()) << ", " << Label(late.cause()) << ": " << late.reason()
            << std::endl;
  return handle.Shutdown().ok() ? 0 : 1;
}
