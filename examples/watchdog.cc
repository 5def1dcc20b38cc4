// A task under a heartbeat: it falls silent at a lock, the watchdog says where, and that it is
// back. Nothing is cancelled.

#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

#include "taskvisor/supervisor.h"

using namespace std::chrono_literals;
using taskvisor::EventKind;

namespace {

// On a thread of its own, so it may take its time over a page for whoever is on duty.
class Alarm : public taskvisor::Subscriber {
 public:
  void OnEvent(const taskvisor::Event& event) override {
    std::cout << event.ToString() << std::endl;
    (event.kind() == EventKind::kTaskStuck ? stuck : back) = true;
  }
  std::string_view Name() const override { return "alarm"; }
  taskvisor::EventMask Interests() const override {
    return {EventKind::kTaskStuck, EventKind::kTaskRecovered};
  }

  std::atomic<bool> stuck{false};
  std::atomic<bool> back{false};
};

std::mutex table;

[[gnu::noinline]] int ReadRow(int row) {
  const std::lock_guard lock(table);
  return row * row;
}

}  // namespace

int main() {
  const auto alarm = std::make_shared<Alarm>();
  auto supervisor = taskvisor::Supervisor::Create({.subscribers = {alarm}});
  const taskvisor::SupervisorHandle handle = supervisor->Serve();

  std::unique_lock held(table);  // somebody forgot to let go
  std::atomic<int> sum{0};
  auto report =
      handle.AddAndWatch(taskvisor::TaskSpec::Once("report", [&](taskvisor::TaskContext& context) {
                           for (int row = 0; row < 100 && !context.Cancelled(); ++row) {
                             sum += ReadRow(row);
                             context.Beat();  // a load, mostly
                           }
                         }).WithHeartbeat(50ms));
  if (!report.ok()) return 1;

  while (!alarm->stuck) std::this_thread::sleep_for(1ms);
  held.unlock();
  const bool success = report->waiter.Wait()->IsSuccess();
  const bool stopped = handle.Shutdown().ok();
  return success && stopped && alarm->back && sum == 328350 ? 0 : 1;
}
