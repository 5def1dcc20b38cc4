#ifndef TASKVISOR_SUPERVISOR_NAME_LINKS_H_
#define TASKVISOR_SUPERVISOR_NAME_LINKS_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "sched/index_stack.h"
#include "sched/zero_pages.h"
#include "supervisor/name_index.h"

namespace taskvisor::internal {

// NameLinks
//
// A name for each slot of the registry, in memory of its own: what never had one takes up no
// memory. Set by who reserves the slot; what it says after that task is for nobody.
class NameLinks {
  auto Next() const {
    return [this](uint32_t slot) -> Atomic<uint32_t>& { return links_[slot].next_long; };
  }

 public:
  explicit NameLinks(uint32_t slots) : links_(slots) {}
  ~NameLinks() {
    while (const auto slot = long_.Pop(Next())) std::destroy_at(&links_[*slot]);
  }
  NameLinks(const NameLinks&) = delete;
  NameLinks& operator=(const NameLinks&) = delete;

  [[nodiscard]] NameLink& At(uint32_t slot) const { return links_[slot]; }

  // Throws, if there is no memory for a long one.
  void Set(uint32_t slot, std::string_view name) {
    if (links_[slot].name.Set(name)) long_.Push(slot, Next());
  }

 private:
  const ZeroArray<NameLink> links_;
  IndexStack long_;  // those that own memory
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_NAME_LINKS_H_
