#include "tests/support/failing_memory.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace taskvisor::testing {
namespace {

struct ThreadState {
  uint64_t left = 0;  // until one fails; 0: not armed, or over
  bool onwards = false;
  bool spared = false;  // by StarvedOthers
  uint64_t failures = 0;
};
constinit thread_local ThreadState t_memory;
constinit std::atomic<bool> g_starved{false};
constinit std::atomic<uint64_t> g_starved_failures{0};

}  // namespace

FailingMemory::FailingMemory(uint64_t n, From from) {
  t_memory = {.left = n, .onwards = from == From::kOnwards, .failures = 0};
}
FailingMemory::~FailingMemory() { t_memory = {}; }
uint64_t FailingMemory::failures() const { return t_memory.failures; }

StarvedOthers::StarvedOthers() {
  t_memory.spared = true;
  g_starved_failures = 0;
  g_starved = true;
}
StarvedOthers::~StarvedOthers() {
  g_starved = false;
  t_memory.spared = false;
}
uint64_t StarvedOthers::failures() const { return g_starved_failures; }

// Whether this allocation is one that fails.
static bool Fails() {
  if (g_starved.load(std::memory_order_relaxed) && !t_memory.spared) {
    g_starved_failures.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  if (t_memory.left == 0 || --t_memory.left > 0) return false;
  if (t_memory.onwards) t_memory.left = 1;
  ++t_memory.failures;
  return true;
}

}  // namespace taskvisor::testing

using taskvisor::testing::Fails;

// glibc's own names for what is replaced here; free stays as it is.
extern "C" {
void* __libc_malloc(size_t size);                      // NOLINT: its name
void* __libc_calloc(size_t count, size_t size);        // NOLINT
void* __libc_realloc(void* memory, size_t size);       // NOLINT
void* __libc_memalign(size_t alignment, size_t size);  // NOLINT

void* malloc(size_t size) noexcept {
  if (Fails()) return errno = ENOMEM, nullptr;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) noexcept {
  if (Fails()) return errno = ENOMEM, nullptr;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) noexcept {
  if (Fails()) return errno = ENOMEM, nullptr;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept {
  if (Fails()) return errno = ENOMEM, nullptr;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  if (Fails()) return ENOMEM;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}
