// A service: tasks come and go, a subscriber sees what happens, one task is stubborn.

#include <iostream>
#include <latch>
#include <memory>

#include "taskvisor/supervisor.h"

using namespace std::chrono_literals;

namespace {

// Runs on a thread of its own; may lose events (and is told how many), never delays a task.
class Printer : public taskvisor::Subscriber {
 public:
  void OnEvent(const taskvisor::Event& event) override {
    std::cout << ("  " + event.ToString() + "\n") << std::flush;
  }
  std::string_view Name() const override { return "printer"; }
  taskvisor::EventMask Interests() const override {
    return {taskvisor::EventKind::kTaskStarting, taskvisor::EventKind::kActorDead,
            taskvisor::EventKind::kActorExhausted, taskvisor::EventKind::kGraceExceeded};
  }
};

}  // namespace

int main() {
  auto supervisor =
      taskvisor::Supervisor::Create({.grace = 100ms, .subscribers = {std::make_shared<Printer>()}});
  taskvisor::SupervisorHandle handle = supervisor->Serve();

  auto polite =
      handle.AddAndWatch(taskvisor::TaskSpec::Once("polite", [](taskvisor::TaskContext& context) {
        while (context.SleepFor(1s)) {
        }
        return taskvisor::Cancelled();
      }));
  std::latch begun(1);
  auto stubborn = handle.AddAndWatch(taskvisor::TaskSpec::Once("stubborn", [&begun] {
    begun.count_down();
    const auto until = std::chrono::steady_clock::now() + 500ms;
    while (std::chrono::steady_clock::now() < until) {  // looks at nothing
    }
  }));
  if (!polite.ok() || !stubborn.ok()) return 1;

  std::cout << "cancelled: " << handle.CancelByName("polite").value() << std::endl;
  begun.wait();                                    // a task that has not begun is just left out
  const absl::Status stopped = handle.Shutdown();  // back after 100 ms, not after 500
  if (const auto exceeded = taskvisor::GraceExceeded::From(stopped)) {
    for (const taskvisor::StuckTask& task : exceeded->stuck) {
      std::cout << "stuck: " << task.name << ", attempt " << task.attempt << std::endl;
    }
  }
  std::cout << "outcome: " << Label(stubborn->waiter.Wait()->kind()) << std::endl;
  std::cout << "drained: " << stubborn->waiter.Drained().ok() << std::endl;
}
