#ifndef TASKVISOR_TESTS_SUPPORT_MODEL_H_
#define TASKVISOR_TESTS_SUPPORT_MODEL_H_

#include <gtest/gtest.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/seed.h"

namespace taskvisor::testing {

// Model
//
// A few threads of a test, run as one: each is a coroutine with a stack of its own, only
// one goes on at a time, and at every access to an Atomic (see model_atomic.h) a seeded
// draw says who is next. The same seed gives the same interleaving, step by step.
//
//   Explore(5000, [](Model& model) {
//     Ring<Record> ring(1);
//     model.Spawn("publisher", [&] { ... });
//     model.Spawn("reader", [&] { ... });
//     model.Run();
//     EXPECT_EQ(...);
//   });
//
// What it finds: orders of atomic steps that break a rule, waits that nobody ends ("no
// thread can go on"), loops that nothing ends. What it cannot find: whatever needs a
// weaker order than sequential consistency, because every step here is seen by all at
// once; that half is ThreadSanitizer's and the written arguments'. And it samples
// interleavings, it does not enumerate them.
class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed), stickiness_(random_.Below(4)) {}
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // A thread; it starts with Run. `name` outlives the model.
  void Spawn(const char* name, std::function<void()> body) {
    auto fiber = std::make_unique<Fiber>();
    fiber->name = name;
    fiber->body = std::move(body);
    // Some threads are much slower than others: that is how long stalls come about.
    fiber->weight = uint64_t{1} << (2 * random_.Below(4));
    fibers_.push_back(std::move(fiber));
  }

  // Until all threads are done; a failure of the test if they cannot all be.
  void Run() {
    for (auto& fiber : fibers_) Prepare(*fiber);
    current_ = this;
    if (Fiber* first = Choose()) SwitchTo(*first, main_);
    current_ = nullptr;
    if (!trouble_.empty()) ADD_FAILURE() << trouble_;
  }

  // The thread that runs may be overtaken here. Nothing outside of Run.
  static void Step() {
    if (current_ != nullptr) current_->Reschedule();
  }
  // The running thread stops before its n-th access from here, until WakeAll(until).
  static void StopAtStep(uint64_t n, const void* until) {
    if (current_ == nullptr) return;
    current_->running_->stops_in = n;
    current_->running_->stops_on = until;
  }
  // Whether a thing that may go either way goes wrong now (a weak compare-and-swap).
  static bool Chance(uint64_t one_in) {
    return current_ != nullptr && current_->random_.Below(one_in) == 0;
  }
  // A number for a test's own choices, inside of Run and before.
  Random& random() { return random_; }

  // The model's own time, in ns. It stands still while any thread can go on (but see
  // Advance); then it jumps to the earliest deadline that somebody sleeps until.
  static int64_t Now() { return current_ == nullptr ? 0 : current_->now_; }

  // Or it is moved by hand, while others are busy.
  static void Advance(int64_t by) {
    if (current_ != nullptr) current_->now_ += by;
  }

  static constexpr int64_t kForEver = INT64_MAX;

  // The thread sleeps on `address` until WakeAll or `deadline`.
  static void Sleep(const void* address, int64_t deadline) {
    if (current_ == nullptr) return;
    current_->running_->sleeps_on = address;
    current_->running_->deadline = deadline;
    current_->Reschedule();
  }
  static void WakeAll(const void* address) {
    if (current_ == nullptr) return;
    for (auto& fiber : current_->fibers_) {
      if (fiber->sleeps_on == address) fiber->sleeps_on = nullptr;
    }
  }

 private:
  static constexpr size_t kStack = 128 * 1024;
  static constexpr uint64_t kMaxSteps = 100'000;

  struct Fiber {
    const char* name = "";
    std::function<void()> body;
    uint64_t weight = 1;
    const void* sleeps_on = nullptr;
    int64_t deadline = kForEver;
    uint64_t stops_in = 0;  // 0: it does not stop
    const void* stops_on = nullptr;
    bool done = false;
    std::unique_ptr<char[]> stack;
    ucontext_t context{};
  };

  // Stacks are the dear part of a fiber: used again by the next model.
  static std::vector<std::unique_ptr<char[]>>& SpareStacks() {
    static auto* const stacks = new std::vector<std::unique_ptr<char[]>>();
    return *stacks;
  }

  void Prepare(Fiber& fiber) {
    auto& spare = SpareStacks();
    if (spare.empty()) spare.push_back(std::make_unique<char[]>(kStack));
    fiber.stack = std::move(spare.back());
    spare.pop_back();
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = &main_;
    makecontext(&fiber.context, &Model::Main, 0);
  }

  static void Main() {
    Fiber& self = *current_->running_;
    self.body();
    self.done = true;
    SpareStacks().push_back(std::move(self.stack));  // still ours until the switch below
    current_->Leave();
  }

  // The running thread is done, or may never go on again.
  void Leave() {
    Fiber* next = Choose();
    if (next != nullptr) {
      running_ = next;
      setcontext(&next->context);
    }
    setcontext(&main_);
  }

  void Reschedule() {
    if (++steps_ > kMaxSteps) {
      if (trouble_.empty()) trouble_ = "no end after many steps; running: " + Names();
      return Stop();
    }
    if (running_->stops_in > 0 && --running_->stops_in == 0) {
      running_->sleeps_on = running_->stops_on;
      running_->deadline = kForEver;
    }
    const bool awake = running_->sleeps_on == nullptr;
    if (awake && random_.Below(4) < stickiness_) return;
    Fiber* next = Choose();
    if (next == nullptr) return Stop();
    Fiber& self = *running_;
    if (next != &self) SwitchTo(*next, self.context);
  }

  // Gives the whole run up: back to Run, with the others' stacks left as they are.
  void Stop() {
    ucontext_t dropped;
    swapcontext(&dropped, &main_);
  }

  void SwitchTo(Fiber& next, ucontext_t& from) {
    running_ = &next;
    swapcontext(&from, &next.context);
  }

  // One of those that can go on, by weight; null if none can (or all are done).
  Fiber* Choose() {
    uint64_t total = 0;
    Fiber* earliest = nullptr;  // of the sleepers with a deadline
    bool all_done = true;
    for (auto& fiber : fibers_) {
      if (fiber->done) continue;
      all_done = false;
      if (fiber->deadline <= now_) fiber->sleeps_on = nullptr;  // its time is up
      if (fiber->sleeps_on == nullptr) {
        total += fiber->weight;
      } else if (fiber->deadline != kForEver &&
                 (earliest == nullptr || fiber->deadline < earliest->deadline)) {
        earliest = fiber.get();
      }
    }
    if (total == 0 && earliest != nullptr) {
      now_ = std::max(now_, earliest->deadline);
      earliest->sleeps_on = nullptr;
      return earliest;
    }
    if (total == 0) {
      if (!all_done) trouble_ = "no thread can go on: " + Names();
      return nullptr;
    }
    uint64_t draw = random_.Below(total);
    for (auto& fiber : fibers_) {
      if (fiber->done || fiber->sleeps_on != nullptr) continue;
      if (draw < fiber->weight) return fiber.get();
      draw -= fiber->weight;
    }
    return nullptr;
  }

  [[nodiscard]] std::string Names() const {
    std::string names;
    for (const auto& fiber : fibers_) {
      if (fiber->done) continue;
      names += std::string(names.empty() ? "" : ", ") + fiber->name;
      if (fiber->sleeps_on != nullptr) names += " (asleep)";
    }
    return names;
  }

  static inline Model* current_ = nullptr;

  Random random_;
  const uint64_t stickiness_;  // of 4: how often a thread goes on at a step
  std::vector<std::unique_ptr<Fiber>> fibers_;
  Fiber* running_ = nullptr;
  ucontext_t main_{};
  int64_t now_ = 0;
  uint64_t steps_ = 0;
  std::string trouble_;
};

// Runs `test` under `seeds` seeds, or under TASKVISOR_SEED alone; stops at the first that
// fails and says which it was, also if it hangs.
inline void Explore(uint64_t seeds, const std::function<void(Model&)>& test) {
  static volatile std::sig_atomic_t armed = 0;
  static char hang[64];
  const bool replay = std::getenv("TASKVISOR_SEED") != nullptr;
  const uint64_t first = AnnouncedSeed();
  if (armed == 0) {
    std::signal(SIGALRM, [](int) {
      static_cast<void>(!write(STDERR_FILENO, hang, sizeof(hang)));
      std::abort();
    });
    armed = 1;
  }
  for (uint64_t i = 0; i < (replay ? 1 : seeds); ++i) {
    std::snprintf(hang, sizeof(hang), "hangs with TASKVISOR_SEED=%llu\n",
                  static_cast<unsigned long long>(first + i));
    if (i % 256 == 0) alarm(20);
    Model model(first + i);
    test(model);
    if (::testing::Test::HasFailure()) {
      std::printf("failed after %llu seeds: TASKVISOR_SEED=%llu replays it\n",
                  static_cast<unsigned long long>(i), static_cast<unsigned long long>(first + i));
      break;
    }
  }
  alarm(0);
}

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_MODEL_H_
