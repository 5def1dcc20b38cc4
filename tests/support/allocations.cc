#include "tests/support/allocations.h"

#include <cstdlib>
#include <new>

// A sanitizer's runtime has operator new already, and tells of each allocation.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TASKVISOR_TESTS_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TASKVISOR_TESTS_SANITIZED 1
#endif

namespace taskvisor::testing {
namespace {

thread_local uint64_t t_allocations = 0;

}  // namespace

uint64_t AllocationsOfThisThread() { return t_allocations; }

}  // namespace taskvisor::testing

#ifdef TASKVISOR_TESTS_SANITIZED

extern "C" void __sanitizer_malloc_hook(const volatile void*, size_t) {  // NOLINT: its name
  ++taskvisor::testing::t_allocations;
}

#else

// The forms that are not here (arrays, nothrow) end in these by their standard
// definitions; over-aligned ones are not counted.
void* operator new(size_t size) {
  ++taskvisor::testing::t_allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

#endif
