#ifndef TASKVISOR_SUPERVISOR_NAME_LINKS_H_
#define TASKVISOR_SUPERVISOR_NAME_LINKS_H_

#include <cstdint>
#include <string_view>

#include "sched/slab.h"
#include "sched/zero_pages.h"
#include "supervisor/name_index.h"

namespace taskvisor::internal {

// NameLinks
//
// A name for each slot of the registry, in memory of its own: what never had one takes up no
// memory. Set by who reserves the slot; what it says after that task is for nobody. The blocks of
// long names are as many as there ever were such names at a time.
class NameLinks {
 public:
  NameLinks(uint32_t slots, size_t max_tasks)
      : links_(slots), blocks_(static_cast<uint32_t>(max_tasks)) {}

  [[nodiscard]] NameLink& At(uint32_t slot) const { return links_[slot]; }

  // Throws, and has changed nothing, if there is no memory for a long one. REQUIRES: of a long
  // one: the caller has passed the gate; a block is given back before it is left, so there is one.
  void Set(uint32_t slot, std::string_view name) {
    Name& place = links_[slot].name;
    if (name.size() > Name::kShort) [[unlikely]]
      Lend(place);
    place.Set(name);
  }
  // The owner of a slot, once for each long name that was set.
  void GiveBackBlock(uint32_t slot);

  // How many blocks there are.
  [[nodiscard]] uint32_t blocks() const { return blocks_.used(); }

 private:
  void Lend(Name& name);

  const ZeroArray<NameLink> links_;
  Slab<NameBlock> blocks_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NAME_LINKS_H_
