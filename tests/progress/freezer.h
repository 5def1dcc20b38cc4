#ifndef TASKVISOR_TESTS_PROGRESS_FREEZER_H_
#define TASKVISOR_TESTS_PROGRESS_FREEZER_H_

#include <signal.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace taskvisor::testing {

// Freezer
//
// Stops a thread inside one kind of operation, for as long as the test likes, without its
// help: by a signal at a random moment, or at a fail point.
//
//           Aim          the thread, inside Enter..Leave               Thaw         the thread
//   kIdle ──────▶ kAimed ─────────────────────▶ kStopping ──▶ kFrozen ──────▶ kThawed ──────▶ kIdle
//                   └── Leave, too often before the fail point ──▶ kMissed ── Reset ──▶ kIdle
//
// At a random moment: a timer of the thread's own fires some microseconds after Enter, and
// from where its signal finds the thread it goes on for a few single steps, because
// interrupts are taken after slow instructions more often than elsewhere. If it is then
// in a library (malloc, TBB, libc: what the guarantees exclude) or between two operations,
// the timer is set again. Own code is what the linker put into the executable: the
// library, and the queue's header, which it compiles.
class Freezer {
 public:
  enum State : uint32_t { kIdle, kAimed, kStopping, kFrozen, kThawed, kMissed };

  // What one Aim asks for: the n-th fail point, or (0) a random moment of this seed.
  struct Where {
    uint64_t fail_point = 0;
    uint64_t seed = 0;
  };

  // --- the controlling thread ---
  void Aim(Where where);
  // False if it is not frozen (or missed) by then.
  [[nodiscard]] bool AwaitFrozen(std::chrono::steady_clock::time_point deadline);
  void Thaw();
  // Waits until the thread goes on.
  [[nodiscard]] bool AwaitIdle(std::chrono::steady_clock::time_point deadline);
  void Reset();
  [[nodiscard]] State state() const { return State(state_.load(std::memory_order_acquire)); }
  // Where it is frozen: a command line that tells.
  [[nodiscard]] std::string Place() const;
  // Moments that were not taken, so far.
  [[nodiscard]] uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  // --- the thread that is to be frozen ---
  [[nodiscard]] bool aimed() const { return state() == kAimed; }
  [[nodiscard]] bool AwaitAimed(std::chrono::steady_clock::time_point deadline) {
    return Await(kAimed, kAimed, deadline);
  }
  // Around one operation; nothing unless aimed. `whole`: single steps from its beginning
  // on instead of a signal, for an operation whose thread is mostly between two of them.
  void Enter(bool whole = false);
  static void Leave();

 private:
  static constexpr int kMissesAllowed = 20;
  static constexpr int kFrames = 24;

  static void OnTimer(int, siginfo_t*, void* context);
  static void OnStep(int, siginfo_t*, void* context);
  static void OnFailPoint();
  static void InstallHandlers();
  bool Await(uint32_t a, uint32_t b, std::chrono::steady_clock::time_point deadline);
  void Refuse();
  void Park(void* const* stack, int frames);
  void Become(State state);

  std::atomic<uint32_t> state_{kIdle};
  std::atomic<uint64_t> refused_{0};
  std::atomic<int> misses_{0};
  std::atomic<int> frames_{0};
  std::array<void*, kFrames> stack_{};
  Where where_;
};

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_PROGRESS_FREEZER_H_
