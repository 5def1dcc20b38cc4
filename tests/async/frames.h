#ifndef TASKVISOR_TESTS_ASYNC_FRAMES_H_
#define TASKVISOR_TESTS_ASYNC_FRAMES_H_

#include "taskvisor/async.h"
#include "taskvisor/completion.h"
#include "tests/async/in_frame.h"
#include "tests/contract/served.h"

namespace taskvisor::testing {

// A serving supervisor whose frames are counted: all must be gone at the end.
class AsyncServed : public Served {
 public:
  explicit AsyncServed(SupervisorConfig config = {}) : Served(std::move(config)) {
    InFrame::Reset();
  }
  ~AsyncServed() {
    EXPECT_TRUE(handle.Shutdown().ok());
    EXPECT_EQ(InFrame::alive(), 0) << "a frame leaks";
  }

  // Adds it, and waits until its body is suspended.
  WatchedTask Suspended(TaskSpec spec) const {
    WatchedTask task = Watch(std::move(spec));
    AwaitSuspended(task);
    return task;
  }
  void AwaitSuspended(const WatchedTask& task) const {
    EXPECT_TRUE(Eventually([&] { return IsSuspended(task); }));
  }
  bool IsSuspended(const WatchedTask& task) const {
    for (const TaskInfo& info : handle.List()) {
      if (info.id == task.id) return info.phase == TaskPhase::kSuspended;
    }
    return false;
  }
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_ASYNC_FRAMES_H_
