#include "taskvisor/exporters/json_lines.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/exporters/sample_events.h"

namespace taskvisor::exporters {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

std::vector<json> Write(const std::vector<Event>& events) {
  std::stringstream out;
  {
    JsonLines writer(out);
    for (const Event& event : events) writer.OnEvent(event);
  }
  std::vector<json> objects;
  for (std::string line; std::getline(out, line);) objects.push_back(json::parse(line));
  return objects;
}

TEST(JsonLines, WritesOneObjectPerEventWithWhatIsSet) {
  const std::vector<json> objects = Write(LifeOfATask());
  ASSERT_EQ(objects.size(), 9u);
  EXPECT_EQ(objects[0], json({{"sequence", 1},
                              {"at", "2001-09-09T01:46:40.000000000Z"},
                              {"kind", "task_add_requested"},
                              {"id", 3},
                              {"task", "flaky"}}));
  EXPECT_EQ(objects[3], json({{"sequence", 4},
                              {"at", "2001-09-09T01:46:40.012000000Z"},
                              {"kind", "task_failed"},
                              {"id", 3},
                              {"task", "flaky"},
                              {"attempt", 1},
                              {"duration_ns", 10'000'000},
                              {"queue_wait_ns", 1'000'000},
                              {"exit_code", -3},
                              {"reason", "not yet"}}));
  EXPECT_EQ(objects[4]["backoff_source"], Label(BackoffSource::kFailure));
  EXPECT_EQ(objects[4]["delay_ns"], 50'000'000);
  EXPECT_EQ(objects[6]["cause"], Label(CancelCause::kNone));
  EXPECT_EQ(objects[7]["outcome_kind"], "outcome_completed");
}

TEST(JsonLines, WritesTheRarerFieldsToo) {
  const std::vector<json> objects = Write({
      Made(EventKind::kControllerRejected, 1)
          .WithSlot("lane")
          .WithParent(TaskId(7, 0))
          .WithRejectionKind(RejectionKind::kSlotBusy),
      Made(EventKind::kTimeoutHit, 2)
          .WithTimeout(nanoseconds(5))
          .WithOverrun(nanoseconds(6))
          .WithCpuTime(nanoseconds(8)),
      Made(EventKind::kGraceExceeded, 3).WithGrace(nanoseconds(7)).WithCount(2),
  });
  EXPECT_EQ(objects[0]["slot"], "lane");
  EXPECT_EQ(objects[0]["parent_id"], 7);
  EXPECT_EQ(objects[0]["rejection_kind"], "slot_busy");
  EXPECT_EQ(objects[0]["outcome_kind"], "outcome_rejected");
  EXPECT_FALSE(objects[0].contains("task"));
  EXPECT_EQ(objects[1]["timeout_ns"], 5);
  EXPECT_EQ(objects[1]["overrun_ns"], 6);
  EXPECT_EQ(objects[1]["cpu_time_ns"], 8);
  EXPECT_EQ(objects[2]["grace_ns"], 7);
  EXPECT_EQ(objects[2]["count"], 2);
}

TEST(JsonLines, KeepsNamesThatAreNotUtf8Readable) {
  const std::vector<json> objects = Write({
      OfTask(EventKind::kTaskAdded, 1, "caf\xE9\n\"").WithReason("\xFF"),
      OfTask(EventKind::kTaskAdded, 2, "caf\xC3\xA9"),
  });
  EXPECT_EQ(objects[0]["task"], "caf\xEF\xBF\xBD\n\"");
  EXPECT_EQ(objects[0]["task_hex"], "636166e90a22");
  EXPECT_EQ(objects[0]["reason_hex"], "ff");
  EXPECT_EQ(objects[1]["task"], "caf\xC3\xA9");
  EXPECT_FALSE(objects[1].contains("task_hex"));
}

TEST(JsonLines, NamesEveryKindByItsLabel) {
  std::vector<Event> events;
  for (int i = 0; i < kEventKindCount; ++i) {
    events.push_back(Made(static_cast<EventKind>(i), static_cast<uint64_t>(i) + 1));
  }
  const std::vector<json> objects = Write(events);
  ASSERT_EQ(objects.size(), events.size());
  for (size_t i = 0; i < objects.size(); ++i)
    EXPECT_EQ(objects[i]["kind"], Label(events[i].kind()));
}

TEST(JsonLines, HasTheCapacityItIsGiven) {
  std::ostringstream out;
  EXPECT_EQ(JsonLines(out).QueueCapacity(), JsonLines::kDefaultCapacity);
  EXPECT_EQ(JsonLines(out, 7).QueueCapacity(), 7u);
}

}  // namespace
}  // namespace taskvisor::exporters
