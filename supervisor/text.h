#ifndef TASKVISOR_SUPERVISOR_TEXT_H_
#define TASKVISOR_SUPERVISOR_TEXT_H_

#include <exception>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "taskvisor/clock.h"
#include "taskvisor/task_result.h"

namespace taskvisor::internal {

// Abseil may have a string_view of its own: the one place where the two meet.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// "1.5s", "100ms", "250us".
inline std::string ToText(Duration duration) {
  return absl::FormatDuration(absl::Nanoseconds(duration.count()));
}

// What an exception says; one may say nothing at all.
inline std::string_view WhatOf(const std::exception& error) {
  const char* const what = error.what();
  return what == nullptr ? std::string_view("(null)") : std::string_view(what);
}

// A reason as it may be kept: see kMaxReasonLength.
inline std::string CutReason(std::string_view reason) {
  return std::string(reason.substr(0, kMaxReasonLength));
}

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_TEXT_H_
