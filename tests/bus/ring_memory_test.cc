#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "bus/ring.h"
#include "sched/zero_pages.h"
#include "tests/bus/int_ring.h"

namespace taskvisor::internal {
namespace {

using Published = IntRing::Published;

// Of the page of `address` and those behind it: how many have memory, up to the first without.
int PagesWithMemory(const void* address) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t at = reinterpret_cast<uintptr_t>(address) / page * page;
  int pages = 0;
  for (unsigned char resident = 0;; ++pages) {
    auto* const next = reinterpret_cast<void*>(at + static_cast<size_t>(pages) * page);
    if (mincore(next, page, &resident) != 0 || (resident & 1) == 0) return pages;
  }
}

TEST(Ring, TheFirstLapTakesUpItsMemoryManyPagesAtATime) {
  constexpr size_t kStep = 32 << 10;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const ZeroPages probe(2 * kStep);
  probe.TakeUp(0, kStep);
  if (PagesWithMemory(probe.data()) == 0) GTEST_SKIP() << "the system cannot do it";

  IntRing ring(8192);  // a MiB
  const int* last = nullptr;
  const auto publish = [&] { return ring.Publish([&](int& slot) { last = &slot; }); };
  ASSERT_EQ(publish(), Published::kYes);
  const int* const first = last;
  EXPECT_EQ(PagesWithMemory(first), static_cast<int>((kStep + page - 1) / page));
  for (size_t slot = 1; slot <= kStep / Slot<int>::kSize; ++slot) {
    ASSERT_EQ(publish(), Published::kYes);
  }
  EXPECT_EQ(PagesWithMemory(first), static_cast<int>(2 * kStep / page));
}

}  // namespace
}  // namespace taskvisor::internal
