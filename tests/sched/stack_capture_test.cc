#include "sched/stack_capture.h"

#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is not in <csignal>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sched/stack_text.h"
#include "tests/support/allocations.h"
#include "tests/support/gate.h"
#include "tests/support/sanitizers.h"
#include "tests/support/seed.h"

// Outside of any namespace, and never inlined: their names are what the tests look for.
[[gnu::noinline]] void LoopInANamedFunction(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
  }
}

[[gnu::noinline]] void LockInANamedFunction(std::mutex& mutex) {
  const std::lock_guard lock(mutex);
  static std::atomic<int> locked{0};
  ++locked;  // so that the call above is not the last thing it does
}

namespace taskvisor::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Eventually;
using Why = CapturedStack::Why;

constexpr auto kEnough = seconds(20);  // only a failing test waits it out

// ThreadSanitizer keeps a signal until the thread calls into its runtime, and runs the
// handler on top of that call; a wait for a mutex is none in which it would be let through.
#define SKIP_WHERE_HANDLERS_ARE_DEFERRED()                                                 \
  if (testing::kThreadSanitizer) {                                                         \
    GTEST_SKIP() << "ThreadSanitizer defers signal handlers to the thread's next call of " \
                    "its runtime: what is asserted here cannot happen under it";           \
  }

// A thread that does `work`, and its kernel id once it has begun.
class Subject {
 public:
  explicit Subject(std::function<void()> work)
      : thread_([this, work = std::move(work)] {
          id_.store(gettid(), std::memory_order_release);
          work();
        }) {
    EXPECT_TRUE(Eventually([this] { return id() != 0; }));
  }
  ~Subject() { Join(); }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] int32_t id() const { return id_.load(std::memory_order_acquire); }

 private:
  std::atomic<int32_t> id_{0};
  std::thread thread_;
};

CapturedStack Capture(int32_t thread, std::chrono::nanoseconds limit = kEnough) {
  return CaptureStacks({&thread, 1}, limit).front();
}

std::string TextOf(int32_t thread) { return ToText(Capture(thread), ""); }

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// The first function called over and over until its name is in the thread's stack: it may
// not have come there yet.
bool ComesTo(int32_t thread, std::string_view name, std::string& text) {
  return Eventually([&] { return Has(text = TextOf(thread), name); });
}

// A thread that comes to a call of the sanitizers' runtime again and again: ThreadSanitizer runs a
// handler there, and of one that waits for good perhaps nowhere.
void SleepAndWake(const std::atomic<bool>& stop) {
  while (!stop) std::this_thread::sleep_for(milliseconds(1));
}

TEST(StackCapture, AThreadInALoopIsFoundInItsFunction) {
  SKIP_WHERE_HANDLERS_ARE_DEFERRED();
  std::atomic<bool> stop{false};
  Subject loop([&] { LoopInANamedFunction(stop); });
  std::string text;
  EXPECT_TRUE(ComesTo(loop.id(), "LoopInANamedFunction", text)) << text;
  // Innermost first: nothing of the handler is above it.
  EXPECT_EQ(text.rfind("LoopInANamedFunction", 0), 0u) << text;
  stop = true;
}

TEST(StackCapture, AThreadThatWaitsForAMutexIsFoundInTheLockCallOfItsFunction) {
  SKIP_WHERE_HANDLERS_ARE_DEFERRED();
  std::mutex mutex;
  std::unique_lock held(mutex);
  Subject waiter([&] { LockInANamedFunction(mutex); });
  std::string text;
  EXPECT_TRUE(ComesTo(waiter.id(), "pthread_mutex_lock", text)) << text;
  EXPECT_TRUE(Has(text, "LockInANamedFunction")) << text;
  held.unlock();
}

TEST(StackCapture, AThreadThatHasEndedHasNone) {
  Subject gone([] {});
  gone.Join();
  EXPECT_TRUE(Eventually([&] { return Capture(gone.id()).why == Why::kNoThread; }));
  const CapturedStack stack = Capture(gone.id());
  EXPECT_EQ(stack.size, 0u);
  EXPECT_EQ(ToText(stack, ""), "(no stack: the thread has ended)");
}

TEST(StackCapture, AThreadThatBlocksTheSignalHasNoneAndTheReasonSaysSo) {
  SKIP_WHERE_HANDLERS_ARE_DEFERRED();
  testing::Gate blocked;
  testing::Gate go_on;
  testing::Gate unblocked;
  testing::Gate end;
  Subject deaf([&] {
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    blocked.Open();
    go_on.Pass();
    pthread_sigmask(SIG_SETMASK, &old, nullptr);  // the handler runs here, too late
    unblocked.Open();
    end.Pass();
  });
  ASSERT_TRUE(blocked.Wait());
  const auto start = std::chrono::steady_clock::now();
  const CapturedStack stack = Capture(deaf.id(), milliseconds(20));
  EXPECT_EQ(stack.why, Why::kBlocked);
  EXPECT_EQ(stack.size, 0u);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));
  EXPECT_EQ(ToText(stack, ""),
            "(no stack: the thread blocks signal " + std::to_string(stack.signal) + ")");
  go_on.Open();
  ASSERT_TRUE(unblocked.Wait());
  // It answers again, and its late handler has spoilt no other request.
  std::string text;
  EXPECT_TRUE(ComesTo(deaf.id(), "pthread_cond", text)) << text;
  end.Open();
}

TEST(StackCapture, AllThreadsAreAskedAtOnceAndWaitedForTogether) {
  SKIP_WHERE_HANDLERS_ARE_DEFERRED();
  testing::Gate end;
  std::vector<std::unique_ptr<Subject>> deaf;
  std::vector<int32_t> ids;
  for (int i = 0; i < 40; ++i) {  // more than are asked in one go
    deaf.push_back(std::make_unique<Subject>([&] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, nullptr);
      end.Pass();
    }));
    ids.push_back(deaf.back()->id());
  }
  const auto blocked = [&] {
    const auto stacks = CaptureStacks(ids, milliseconds(20));
    return std::all_of(stacks.begin(), stacks.end(),
                       [](const CapturedStack& stack) { return stack.why == Why::kBlocked; });
  };
  EXPECT_TRUE(Eventually(blocked));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(blocked());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 40 * milliseconds(20));
  end.Open();
}

TEST(StackCapture, ASignalThatTheHostTakesOverIsLeftToIt) {
  std::atomic<bool> stop{false};
  Subject waiter([&] { SleepAndWake(stop); });
  const CapturedStack first = Capture(waiter.id());
  ASSERT_EQ(first.why, Why::kTaken);
  struct sigaction hosts {};
  struct sigaction ours {};
  hosts.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(first.signal, &hosts, &ours), 0);
  const CapturedStack second = Capture(waiter.id());
  EXPECT_EQ(second.why, Why::kTaken);
  EXPECT_NE(second.signal, first.signal);
  struct sigaction now {};
  ASSERT_EQ(sigaction(first.signal, nullptr, &now), 0);
  EXPECT_EQ(now.sa_handler, hosts.sa_handler);
  ASSERT_EQ(sigaction(first.signal, &ours, nullptr), 0);
  stop = true;
}

TEST(StackCapture, AForeignSignalWithTheSameNumberDoesNothing) {
  std::atomic<bool> stop{false};
  Subject waiter([&] { SleepAndWake(stop); });
  const int signal = Capture(waiter.id()).signal;
  ASSERT_NE(signal, 0);
  for (const uintptr_t value : {uintptr_t{0}, uintptr_t{1}, UINTPTR_MAX}) {
    sigval number{};
    number.sival_ptr = reinterpret_cast<void*>(value);  // NOLINT(performance-no-int-to-ptr)
    ASSERT_EQ(sigqueue(getpid(), signal, number), 0);
  }
  EXPECT_EQ(Capture(waiter.id()).why, Why::kTaken);
  stop = true;
}

TEST(StackCapture, AThousandInARowWhileOtherThreadsAllocate) {
  SKIP_WHERE_HANDLERS_ARE_DEFERRED();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> allocated{0};
  const auto churn = [&](uint64_t seed) {
    testing::Random random(seed);
    std::vector<std::string> kept(64);
    while (!stop.load(std::memory_order_relaxed)) {
      kept[random.Below(kept.size())] = std::string(random.Below(5000), 'x');
      allocated.fetch_add(1, std::memory_order_relaxed);
    }
  };
  const uint64_t seed = testing::AnnouncedSeed();
  Subject loop([&] { LoopInANamedFunction(stop); });
  Subject first([&] { churn(seed); });
  Subject second([&] { churn(seed + 1); });
  const std::vector<int32_t> ids{loop.id(), first.id(), second.id()};
  std::string text;
  ASSERT_TRUE(ComesTo(loop.id(), "LoopInANamedFunction", text)) << text;
  for (int i = 0; i < 334; ++i) {
    // Three each time. The threads that allocate are interrupted too, also inside malloc.
    for (const CapturedStack& stack : CaptureStacks(ids, kEnough)) {
      ASSERT_EQ(stack.why, Why::kTaken) << "round " << i;
      ASSERT_GT(stack.size, 0u);
    }
  }
  EXPECT_EQ(TextOf(loop.id()).rfind("LoopInANamedFunction", 0), 0u);
  EXPECT_GT(allocated.load(), 0u);
  stop = true;
}

TEST(StackCapture, TheThreadThatIsInterruptedDoesNotAllocate) {
  SKIP_WHERE_HANDLERS_ARE_DEFERRED();
  std::atomic<bool> stop{false};
  uint64_t during = 1;
  Subject loop([&] {
    const uint64_t before = testing::AllocationsOfThisThread();
    LoopInANamedFunction(stop);
    during = testing::AllocationsOfThisThread() - before;
  });
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Capture(loop.id()).why, Why::kTaken);
  stop = true;
  loop.Join();
  EXPECT_EQ(during, 0u);
}

TEST(StackText, EndsBeforeTheFrameThatIsNamed) {
  SKIP_WHERE_HANDLERS_ARE_DEFERRED();
  std::mutex mutex;
  std::unique_lock held(mutex);
  Subject waiter([&] { LockInANamedFunction(mutex); });
  std::string text;
  ASSERT_TRUE(ComesTo(waiter.id(), "LockInANamedFunction", text)) << text;
  const std::string inner = ToText(Capture(waiter.id()), "LockInANamedFunction");
  EXPECT_FALSE(Has(inner, "LockInANamedFunction")) << inner;
  EXPECT_TRUE(Has(inner, "pthread_mutex_lock")) << inner;
  held.unlock();
}

TEST(StackText, OneLineHoldsAsManyWholeFramesAsFit) {
  EXPECT_EQ(ToOneLine("a()\nb()\nc()", 255), "a() < b() < c()");
  EXPECT_EQ(ToOneLine("a()\nb()\nc()", 9), "a() < b()");
  EXPECT_EQ(ToOneLine("a()\nb()\nc()", 8), "a()");
  EXPECT_EQ(ToOneLine("", 8), "");
  EXPECT_EQ(ToOneLine(std::string(100, 'x') + "\ny()", 255), std::string(60, 'x') + " < y()");
}

}  // namespace
}  // namespace taskvisor::internal
