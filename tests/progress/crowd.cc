#include "tests/progress/crowd.h"

#include <memory>

#include "tests/progress/operation.h"

namespace taskvisor::testing {
namespace {

constexpr int kRoundsBetweenRests = 100;
constexpr uint64_t kTasksBegun = 40;  // more than a thread has on its way

// Before a task can be removed while it runs, one has to wait for its body to begin, and it
// may be the one that a stopped worker keeps. What is asked of kRemove is asked of both.
bool IsAsked(Kind kind) { return kind != Kind::kRemoveRunning; }

}  // namespace

Crowd::Crowd(World& world, int threads) : world_(world), size_(static_cast<uint64_t>(threads)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { Work(i); });
}

Crowd::~Crowd() {
  stop_.store(true);
  for (std::thread& thread : threads_) thread.join();
}

void Crowd::Work(int number) {
  std::array<std::unique_ptr<Operation>, kKinds> operations;
  for (size_t k = 0; k < kKinds; ++k) {
    if (!IsAsked(Kind(k))) continue;
    operations[k] = MakeOperation(Kind(k), world_, "crowd" + std::to_string(number));
  }
  for (uint64_t round = 0; !stop_.load(); ++round) {
    for (size_t k = 0; k < kKinds; ++k) {
      if (operations[k] == nullptr) continue;
      operations[k]->Prepare();
      operations[k]->Do();
      operations[k]->Settle();
      world_.Count(Kind(k));
    }
    if (round % kRoundsBetweenRests != 0) continue;
    for (const auto& operation : operations) {
      if (operation != nullptr) operation->SettleAll();
    }
    progress_.Notify();
  }
}

Crowd::Verdict Crowd::AwaitProgress(uint64_t count, std::chrono::steady_clock::duration limit) {
  const auto begin = std::chrono::steady_clock::now();
  std::array<uint64_t, kKinds> begun{};
  std::array<uint64_t, kKinds> goal{};
  // One of each thread may have been under way already; of tasks, all that it had begun.
  for (size_t k = 0; k < kKinds; ++k) {
    begun[k] = world_.done(Kind(k));
    goal[k] = begun[k] + count + size_ * (IsOfWorkers(Kind(k)) ? kTasksBegun : 1);
  }
  while (true) {
    const internal::EventCount::Key key = progress_.PrepareWait();
    std::string missing;
    for (size_t k = 0; k < kKinds; ++k) {
      const uint64_t done = world_.done(Kind(k));
      if (!IsAsked(Kind(k)) || done >= goal[k]) continue;
      missing += std::string(missing.empty() ? "" : ", ") + std::string(NameOf(Kind(k))) + ": " +
                 std::to_string(done - begun[k]);
    }
    const auto took = std::chrono::steady_clock::now() - begin;
    if (missing.empty()) return {true, took, {}};
    if (took >= limit) return {false, took, missing};
    progress_.WaitUntil(key, begin + limit);
  }
}

}  // namespace taskvisor::testing
