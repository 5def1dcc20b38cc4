#ifndef TASKVISOR_TESTS_PROGRESS_VICTIMS_H_
#define TASKVISOR_TESTS_PROGRESS_VICTIMS_H_

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/progress/operation.h"

namespace taskvisor::testing {

// A thread for each kind that is not of the workers: while its freezer is aimed it does its
// operation again and again; otherwise it sleeps.
class Victims {
 public:
  explicit Victims(World& world) : world_(world) {
    for (size_t k = 0; k < kKinds; ++k) {
      if (!IsOfWorkers(Kind(k))) threads_.emplace_back([this, k] { Work(Kind(k)); });
    }
  }
  ~Victims() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  static constexpr std::chrono::milliseconds kLook{20};

  void Work(Kind kind) {
    Freezer& freezer = world_.freezer(kind);
    const auto operation = MakeOperation(kind, world_, "victim");
    while (!stop_.load()) {
      if (!freezer.AwaitAimed(std::chrono::steady_clock::now() + kLook)) continue;
      operation->Prepare();
      freezer.Enter(/*whole=*/kind == Kind::kRemoveRunning);
      operation->Do();
      Freezer::Leave();
      operation->Settle();
    }
  }

  World& world_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_PROGRESS_VICTIMS_H_
