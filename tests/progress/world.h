#ifndef TASKVISOR_TESTS_PROGRESS_WORLD_H_
#define TASKVISOR_TESTS_PROGRESS_WORLD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "sched/permits.h"
#include "supervisor/runtime.h"
#include "taskvisor/supervisor.h"
#include "tests/progress/freezer.h"

namespace taskvisor::testing {

// The kinds of operation that the README calls lock-free.
enum class Kind : uint8_t {
  kAdd,            // anonymous, one attempt, from outside
  kTryAdd,         // named and watched, several attempts
  kRemove,         // of a task wherever it is: queued, starting, delaying, ...
  kRemoveRunning,  // of a task whose body runs
  kPublish,        // a run of two events
  kReady,          // something is made ready: Pool::Submit
  kPermit,         // a permit is taken, waited for, handed over
  kArm,            // a timer
  kCancel,
  kRepeat,  // a worker: the end of an attempt that is followed by another
  kEnd,     // a worker: the end of an attempt and of its task
};
inline constexpr size_t kKinds = 11;
std::string_view NameOf(Kind kind);
// Done by the workers; the others are done by threads of the test.
inline bool IsOfWorkers(Kind kind) { return kind == Kind::kRepeat || kind == Kind::kEnd; }

// A ticket of kPermit.
using Grant = std::atomic<bool>;

// World
//
// A running supervisor, what the operations of the test act on, and how often each kind was
// done by anybody.
class World {
 public:
  struct Options {
    size_t workers = 0;
    std::optional<size_t> max_concurrent;
    int64_t permits = 0;  // of kPermit
  };
  explicit World(Options options);
  ~World();

  [[nodiscard]] const SupervisorHandle& handle() const { return *handle_; }
  [[nodiscard]] internal::Runtime& runtime() { return internal::RuntimeAccess::Of(*handle_); }
  [[nodiscard]] internal::Permits<Grant*>& permits() { return permits_; }
  [[nodiscard]] Freezer& freezer(Kind kind) { return freezers_[static_cast<size_t>(kind)]; }

  void Count(Kind kind) { done_[static_cast<size_t>(kind)].fetch_add(1); }
  [[nodiscard]] uint64_t done(Kind kind) const { return done_[static_cast<size_t>(kind)].load(); }

  // A body of `attempts` attempts, the last of which ends its task. What follows each on
  // the worker, until the next body begins there, is an operation kRepeat or kEnd.
  [[nodiscard]] TaskBody Body(uint32_t attempts);

 private:
  internal::Permits<Grant*> permits_;
  std::array<Freezer, kKinds> freezers_;
  std::array<std::atomic<uint64_t>, kKinds> done_{};
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<SupervisorHandle> handle_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_PROGRESS_WORLD_H_
