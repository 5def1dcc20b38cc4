// Children: a body splits its work into tasks of their own. Its attempt ends when they have.

#include <atomic>
#include <iostream>
#include <string>
#include <vector>

#include "taskvisor/async.h"
#include "taskvisor/supervisor.h"

using namespace std::chrono_literals;
using taskvisor::Async;
using taskvisor::OnChildFailure;
using taskvisor::TaskContext;
using taskvisor::TaskOutcome;
using taskvisor::TaskResult;
using taskvisor::TaskSpec;

namespace {

void Print(const std::string& name, const TaskOutcome& outcome) {
  std::cout << name << ": " << outcome.ToString() << "\n";
}

// A plain body returns, and keeps no worker for its children; its task is completed with the last.
TaskResult Sum(const TaskContext& context, std::atomic<int>& sum) {
  for (int part = 1; part <= 100; ++part) {
    auto child = context.Spawn(TaskSpec::Restartable([part, &sum] { sum += part; }));
    if (!child.ok()) return child.status();
  }
  return taskvisor::Ok();
}

// All or nothing: a part that fails cancels the others, and the attempt is retried.
TaskResult Import(const TaskContext& context) {
  if (const taskvisor::TaskError* last = context.LastError()) {
    std::cout << "again, because " << last->reason << "\n";
  }
  const bool first = context.attempt() == 1;
  for (const std::string part : {"customers", "orders"}) {
    auto load = [part, first](TaskContext& own) -> TaskResult {
      if (part == "orders" && first) return taskvisor::Fail("row 7 is broken");
      if (first) static_cast<void>(own.WaitCancelled(1h));  // by the failure of its sibling
      return own.Cancelled() ? taskvisor::Cancelled() : taskvisor::Ok();
    };
    auto child =
        context.Spawn(TaskSpec::Once(part, load), {.on_failure = OnChildFailure::kCancelSiblings});
    if (!child.ok()) return child.status();
  }
  return taskvisor::Ok();
}

// A coroutine may await what its children give.
Async<int> Total(TaskContext& context) {
  std::vector<taskvisor::Waiter<int>> parts;
  for (const int n : {20, 22}) {
    parts.push_back(context.Spawn(TaskSpec::Once([n] { return n; })).value().waiter);
  }
  int total = 0;
  for (const auto& part : parts) total += (co_await part).value_or(0);
  co_return total;
}

}  // namespace

int main() {
  auto supervisor = taskvisor::Supervisor::Create({.workers = 2});
  const taskvisor::SupervisorHandle handle = supervisor->Serve();

  std::atomic<int> sum{0};
  auto summed = handle.AddAndWatch(
      TaskSpec::Once("sum", [&sum](TaskContext& context) { return Sum(context, sum); }));
  Print("sum", summed->waiter.Wait().value());
  std::cout << "sum: " << sum << "\n";

  const auto at_once = taskvisor::BackoffPolicy::Constant(0s);
  auto imported = handle.AddAndWatch(TaskSpec::Restartable("import", &Import).WithBackoff(at_once));
  Print("import", imported->waiter.Wait().value());

  auto total = handle.AddAndWatch(TaskSpec::Once("total", &Total));
  std::cout << "total: " << total->waiter.Get().value() << "\n";

  // What stops a task stops its children, with the same cause.
  taskvisor::TaskWaiter grandchild;
  auto family = [&grandchild](TaskContext& context) {
    auto child = context.Spawn(TaskSpec::Once("child", [&grandchild](TaskContext& own) {
      auto spawned = own.Spawn(TaskSpec::Once(
          "grandchild", [](TaskContext& last) { static_cast<void>(last.WaitCancelled(1h)); }));
      grandchild = spawned.value().waiter;
    }));
    return child.status();
  };
  auto parent = handle.AddAndWatch(TaskSpec::Once("parent", family).WithTimeout(50ms));
  std::cout << "parent: " << parent->waiter.Wait()->reason() << "\n";
  Print("grandchild", grandchild.Wait().value());
  return handle.Shutdown().ok() ? 0 : 1;
}
