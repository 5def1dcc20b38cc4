#include "supervisor/children.h"

#include <new>
#include <string>
#include <utility>

#include "supervisor/actor.h"
#include "supervisor/own_rules.h"
#include "supervisor/text.h"

namespace taskvisor::internal {
namespace {

uint32_t DepthBelow(const Entry& entry) {
  const OwnRules* const own = OwnRules::Of(entry.rules);
  return own == nullptr ? 1 : own->child.depth + 1;
}

}  // namespace

Children::Children(Entry& entry, uint64_t epoch, CancelNode& node)
    : parent_(entry),
      epoch_(epoch),
      node_(node),
      depth_(DepthBelow(entry)),
      on_stop_(node.token(), OnStop{this}) {}

const Children* Children::above() const { return OwnRules::GroupOf(parent_.rules); }

void Children::StopAll() {
  group_.StopAll([this, cause = cause()](TaskId id) {
    static_cast<void>(parent_.actor->StopById(id, cause));
  });
}

void Children::Leave() {
  Entry& parent = parent_;
  const uint64_t epoch = epoch_;
  if (group_.Leave()) parent.actor->Wake(parent, epoch);
}

void Children::Fail(std::string_view name, const TaskOutcome& outcome) {
  parent_.actor->CutShort(parent_, epoch_, [&] {
    failed_ = true;
    failure_->source = outcome.source();
    try {
      failure_->reason = CutReason(
          std::string("child ").append(name).append(" failed: ").append(outcome.reason()));
    } catch (const std::bad_alloc&) {  // then without the text
    }
  });
}

void Children::Judge(TaskResult& result) {
  if (!failed_) return;
  // That the body obeyed is no result of its own.
  if (!result.ok() && result.error().kind != TaskErrorKind::kCancelled) return;
  ResultAccess::PutBack(result, std::move(failure_));
}

}  // namespace taskvisor::internal
