#include "supervisor/testing/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>

#include <boost/context/fiber.hpp>
#include <new>
#include <utility>

#include "sched/atomic.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASKVISOR_FIBERS_UNDER_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define TASKVISOR_FIBERS_UNDER_TSAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define TASKVISOR_FIBERS_UNDER_ASAN
#endif
#ifdef __SANITIZE_THREAD__
#define TASKVISOR_FIBERS_UNDER_TSAN
#endif
#ifdef TASKVISOR_FIBERS_UNDER_ASAN
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef TASKVISOR_FIBERS_UNDER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace taskvisor::internal {
namespace {

// Address space: of a stack, what was touched is memory. The guard is wide because a frame that is
// larger than it steps over it.
constexpr size_t kStackBytes = size_t{8} << 20;
constexpr size_t kGuardBytes = size_t{1} << 20;
constexpr size_t kBytes = kGuardBytes + kStackBytes;
constexpr size_t kMostKept = 64;

// Stacks for this thread's next fibers. Nothing of it is destroyed: a static object may have fibers
// when the thread-locals of its thread are gone.
struct Kept {
  char* lowest[kMostKept];
  size_t count;
  bool over;  // the thread ends: no more
};
constinit thread_local Kept t_kept = {};

struct AtThreadEnd {
  ~AtThreadEnd() {
    t_kept.over = true;
    while (t_kept.count > 0) munmap(t_kept.lowest[--t_kept.count], kBytes);
  }
};

[[nodiscard]] char* MakeStack() {
  void* const got = mmap(nullptr, kBytes, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (got == MAP_FAILED) throw std::bad_alloc();
  auto* const lowest = static_cast<char*>(got);
  if (mprotect(lowest + kGuardBytes, kStackBytes, PROT_READ | PROT_WRITE) != 0) {
    munmap(got, kBytes);
    throw std::bad_alloc();
  }
  madvise(lowest + kGuardBytes, kStackBytes, MADV_NOHUGEPAGE);  // pages as they are touched
  return lowest;
}

[[nodiscard]] char* TakeStack() {
  char* const lowest = t_kept.count > 0 ? t_kept.lowest[--t_kept.count] : MakeStack();
#ifdef TASKVISOR_FIBERS_UNDER_ASAN
  __lsan_register_root_region(lowest + kGuardBytes, kStackBytes);  // what it holds is no leak
#endif
  return lowest;
}

void GiveBackStack(char* lowest) {
#ifdef TASKVISOR_FIBERS_UNDER_ASAN
  __lsan_unregister_root_region(lowest + kGuardBytes, kStackBytes);
#endif
  if (t_kept.over || t_kept.count == kMostKept) {
    munmap(lowest, kBytes);
    return;
  }
  [[maybe_unused]] static thread_local const AtThreadEnd at_thread_end;
  t_kept.lowest[t_kept.count++] = lowest;
}

// As Boost.Context wants them.
struct OnStack {
  boost::context::stack_context allocate() const {
    boost::context::stack_context stack;
    stack.size = kStackBytes;
    stack.sp = lowest + kGuardBytes + kStackBytes;
    return stack;
  }
  void deallocate(boost::context::stack_context&) const {}  // see Fiber::Resume
  char* lowest;
};

// What the C++ ABI keeps of a thread's exceptions: __cxa_eh_globals.
struct Exceptions {
  void* caught = nullptr;
  unsigned int uncaught = 0;

  void Exchange() {
    auto* const here = reinterpret_cast<Exceptions*>(abi::__cxa_get_globals());
    std::swap(*this, *here);
  }
};

}  // namespace

struct Fiber::Inside {
  explicit Inside(std::function<void()> the_work) : work(std::move(the_work)) {
#ifdef TASKVISOR_FIBERS_UNDER_TSAN
    own_tsan = __tsan_create_fiber(0);
#endif
  }

  boost::context::fiber Main(boost::context::fiber&& from) {
    back = std::move(from);
    Arrived(nullptr);
    work();
    work = nullptr;  // what it holds goes here, on its own stack
    done = true;
    Leaving(/*for_good=*/true);
    back = std::move(back).resume();  // for ever
    return std::move(back);
  }

  // Around a switch, on this side of it and on the other. In line: ThreadSanitizer counts the
  // calls and returns of each fiber.
  [[gnu::always_inline]] void Entering() {
    exceptions.Exchange();
#ifdef TASKVISOR_FIBERS_UNDER_ASAN
    __sanitizer_start_switch_fiber(&outer_fake_stack, lowest + kGuardBytes, kStackBytes);
#endif
#ifdef TASKVISOR_FIBERS_UNDER_TSAN
    outer_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(own_tsan, 0);
#endif
  }
  [[gnu::always_inline]] void Arrived([[maybe_unused]] void* fake_stack) {
#ifdef TASKVISOR_FIBERS_UNDER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, &outer_stack, &outer_size);
#endif
  }
  [[gnu::always_inline]] void Leaving([[maybe_unused]] bool for_good) {
#ifdef TASKVISOR_FIBERS_UNDER_ASAN
    __sanitizer_start_switch_fiber(for_good ? nullptr : &own_fake_stack, outer_stack, outer_size);
#endif
#ifdef TASKVISOR_FIBERS_UNDER_TSAN
    __tsan_switch_to_fiber(outer_tsan, 0);
#endif
  }
  [[gnu::always_inline]] void Returned() {
#ifdef TASKVISOR_FIBERS_UNDER_ASAN
    __sanitizer_finish_switch_fiber(outer_fake_stack, nullptr, nullptr);
#endif
    exceptions.Exchange();
  }

  std::function<void()> work;
  boost::context::fiber own;   // where it goes on, while it is outside
  boost::context::fiber back;  // where its thread goes on, while it is inside
  void* forgotten[2] = {};     // a fiber whose destructor is not to run
  char* lowest = nullptr;
  Inside* next_leaked = nullptr;
  bool begun = false;
  bool done = false;
  Exceptions exceptions;
  void* own_tsan = nullptr;
  void* outer_tsan = nullptr;
  void* own_fake_stack = nullptr;
  void* outer_fake_stack = nullptr;
  const void* outer_stack = nullptr;
  size_t outer_size = 0;
};

Fiber::Fiber(std::function<void()> work) : inside_(std::make_unique<Inside>(std::move(work))) {}

Fiber::~Fiber() {
  if (inside_->begun && !inside_->done) {
    // Reachable for ever, so that a leak checker knows that it is meant.
    static Atomic<Inside*> leaked{nullptr};
    Inside* const own = inside_.release();
    own->next_leaked = leaked.exchange(own, std::memory_order_acq_rel);
    return;
  }
#ifdef TASKVISOR_FIBERS_UNDER_TSAN
  __tsan_destroy_fiber(inside_->own_tsan);
#endif
}

void Fiber::Resume() {
  Inside& in = *inside_;
  if (!in.begun) {
    in.lowest = TakeStack();
    in.begun = true;
    in.own = boost::context::fiber(
        std::allocator_arg, OnStack{in.lowest},
        [&in](boost::context::fiber&& from) { return in.Main(std::move(from)); });
  }
  in.Entering();
  in.own = std::move(in.own).resume();
  in.Returned();
  if (!in.done) return;
  // It stands behind its work, with nothing on its stack that is anybody's. So the stack is
  // taken as it is; to unwind it would be one switch more, that no sanitizer is told of.
  static_assert(sizeof(boost::context::fiber) <= sizeof(in.forgotten));
  new (&in.forgotten) boost::context::fiber(std::move(in.own));
  GiveBackStack(std::exchange(in.lowest, nullptr));
}

void Fiber::Suspend() {
  Inside& in = *inside_;
  in.Leaving(/*for_good=*/false);
  in.back = std::move(in.back).resume();
  in.Arrived(in.own_fake_stack);
}

bool Fiber::done() const { return inside_->done; }

}  // namespace taskvisor::internal
