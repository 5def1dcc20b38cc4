#ifndef TASKVISOR_TESTS_STRESS_WORKLOAD_H_
#define TASKVISOR_TESTS_STRESS_WORKLOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "taskvisor/supervisor.h"
#include "tests/support/seed.h"

namespace taskvisor::testing {

// What a stress task does. Every kind ends by itself, so that nothing has to be stopped.
enum class BodyKind : uint8_t {
  kOk,
  kRetry,          // fails once or twice, then succeeds
  kExhaust,        // fails more often than it may
  kThrow,          // throws once or twice, then succeeds
  kThrowFatal,     // throws FatalError
  kFatal,          // returns Fatal
  kCancelsItself,  // returns Cancelled
  kTimesOut,       // sleeps past its timeout, obeys it
  kTimesOutLate,   // spins past its timeout, then succeeds too late
  kTimeoutRetry,   // times out once, then succeeds
  kPeriodic,       // succeeds twice, then returns Cancelled
  kParent,         // adds a child task
};
inline constexpr int kBodyKinds = 12;

// One task of a stress run, shared by its body and by who judges it.
struct Probe {
  BodyKind kind = BodyKind::kOk;
  uint32_t number = 0;
  uint32_t bad_attempts = 1;        // kRetry, kThrow
  bool others_may_stop_it = false;  // it has a name, or a stop was asked for
  bool accepted = false;            // the add returned an id
  TaskId id;
  TaskWaiter waiter;
  std::atomic<uint32_t> runs{0};    // bodies begun
  std::atomic<bool> inside{false};  // a body is on a core
};

// Counts of what must never happen; one object for a run.
struct Violations {
  std::atomic<uint64_t> overlaps{0};     // two bodies of one task at once
  std::atomic<uint64_t> over_limit{0};   // more bodies than permits
  std::atomic<uint64_t> bad_attempt{0};  // context.attempt() is not the number of bodies begun
};

// Makes tasks from a seed. One per thread.
class Workload {
 public:
  struct Shared {
    std::atomic<int64_t> inside{0};
    int64_t max_inside = 0;
    Violations violations;
    // What a kParent body calls on a worker, with the number of its own task.
    std::function<void(uint32_t parent)> add_child;
  };

  Workload(uint64_t seed, Shared& shared) : random_(seed), shared_(shared) {}

  Random& random() { return random_; }

  // A spec for `probe`, whose kind and details it draws; a named one in `named` percent.
  [[nodiscard]] TaskSpec Draw(const std::shared_ptr<Probe>& probe, uint64_t named);
  // The same with a kind.
  [[nodiscard]] TaskSpec Make(const std::shared_ptr<Probe>& probe, std::string name);

  // Few, so that adds collide.
  [[nodiscard]] std::string DrawName() { return "name-" + std::to_string(random_.Below(kNames)); }

 private:
  static constexpr uint64_t kNames = 16;

  Random random_;
  Shared& shared_;
};

// Nothing, or what is wrong with how an accepted task ended.
[[nodiscard]] std::string Judge(const Probe& probe, const TaskOutcome& outcome);

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_STRESS_WORKLOAD_H_
