#include "supervisor/publisher.h"

#include <exception>

#include "supervisor/own_rules.h"
#include "supervisor/text.h"

namespace taskvisor::internal {

void Publisher::EmitRunOfChild(TaskId parent, std::span<const EventDraft> run) {
  const auto draft = [&](size_t i) { return ChildDraft(run[i], parent); };
  switch (run.size()) {
    case 1:
      return PublishRun(bus_, draft(0));
    case 2:
      return PublishRun(bus_, draft(0), draft(1));
    default:
      return PublishRun(bus_, draft(0), draft(1), draft(2));
  }
}

TaskId Publisher::ParentOf(const Entry& entry) { return OwnRules::Of(entry.rules)->child.Parent(); }

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
