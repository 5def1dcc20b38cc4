#include "supervisor/name_links.h"

#include <new>
#include <optional>

namespace taskvisor::internal {

void NameLinks::Lend(Name& name) {
  const std::optional<uint32_t> place = blocks_.Allocate();
  if (!place.has_value()) throw std::bad_alloc();  // never: see Set
  NameBlock& block = blocks_.At(*place);
  block.place = *place;
  name.SetBlock(&block);
}

void NameLinks::GiveBackBlock(uint32_t slot) {
  Name& name = links_[slot].name;
  const uint32_t place = name.block()->place;
  name.SetBlock(nullptr);
  blocks_.Free(place);
}

}  // namespace taskvisor::internal
