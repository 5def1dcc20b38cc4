// What bodies leave behind on the threads that run them.

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "tests/contract/served.h"

namespace taskvisor::testing {
namespace {

// Asks for a shutdown when its thread ends.
struct AsksAtTheEnd {
  AsksAtTheEnd(SupervisorHandle whom, std::optional<absl::Status>& to)
      : handle(std::move(whom)), answer(to) {}
  AsksAtTheEnd(const AsksAtTheEnd&) = delete;
  AsksAtTheEnd& operator=(const AsksAtTheEnd&) = delete;
  ~AsksAtTheEnd() { answer.emplace(handle.Shutdown()); }
  SupervisorHandle handle;
  std::optional<absl::Status>& answer;
};

// The shutdown waits for the worker, so the worker cannot wait for the shutdown.
TEST(WorkerThreads, AThreadLocalOfABodyIsDestroyedOnAWorkerStill) {
  Served served({.workers = 1});
  std::optional<absl::Status> answer;
  const auto body = [&] {
    thread_local const AsksAtTheEnd at_the_end(served.handle, answer);
    static_cast<void>(at_the_end);
  };
  EXPECT_EQ(Served::Outcome(served.Watch(TaskSpec::Once(body))).kind(), OutcomeKind::kCompleted);
  EXPECT_TRUE(served.supervisor->Shutdown().ok());
  ASSERT_TRUE(answer.has_value());  // the shutdown has waited for it
  EXPECT_EQ(ErrorLabel(*answer), "runtime_would_deadlock");
}

}  // namespace
}  // namespace taskvisor::testing
