// Every thread of the library is out of memory, from some moment on: no task is lost.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "taskvisor/supervisor.h"
#include "tests/support/bodies.h"
#include "tests/support/failing_memory.h"

namespace taskvisor::testing {
namespace {

using std::chrono::milliseconds;

// More than a queue has room for before it asks for memory.
constexpr int kMany = 4000;

class Starved {
 public:
  explicit Starved(SupervisorConfig config) {
    workers_ = config.workers;
    auto created = Supervisor::Create(std::move(config));
    EXPECT_TRUE(created.ok()) << created.status();
    supervisor_ = std::make_unique<Supervisor>(std::move(created).value());
    handle_ = std::make_unique<SupervisorHandle>(supervisor_->Serve());
    WarmUp();
  }
  ~Starved() { EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus()); }

  [[nodiscard]] const SupervisorHandle& handle() const { return *handle_; }

  void Add(TaskSpec spec) const { EXPECT_TRUE(handle_->Add(std::move(spec)).ok()); }
  [[nodiscard]] bool AllEnded() const {
    return Eventually([this] { return handle_->Stats().tasks == 0; });
  }

 private:
  // The system's own thread-local memory comes with the first use of each thread.
  void WarmUp() {
    std::mutex mutex;
    std::set<std::thread::id> workers;
    EXPECT_TRUE(Eventually([&] {
      // A few at a time: what the queues took for many would be there for those to come.
      for (size_t i = 0; i < 4 * workers_; ++i) {
        Add(TaskSpec::Once([&] {
          std::lock_guard lock(mutex);
          workers.insert(std::this_thread::get_id());
        }));
      }
      EXPECT_TRUE(AllEnded());
      return workers.size() == workers_;
    }));
  }

  size_t workers_ = 0;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<SupervisorHandle> handle_;
};

// All of them lose their place at some moment; none for good.
constexpr uint64_t kFailures = 50;
bool HasStarved(const StarvedOthers& no_memory) {
  return Eventually([&] { return no_memory.failures() > kFailures; });
}

TEST(Starved, TasksThatWaitForAPermitGetOne) {
  SupervisorConfig config{.workers = 2};
  config.max_concurrent = 1;
  const Starved starved(std::move(config));
  std::atomic<int> ran{0};
  HeldBody held;
  starved.Add(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  {
    const StarvedOthers no_memory;
    for (int i = 0; i < kMany; ++i) starved.Add(TaskSpec::Once([&] { ++ran; }));
    // The other worker takes each, and has no place for its ticket.
    EXPECT_TRUE(HasStarved(no_memory));
    held.LetGo();
  }
  EXPECT_TRUE(starved.AllEnded());
  EXPECT_EQ(ran, kMany);
  EXPECT_TRUE(Eventually([&] { return starved.handle().Stats().permits == 1; }));
}

TEST(Starved, TasksThatRepeatTakeTurns) {
  for (const size_t workers : {size_t{1}, size_t{2}}) {
    const Starved starved({.workers = workers});
    std::atomic<int> ended{0};
    {
      const StarvedOthers no_memory;
      for (int i = 0; i < 8; ++i) {
        starved.Add(TaskSpec::Periodic(Duration(0), [&](TaskContext& context) -> TaskResult {
          if (context.attempt() < kMany / 8) return Ok();
          return ++ended, Cancelled();
        }));
      }
      EXPECT_TRUE(HasStarved(no_memory));
    }
    EXPECT_TRUE(starved.AllEnded());
    EXPECT_EQ(ended, 8);
  }
}

// By the timer thread, which has no memory for the queue.
TEST(Starved, TasksWhoseDelayIsOverRunAgain) {
  const Starved starved({.workers = 2});
  std::atomic<int> ended{0};
  {
    const StarvedOthers no_memory;
    for (int i = 0; i < kMany; ++i) {
      starved.Add(TaskSpec::Periodic(milliseconds(1), [&](TaskContext& context) -> TaskResult {
        if (context.attempt() < 3) return Ok();
        return ++ended, Cancelled();
      }));
    }
    EXPECT_TRUE(HasStarved(no_memory));
  }
  EXPECT_TRUE(starved.AllEnded());
  EXPECT_EQ(ended, kMany);
}

// More of them than any test before this one needed.
TEST(Starved, NoThreadHasToBeMadeAfterTheStart) {
  constexpr size_t kWorkers = 9;
  auto supervisor = Supervisor::Create({.workers = kWorkers});
  const SupervisorHandle handle = supervisor->Serve();
  std::atomic<size_t> inside{0};
  Gate go;
  const StarvedOthers no_memory;
  for (size_t i = 0; i < kWorkers; ++i) {
    ASSERT_TRUE(handle.Add(TaskSpec::Once([&] { ++inside, go.Pass(); })).ok());
  }
  EXPECT_TRUE(Eventually([&] { return inside == kWorkers; }));
  go.Open();
  EXPECT_EQ(handle.Shutdown(), absl::OkStatus());
}

TEST(Starved, AShutdownEndsThoseThatWaitForMemory) {
  SupervisorConfig config{.workers = 2};
  config.max_concurrent = 1;
  std::atomic<int> ran{0};
  const Starved starved(std::move(config));
  HeldBody held;
  starved.Add(TaskSpec::Once(held.Body()));
  ASSERT_TRUE(held.Inside());
  const StarvedOthers no_memory;
  for (int i = 0; i < kMany; ++i) starved.Add(TaskSpec::Once([&] { ++ran; }));
  EXPECT_TRUE(HasStarved(no_memory));
  starved.handle().RequestShutdown();
  EXPECT_TRUE(Eventually([&] { return starved.handle().Stats().tasks == 1; }));
  held.LetGo();
  EXPECT_EQ(starved.handle().Shutdown(), absl::OkStatus());
  EXPECT_EQ(ran, 0);
}

}  // namespace
}  // namespace taskvisor::testing
