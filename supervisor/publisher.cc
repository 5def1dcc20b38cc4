#include "supervisor/publisher.h"

#include <exception>

#include "supervisor/own_rules.h"
#include "supervisor/text.h"

namespace taskvisor::internal {

TaskId EventName::ParentOf(const Entry& entry) { return OwnRules::Of(entry.rules)->child.Parent(); }

void Publisher::EmitThrown(std::string_view what, TaskId id, TimePoint now) {
  const auto report = [&](std::string_view text) {
    Emit(EventKind::kRuntimeFailure, now,
         [&](EventDraft& e) { e.WithId(id).WithTask(what).WithReason(text); });
  };
  try {
    throw;
  } catch (const std::exception& error) {
    report(WhatOf(error));
  } catch (...) {
    report("threw what is no exception");
  }
}

}  // namespace taskvisor::internal
