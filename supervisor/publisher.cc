#include "supervisor/publisher.h"

#include <exception>

#include "supervisor/text.h"

namespace taskvisor::internal {

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
