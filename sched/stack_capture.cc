#include "sched/stack_capture.h"

#include <features.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is not in <csignal>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "sched/futex.h"

namespace taskvisor::internal {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Why = CapturedStack::Why;

constexpr size_t kPlaces = 64;  // stacks on their way at a time, for all askers
constexpr size_t kAtOnce = 32;  // for one asker
constexpr int kIndexShift = 32;

constinit std::array<StackRequest, kPlaces> g_places{};
// Ours; 0: none yet. Only a number: the handler itself is looked at before each use.
constinit Atomic<int> g_signal{0};

struct Trace {
  StackRequest* to;
  bool interrupted = false;  // the frame that the signal came to was met
};

_Unwind_Reason_Code OnFrame(_Unwind_Context* context, void* argument) {
  auto& trace = *static_cast<Trace*>(argument);
  int exact = 0;
  const uintptr_t at = _Unwind_GetIPInfo(context, &exact);
  if (at == 0) return _URC_END_OF_STACK;
  if (exact != 0 && !trace.interrupted) {
    trace.interrupted = true;
    trace.to->size = 0;  // all before were the handler's
  }
  // A return address may be the next function's first: one back is inside the call.
  trace.to->frames[trace.to->size++] = exact != 0 ? at : at - 1;
  return trace.to->size == kMaxFrames ? _URC_END_OF_STACK : _URC_NO_REASON;
}

void Unwind(StackRequest& to) {
  to.size = 0;
  Trace trace{&to};
  _Unwind_Backtrace(&OnFrame, &trace);
}

void OnAsked(int, siginfo_t* info, void*) {
  if (info->si_code != SI_QUEUE || info->si_pid != getpid()) return;
  const auto value = reinterpret_cast<uintptr_t>(info->si_value.sival_ptr);
  if (value >> kIndexShift >= kPlaces) return;
  const int saved_errno = errno;
  StackRequest& place = g_places[value >> kIndexShift];
  if (place.TryEnter(static_cast<uint32_t>(value))) {
    Unwind(place);
    place.Leave();
    FutexWakeAll(place.word());
  }
  errno = saved_errno;
}

bool IsOurs(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &OnAsked;
}

bool IsFree(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

// Several askers may do this at once: the handler is the same.
bool TryInstall(int signal) {
  struct sigaction before {};
  if (sigaction(signal, nullptr, &before) != 0) return false;
  if (IsOurs(before)) return true;
  if (!IsFree(before)) return false;
  struct sigaction ours {};
  ours.sa_sigaction = &OnAsked;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  if (sigaction(signal, &ours, &before) != 0) return false;
  if (IsFree(before) || IsOurs(before)) return true;
  sigaction(signal, &before, nullptr);  // the host was faster
  return false;
}

// 0: there is none.
int OurSignal() {
  const int last = g_signal.load(std::memory_order_relaxed);
  if (last != 0 && TryInstall(last)) return last;
  for (int signal = SIGRTMAX; signal >= SIGRTMIN; --signal) {
    if (!TryInstall(signal)) continue;
    g_signal.store(signal, std::memory_order_relaxed);
    return signal;
  }
  return 0;
}

// What is bound or set up on first use, here and not in a handler.
void WarmUp() {
  static const bool warm = [] {
    static StackRequest nowhere;
    Unwind(nowhere);
    FutexWakeAll(nowhere.word());
    return getpid() > 0;
  }();
  static_cast<void>(warm);
}

// 0 or an errno.
int Send(int32_t thread, int signal, size_t index, uint32_t number) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(uintptr_t{index} << kIndexShift | number);
  return syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal, &info) == 0 ? 0 : errno;
}

// Why a thread has not answered: the kernel's own account of its signals.
Why WhySilent(int32_t thread, int signal) try {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  if (!status) return Why::kNoThread;
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kBlocked = "SigBlk:";
    if (line.compare(0, kBlocked.size(), kBlocked) != 0) continue;
    const uint64_t blocked = std::strtoull(line.c_str() + kBlocked.size(), nullptr, 16);
    return (blocked >> (signal - 1) & 1) != 0 ? Why::kBlocked : Why::kNoAnswer;
  }
  return Why::kNoAnswer;
} catch (const std::bad_alloc&) {  // others' places are still to be given back
  return Why::kNoAnswer;
}

std::optional<size_t> TakePlace(uint32_t& number) {
  for (size_t index = 0; index < kPlaces; ++index) {
    const std::optional<uint32_t> asked = g_places[index].TryAsk();
    if (!asked.has_value()) continue;
    number = *asked;
    return index;
  }
  return std::nullopt;
}

// The place where the answer will be, or the reason in `stack`.
StackRequest* Ask(int32_t thread, int signal, CapturedStack& stack) {
  uint32_t number = 0;
  const std::optional<size_t> index = TakePlace(number);
  if (!index.has_value()) return stack.why = Why::kTooMany, nullptr;
  const int error = Send(thread, signal, *index, number);
  if (error == 0) return &g_places[*index];
  static_cast<void>(g_places[*index].GiveUp());  // nobody has its number
  stack.why = error == ESRCH ? Why::kNoThread : Why::kNoSignal;
  return nullptr;
}

void Collect(StackRequest& place, int32_t thread, SteadyClock::time_point until,
             CapturedStack& stack) {
  uint32_t word = place.Load();
  while (StackRequest::StateOf(word) != StackRequest::kWritten && SteadyClock::now() < until) {
    FutexWait(place.word(), word, until);
    word = place.Load();
  }
  if (place.GiveUp()) {
    stack.why = WhySilent(thread, stack.signal);
    return;
  }
  stack.why = Why::kTaken;
  stack.size = place.size;
  std::copy_n(place.frames.begin(), place.size, stack.frames.begin());
  place.Release();
}

}  // namespace

std::vector<CapturedStack> CaptureStacks(std::span<const int32_t> threads,
                                         std::chrono::nanoseconds limit) {
  std::vector<CapturedStack> stacks(threads.size());
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
  WarmUp();
  const SteadyClock::time_point until = SteadyClock::now() + limit;
  const int signal = OurSignal();
  for (CapturedStack& stack : stacks) {
    stack.signal = signal;
    stack.why = Why::kNoSignal;
  }
  for (size_t begin = 0; signal != 0 && begin < threads.size(); begin += kAtOnce) {
    const size_t count = std::min(kAtOnce, threads.size() - begin);
    std::array<StackRequest*, kAtOnce> asked{};
    for (size_t i = 0; i < count; ++i) {
      asked[i] = Ask(threads[begin + i], signal, stacks[begin + i]);
    }
    for (size_t i = 0; i < count; ++i) {
      if (asked[i] == nullptr) continue;
      Collect(*asked[i], threads[begin + i], until, stacks[begin + i]);
    }
  }
#else
  static_cast<void>(limit);
  for (CapturedStack& stack : stacks) stack.why = Why::kUnsupported;
#endif
  return stacks;
}

}  // namespace taskvisor::internal
