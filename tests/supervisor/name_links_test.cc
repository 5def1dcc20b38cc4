#include "supervisor/name_links.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "taskvisor/task_spec.h"

namespace taskvisor::internal {
namespace {

constexpr uint32_t kSlots = 1000;

std::string LongName(uint32_t slot) {
  return std::string(kMaxNameLength - 8, 'n') + std::to_string(slot);
}

TEST(NameLinks, ABlockServesOneLongNameAfterAnother) {
  NameLinks links(kSlots, kSlots);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    links.Set(slot, LongName(slot));
    EXPECT_EQ(links.At(slot).name.ToString(), LongName(slot));
    links.GiveBackBlock(slot);
  }
  EXPECT_EQ(links.blocks(), 1u);
}

TEST(NameLinks, EachLongNameHasItsOwnBlock) {
  NameLinks links(kSlots, kSlots);
  for (uint32_t slot = 0; slot < kSlots; ++slot) links.Set(slot, LongName(slot));
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    EXPECT_TRUE(links.At(slot).name.Equals(LongName(slot))) << slot;
  }
  EXPECT_EQ(links.blocks(), kSlots);
}

TEST(NameLinks, AShortNameTakesNoBlock) {
  NameLinks links(kSlots, kSlots);
  links.Set(0, std::string(Name::kShort, 's'));
  EXPECT_EQ(links.At(0).name.block(), nullptr);
  EXPECT_EQ(links.blocks(), 0u);
}

}  // namespace
}  // namespace taskvisor::internal
