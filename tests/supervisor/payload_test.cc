#include "supervisor/payload.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "taskvisor/errors.h"

namespace taskvisor::internal {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

std::vector<Event> Examples() {
  const TaskId id(kMost, 7);
  std::vector<Event> events;
  events.push_back(Event(EventKind::kTaskFailed)
                       .WithAt(WallTime::min())
                       .WithId(id)
                       .WithTask("a b: 3 ")
                       .WithReason(std::string("\0\n", 2))
                       .WithAttempt(4)
                       .WithParent(TaskId(9, 0))
                       .WithDuration(Duration::max())
                       .WithDelay(Duration::min())
                       .WithOverrun(Duration(1))
                       .WithExitCode(-1)
                       .WithCount(kMost));
  events.push_back(Event(EventKind::kTimeoutHit).WithTimeout(Duration(5)));
  events.push_back(Event(EventKind::kGraceExceeded).WithGrace(Duration(6)));
  events.push_back(Event(EventKind::kControllerRejected)
                       .WithSlot("a slot")
                       .WithRejectionKind(RejectionKind::kQueueFull));
  events.push_back(Event(EventKind::kBackoffScheduled).WithBackoffSource(BackoffSource::kFailure));
  events.push_back(Event(EventKind::kTaskStopped).WithCause(CancelCause::kShutdown));
  events.push_back(Event(EventKind::kActorDead).WithOutcomeKind(OutcomeKind::kStuck));
  for (size_t i = 0; i < events.size(); ++i) events[i].sequence = kMost - i;
  return events;
}

void ExpectSame(const Event& a, const Event& b) {
  EXPECT_EQ(a.ToString(), b.ToString());
  EXPECT_EQ(a.at(), b.at());
  EXPECT_EQ(a.id(), b.id());
  EXPECT_EQ(a.parent_id(), b.parent_id());
  EXPECT_EQ(a.duration(), b.duration());
}

TEST(Payload, EventsAreReadAsTheyWereWritten) {
  GraceExceeded written;
  written.stuck.push_back(
      {.id = TaskId(1, 1), .name = "one", .stack = {}, .last_events = Examples()});
  written.stuck.push_back({.id = TaskId(2, 2), .name = "two", .stack = {}});
  const auto read = GraceExceeded::From(written.ToStatus());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->stuck, written.stuck);
  const std::vector<Event> expected = Examples();
  ASSERT_EQ(read->stuck[0].last_events.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ExpectSame(read->stuck[0].last_events[i], expected[i]);
  }
  EXPECT_TRUE(read->stuck[1].last_events.empty());
}

TEST(Payload, ReadsNothingBeyondItsEnd) {
  PayloadWriter writer;
  writer.Events(Examples());
  const std::string whole = writer.Take();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);  // of its own, so that a sanitizer sees
    EXPECT_LE(PayloadReader(cut).Events(kMaxLastEvents).size(), kMaxLastEvents);
  }
}

}  // namespace
}  // namespace taskvisor::internal
