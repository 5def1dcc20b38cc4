#include "taskvisor/waiter.h"

#include <string>
#include <string_view>

#include "supervisor/status.h"
#include "supervisor/text.h"

namespace taskvisor {

ResultError::ResultError(absl::Status status)
    : std::runtime_error(std::string(internal::ToStd(status.message()))),
      status_(std::move(status)) {}

namespace internal {
namespace {

absl::StatusCode CodeOf(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kCompleted:
      return absl::StatusCode::kOk;
    case OutcomeKind::kFailed:
      return absl::StatusCode::kAborted;
    case OutcomeKind::kFatal:
    case OutcomeKind::kPanicked:
      return absl::StatusCode::kInternal;
    case OutcomeKind::kCancelled:
      return absl::StatusCode::kCancelled;
    case OutcomeKind::kStuck:
      return absl::StatusCode::kDeadlineExceeded;
    case OutcomeKind::kRejected:
      return absl::StatusCode::kFailedPrecondition;
  }
  return absl::StatusCode::kUnknown;
}

}  // namespace

absl::Status StatusOf(const TaskOutcome& outcome) {
  const std::string_view label = Label(outcome.kind());
  return Error(CodeOf(outcome.kind()), label, outcome.reason().empty() ? label : outcome.reason());
}

absl::Status ValueTaken() {
  return Error(absl::StatusCode::kFailedPrecondition, "value_taken",
               "the value was moved out by an earlier call");
}

void ThrowOutcome(const TaskOutcome& outcome) {
  if (outcome.source() != nullptr) std::rethrow_exception(outcome.source());
  throw ResultError(StatusOf(outcome));
}

}  // namespace internal
}  // namespace taskvisor
