#include <iostream>

#include "taskvisor/supervisor.h"
using namespace std::chrono_literals;
using namespace taskvisor;

int main() {
  auto supervisor = Supervisor::Create();
  auto flaky = TaskSpec::Restartable("flaky",
                                     [](TaskContext& context) {
                                       return context.attempt() < 3 ? Fail("not yet") : Ok();
                                     })
                   .WithBackoff(BackoffPolicy::Constant(50ms))
                   .WithTimeout(5s);
  auto broken = TaskSpec::Once("broken", [] { throw FatalError("no disk", /*exit_code=*/28); });

  TaskWaiter waiters[] = {flaky.Watch(), broken.Watch()};
  absl::Status status = supervisor->Run(std::move(flaky), std::move(broken));  // or Ctrl-C
  for (const TaskWaiter& waiter : waiters) {
    std::cout << waiter.id().ToString() << ": " << waiter.Wait()->ToString() << "\n";
  }
  return status.ok() ? 0 : 1;
}
