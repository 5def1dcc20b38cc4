#include "tests/progress/freezer.h"

#include <execinfo.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "tests/progress/fail_point.h"
#include "tests/support/seed.h"

extern "C" char __executable_start;  // of the linker: what lies between is own code
extern "C" char etext;

namespace taskvisor::testing {
namespace {

// ns to the signal; a handler that sets the timer again takes about as long as the shortest.
constexpr uint64_t kShortest = 2'000;
constexpr uint64_t kDoublings = 5;
constexpr uint64_t kSteps = 16;
constexpr uint64_t kStepsOfWhole = 512;
constexpr int kRefusalsInARow = 64;
constexpr greg_t kTrapFlag = 0x100;

// What the handlers of a thread know. Its operation's freezer: null outside of one.
struct ThreadState {
  Freezer* freezer = nullptr;
  uint64_t seed = 0;
  Random random{0};
  uint64_t steps = 0;
  bool whole = false;  // stepped from its beginning, through libraries too
  int refused = 0;
  bool timer_pending = false;
  bool has_timer = false;
  timer_t timer = {};
};
thread_local ThreadState t_state;

bool IsOwnCode(uintptr_t at) {
  return at >= reinterpret_cast<uintptr_t>(&__executable_start) &&
         at < reinterpret_cast<uintptr_t>(&etext);
}
int SignalOfTimer() { return SIGRTMIN + 3; }

void SetTimer() {
  if (!t_state.has_timer) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SignalOfTimer();
    event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
    if (timer_create(CLOCK_MONOTONIC, &event, &t_state.timer) != 0) std::abort();
    t_state.has_timer = true;
  }
  t_state.timer_pending = true;
  const uint64_t more = t_state.random.Below(kShortest << t_state.random.Below(kDoublings));
  const itimerspec in{.it_interval = {}, .it_value = {0, static_cast<long>(kShortest + more)}};
  timer_settime(t_state.timer, 0, &in, nullptr);
}

void FutexWait(std::atomic<uint32_t>& word, uint32_t seen, const timespec* limit) {
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, seen, limit, nullptr,
          FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

void Freezer::InstallHandlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);  // no handler inside a handler
    action.sa_sigaction = &OnTimer;
    sigaction(SignalOfTimer(), &action, nullptr);
    action.sa_sigaction = &OnStep;
    sigaction(SIGTRAP, &action, nullptr);
  });
}

void Freezer::Become(State state) {
  state_.store(state, std::memory_order_release);
  syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void Freezer::Aim(Where where) {
  InstallHandlers();
  where_ = where;
  misses_.store(0, std::memory_order_relaxed);
  Become(kAimed);
}

bool Freezer::Await(uint32_t a, uint32_t b, std::chrono::steady_clock::time_point deadline) {
  const auto since = deadline.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const timespec limit{static_cast<time_t>(seconds.count()),
                       static_cast<long>(std::chrono::nanoseconds(since - seconds).count())};
  while (true) {
    const uint32_t seen = state_.load(std::memory_order_acquire);
    if (seen == a || seen == b) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    FutexWait(state_, seen, &limit);
  }
}

bool Freezer::AwaitFrozen(std::chrono::steady_clock::time_point deadline) {
  return Await(kFrozen, kMissed, deadline);
}
bool Freezer::AwaitIdle(std::chrono::steady_clock::time_point deadline) {
  return Await(kIdle, kMissed, deadline);
}
void Freezer::Thaw() { Become(kThawed); }
void Freezer::Reset() { Become(kIdle); }

std::string Freezer::Place() const {
  std::string command = "addr2line -Cfipse " + std::string(program_invocation_name);
  for (int i = 0; i < frames_.load(std::memory_order_acquire); ++i) {
    const auto at = reinterpret_cast<uintptr_t>(stack_[static_cast<size_t>(i)]);
    if (!IsOwnCode(at)) continue;
    char text[32];
    std::snprintf(text, sizeof(text), " %zx",
                  at - reinterpret_cast<uintptr_t>(&__executable_start));
    command += text;
  }
  return command;
}

void Freezer::Enter(bool whole) {
  if (!aimed()) return;
  if (where_.fail_point != 0) {
    t_state.freezer = this;
    return FailPoint::StopAt(where_.fail_point, &OnFailPoint);
  }
  if (t_state.seed != where_.seed) {
    t_state.seed = where_.seed;
    t_state.random = Random(where_.seed);
  }
  t_state.steps = t_state.random.Below(whole ? kStepsOfWhole : kSteps);
  t_state.whole = whole;
  t_state.refused = 0;
  if (whole) {
    t_state.freezer = this;
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SignalOfTimer());
  } else {
    if (!t_state.timer_pending) SetTimer();
    t_state.freezer = this;  // from here on it is the operation
  }
}

void Freezer::Leave() {
  Freezer* const self = t_state.freezer;
  if (self == nullptr) return;
  t_state.freezer = nullptr;
  FailPoint::Clear();
  if (self->where_.fail_point == 0 || self->misses_.fetch_add(1) < kMissesAllowed) return;
  uint32_t aimed = kAimed;
  if (self->state_.compare_exchange_strong(aimed, kMissed)) self->Become(kMissed);
}

void Freezer::OnFailPoint() {
  Freezer* const self = t_state.freezer;
  if (self == nullptr || !self->aimed()) return;
  std::array<void*, kFrames> stack;
  self->Park(stack.data(), backtrace(stack.data(), kFrames));
}

void Freezer::OnTimer(int, siginfo_t*, void* context) {
  const int error = errno;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  t_state.timer_pending = false;
  Freezer* const self = t_state.freezer;
  if (self != nullptr && self->aimed()) {
    if (!t_state.whole && !IsOwnCode(static_cast<uintptr_t>(registers[REG_RIP]))) {
      self->Refuse();
    } else {
      registers[REG_EFL] |= kTrapFlag;  // OnStep does the rest
    }
  }
  errno = error;
}

void Freezer::OnStep(int, siginfo_t*, void* context) {
  const int error = errno;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  Freezer* const self = t_state.freezer;
  const bool own = IsOwnCode(static_cast<uintptr_t>(registers[REG_RIP]));
  if (self == nullptr || !self->aimed()) {
    registers[REG_EFL] &= ~kTrapFlag;
  } else if (!own) {
    if (!t_state.whole) {
      registers[REG_EFL] &= ~kTrapFlag;
      self->Refuse();
    }
  } else if (t_state.steps == 0) {
    registers[REG_EFL] &= ~kTrapFlag;
    void* const here = reinterpret_cast<void*>(registers[REG_RIP]);
    self->Park(&here, 1);
  } else {
    --t_state.steps;
  }
  errno = error;
}

// An operation that left the executable for long (a worker that has gone to sleep) is
// given up: the next one enters anew.
void Freezer::Refuse() {
  refused_.fetch_add(1, std::memory_order_relaxed);
  if (++t_state.refused < kRefusalsInARow) return SetTimer();
  t_state.freezer = nullptr;
}

// On the thread itself, in a handler or at a fail point: async-signal-safe.
void Freezer::Park(void* const* stack, int frames) {
  uint32_t aimed = kAimed;
  if (!state_.compare_exchange_strong(aimed, kStopping)) return;  // another thread was faster
  for (int i = 0; i < frames; ++i) stack_[static_cast<size_t>(i)] = stack[i];
  frames_.store(frames, std::memory_order_release);
  t_state.freezer = nullptr;
  Become(kFrozen);
  while (state() == kFrozen) FutexWait(state_, kFrozen, nullptr);
  Become(kIdle);
}

}  // namespace taskvisor::testing
