#include "supervisor/flight_recorder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bus/report.h"
#include "tests/support/allocations.h"
#include "tests/support/bodies.h"
#include "tests/support/harness.h"
#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr TaskId kId(3, 1);

// A record with its text behind it, as the bus hands it out.
class Stored {
 public:
  Stored(uint64_t sequence, const EventDraft& draft) {
    EventRecord record{};
    ReportText text;
    draft.WriteTo(record, text);
    record.sequence = sequence;
    std::memcpy(bytes_.data() + sizeof(record), text.view().data(), text.view().size());
    std::memcpy(bytes_.data(), &record, sizeof(record));
  }
  [[nodiscard]] const EventRecord& record() const {
    return *reinterpret_cast<const EventRecord*>(bytes_.data());
  }

 private:
  alignas(EventRecord) std::array<char, 640> bytes_;
};

void Record(FlightRecorder& recorder, uint64_t sequence, const EventDraft& draft) {
  recorder.Record(Stored(sequence, draft).record());
}

EventDraft Failed() { return EventDraft(EventKind::kTaskFailed).WithId(kId).WithTask("flaky"); }

std::vector<uint64_t> Sequences(const std::vector<Event>& events) {
  std::vector<uint64_t> sequences;
  for (const Event& event : events) sequences.push_back(event.sequence);
  return sequences;
}

// What `dump(fd)` writes, by lines; it must fit into a pipe.
template <class Dump>
std::vector<std::string> LinesOf(Dump dump) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  dump(ends[1]);
  ::close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], part, sizeof(part))) > 0;) {
    text.append(part, static_cast<size_t>(got));
  }
  ::close(ends[0]);
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_EQ(lines.back(), "") << "the last line is not whole";
  lines.pop_back();
  return lines;
}

std::vector<std::string> LinesOf(const FlightRecorder& recorder) {
  return LinesOf([&](int fd) { recorder.Dump(fd); });
}

TEST(FlightRecorder, KeepsTheLastInOrder) {
  FlightRecorder recorder(3);
  EXPECT_TRUE(recorder.Of(kId, 9).empty());
  Record(recorder, 1, Failed());
  Record(recorder, 2, Failed());
  EXPECT_THAT(Sequences(recorder.Of(kId, 9)), ElementsAre(1, 2));
  for (uint64_t n = 3; n <= 100; ++n) {
    Record(recorder, n, Failed());
    ASSERT_THAT(Sequences(recorder.Of(kId, 9)), ElementsAre(n - 2, n - 1, n));
  }
  EXPECT_THAT(Sequences(recorder.Of(kId, 2)), ElementsAre(99, 100));
  EXPECT_THAT(LinesOf(recorder),
              ElementsAre(StartsWith("#98 "), StartsWith("#99 "), StartsWith("#100 ")));
}

TEST(FlightRecorder, TellsTasksApart) {
  FlightRecorder recorder(8);
  const TaskId other(4, 1);
  for (uint64_t n = 1; n <= 6; ++n) {
    Record(recorder, n, EventDraft(EventKind::kTaskAdded).WithId(n % 2 == 0 ? kId : other));
  }
  const auto of_both = recorder.Of({other, kId, TaskId(9, 9)}, 2);
  ASSERT_EQ(of_both.size(), 3u);
  EXPECT_THAT(Sequences(of_both[0]), ElementsAre(3, 5));
  EXPECT_THAT(Sequences(of_both[1]), ElementsAre(4, 6));
  EXPECT_TRUE(of_both[2].empty());
}

TEST(FlightRecorder, OfNoEventsIsOff) {
  FlightRecorder recorder(0);
  Record(recorder, 1, Failed());
  EXPECT_TRUE(recorder.Of(kId, 9).empty());
  EXPECT_TRUE(LinesOf(recorder).empty());
}

TEST(FlightRecorder, CutsLongTextsAndSaysSo) {
  FlightRecorder recorder(4);
  const std::string name(kMaxNameLength, 'n');
  const std::string reason(kMaxReasonLength, 'r');
  Record(recorder, 1, Failed().WithTask(name).WithReason(reason));
  Record(recorder, 2, Failed().WithTask(name));
  Record(recorder, 3, Failed().WithReason(reason));
  Record(recorder, 4,
         Failed().WithReason(std::string(180, 'r')).WithDuration(Duration(7)).WithCount(8));
  const auto events = recorder.Of(kId, 9);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].task(), absl::StrCat(std::string(93, 'n'), "..."));
  EXPECT_EQ(events[0].reason(), absl::StrCat(std::string(93, 'r'), "..."));
  EXPECT_EQ(events[1].task(), absl::StrCat(std::string(189, 'n'), "..."));
  EXPECT_EQ(events[2].task(), "flaky");
  EXPECT_EQ(events[2].reason(), absl::StrCat(std::string(184, 'r'), "..."));
  EXPECT_EQ(events[3].reason(), absl::StrCat(std::string(176, 'r'), "..."));
  EXPECT_EQ(events[3].duration(), Duration(7));
  EXPECT_EQ(events[3].count(), 8u);
}

TEST(FlightRecorder, DumpsALineForEachEvent) {
  FlightRecorder recorder(4);
  const WallTime at(Duration(1234567890123456789));
  Record(recorder, 12,
         Failed().WithAt(at).WithAttempt(1).WithDuration(Duration(-5)).WithReason("a\nb"));
  Record(recorder, 13, EventDraft(EventKind::kTaskStarting).WithAt(at).WithId(kId).Anonymous());
  Record(recorder, std::numeric_limits<uint64_t>::max(),
         EventDraft(EventKind::kBackoffScheduled)
             .WithAt(WallTime::min())
             .WithExitCode(-2)
             .WithBackoffSource(BackoffSource::kFailure));
  EXPECT_THAT(LinesOf(recorder),
              ElementsAre("#12 task_failed task=flaky id=3 attempt=1 duration_ns=-5 "
                          "at_ns=1234567890123456789 reason=a?b",
                          "#13 task_starting task=task-3 id=3 at_ns=1234567890123456789",
                          "#18446744073709551615 backoff_scheduled exit_code=-2 "
                          "backoff_source=failure at_ns=-9223372036854775808"));
}

TEST(FlightRecorder, NeitherRecordsNorDumpsWithMemory) {
  FlightRecorder recorder(16);
  const Stored longest(7, Failed()
                              .WithTask(std::string(kMaxNameLength, 'n'))
                              .WithReason(std::string(kMaxReasonLength, 'r')));
  const Stored anonymous(8, EventDraft(EventKind::kTaskStarting)
                                .WithId(TaskId(std::numeric_limits<uint64_t>::max(), 0))
                                .Anonymous());
  const auto lines = LinesOf([&](int fd) {
    const uint64_t before = testing::AllocationsOfThisThread();
    for (int i = 0; i < 10; ++i) {
      recorder.Record(longest.record());
      recorder.Record(anonymous.record());
    }
    const size_t count = recorder.Dump(fd);
    EXPECT_EQ(testing::AllocationsOfThisThread(), before);
    EXPECT_EQ(count, 16u);
  });
  EXPECT_EQ(lines.size(), 16u);
}

TEST(FlightRecorder, ADumpThatCannotBeWrittenStopsAndKeepsErrno) {
  FlightRecorder recorder(2);
  Record(recorder, 1, Failed());
  errno = 77;
  EXPECT_EQ(recorder.Dump(-1), 0u);
  EXPECT_EQ(errno, 77);
}

// Every field and every byte of text follows from the number, so any event can be judged.
Stored SelfChecking(uint64_t n, uint64_t seed) {
  testing::Random random(n ^ seed);
  const std::string name(random.Below(kMaxNameLength), static_cast<char>('a' + n % 26));
  const std::string reason(random.Below(kMaxReasonLength), static_cast<char>('A' + n % 26));
  return Stored(n, EventDraft(EventKind::kTaskFailed)
                       .WithAt(WallTime(Duration(n)))
                       .WithId(TaskId(1 + n % 4, 0))
                       .WithAttempt(static_cast<uint32_t>(n))
                       .WithDuration(Duration(n * 3))
                       .WithCount(n * 7)
                       .WithTask(name)
                       .WithReason(reason));
}

// As it comes out of a recorder that nobody else uses, cut as it is.
Event Alone(const Stored& stored) {
  FlightRecorder alone(1);
  alone.Record(stored.record());
  return alone.Of(TaskId(stored.record().id, 0), 1).at(0);
}

bool Same(const Event& a, const Event& b) {
  return a.at() == b.at() && a.id() == b.id() && a.attempt() == b.attempt() &&
         a.duration() == b.duration() && a.count() == b.count() && a.task() == b.task() &&
         a.reason() == b.reason();
}

TEST(FlightRecorder, ReadersNeverSeeATornEvent) {
  const uint64_t seed = testing::AnnouncedSeed();
  constexpr uint64_t kReads = 100000;
  FlightRecorder recorder(2);  // so few that every reader is overtaken
  std::vector<Stored> made;
  std::vector<Event> expected;
  for (uint64_t n = 0; n < 512; ++n) {
    made.push_back(SelfChecking(n, seed));
    expected.push_back(Alone(made.back()));
  }
  std::atomic<uint64_t> read{0};
  std::atomic<uint64_t> torn{0};
  const auto hammer = [&] {
    const std::vector<TaskId> ids{TaskId(1, 0), TaskId(2, 0), TaskId(3, 0), TaskId(4, 0)};
    while (read < kReads) {
      for (const auto& of_one : recorder.Of(ids, 4)) {
        for (const Event& event : of_one) {
          if (event.sequence >= 512 || !Same(event, expected[event.sequence])) ++torn;
          ++read;
        }
      }
    }
  };
  {
    std::jthread one(hammer);
    std::jthread other(hammer);
    for (uint64_t n = 0; read < kReads; ++n) recorder.Record(made[n % made.size()].record());
  }
  EXPECT_EQ(torn, 0u) << "of " << read;
}

TEST(FlightRecorder, ItsSizeIsConfigured) {
  EXPECT_EQ(SupervisorConfig{}.flight_recorder_events, 256u);
  EXPECT_TRUE(SupervisorConfig{.flight_recorder_events = 0}.Validate().ok());
  EXPECT_TRUE(SupervisorConfig{.flight_recorder_events = 65536}.Validate().ok());
  const absl::Status refused = SupervisorConfig{.flight_recorder_events = 65537}.Validate();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorLabel(refused), "config_invalid");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("flight_recorder_events"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("[0, 65536]"));
}

TEST(FlightRecorder, ASupervisorDumpsItsLastEventsAlsoWhenItIsShutDown) {
  testing::Harness harness({.flight_recorder_events = 3});
  const SupervisorHandle handle = harness.Serve();
  const auto task = handle.AddAndWatch(TaskSpec::Once("brief", testing::DoNothing));
  ASSERT_TRUE(task.ok());
  ASSERT_EQ(testing::KindOf(task->waiter), OutcomeKind::kCompleted);
  ASSERT_TRUE(handle.Shutdown().ok());
  const auto by_handle = LinesOf([&](int fd) { handle.DumpRecent(fd); });
  EXPECT_THAT(by_handle,
              ElementsAre(HasSubstr("task_removed task=brief"), HasSubstr("shutdown_requested"),
                          HasSubstr("all_stopped_within_grace")));
  EXPECT_EQ(LinesOf([&](int fd) { harness.supervisor->DumpRecent(fd); }), by_handle);
}

// Nobody listens, so nothing is read until it is asked for.
TEST(FlightRecorder, ADumpHasWhatCameBeforeItAlsoWithoutSubscribers) {
  SupervisorConfig config;
  absl::StatusOr<Supervisor> supervisor = Supervisor::Create(std::move(config));
  ASSERT_TRUE(supervisor.ok());
  const SupervisorHandle handle = supervisor->Serve();
  for (int round = 0; round < 20; ++round) {
    const std::string name = "task" + std::to_string(round);
    const auto task = handle.AddAndWatch(TaskSpec::Once(name, testing::DoNothing));
    ASSERT_EQ(testing::KindOf(task->waiter), OutcomeKind::kCompleted);
    // Again only for a machine that takes longer than a dump waits.
    EXPECT_TRUE(testing::Eventually([&] {
      const auto lines = LinesOf([&](int fd) { handle.DumpRecent(fd); });
      return !lines.empty() && lines.back().find("task_removed task=" + name) != std::string::npos;
    }));
  }
}

// The same of the others who know by events. One answer in ten may be late, or a busy machine's.
TEST(FlightRecorder, WhoAsksWhatEventsTellIsNotToldAnOldStory) {
  absl::StatusOr<Supervisor> supervisor = Supervisor::Create({});
  ASSERT_TRUE(supervisor.ok());
  const SupervisorHandle handle = supervisor->Serve();
  int alive = 0;
  int gone = 0;
  int counted = 0;
  for (uint64_t round = 1; round <= 10; ++round) {
    testing::HeldBody held;
    const auto task = handle.AddAndWatch(TaskSpec::Once("held", held.Body()));
    ASSERT_TRUE(held.Inside());
    alive += handle.IsAlive("held");
    held.LetGo();
    ASSERT_EQ(testing::KindOf(task->waiter), OutcomeKind::kCompleted);
    counted += handle.Stats().events_published >= 4 * round;
    gone += handle.AliveSnapshot().empty();
  }
  EXPECT_GE(alive, 5);
  EXPECT_GE(gone, 5);
  EXPECT_GE(counted, 5);
}

TEST(FlightRecorder, GraceExceededCarriesTheLastEventsOfEachStuckTask) {
  testing::Harness harness({.grace = Duration::zero()});
  const SupervisorHandle handle = harness.Serve();
  testing::HeldBody one;
  testing::HeldBody other;
  const auto first = handle.Add(TaskSpec::Once("first", one.Body()));
  const auto second = handle.Add(TaskSpec::Once("second", other.Body()));
  ASSERT_TRUE(one.Inside() && other.Inside());
  const auto exceeded = GraceExceeded::From(handle.Shutdown());
  ASSERT_TRUE(exceeded.has_value());
  ASSERT_EQ(exceeded->stuck.size(), 2u);
  for (const StuckTask& task : exceeded->stuck) {
    std::vector<EventKind> kinds;
    for (const Event& event : task.last_events) {
      kinds.push_back(event.kind());
      EXPECT_EQ(event.id(), task.id);
      EXPECT_EQ(event.task(), task.name);
    }
    EXPECT_THAT(kinds, ElementsAre(EventKind::kTaskAddRequested, EventKind::kTaskAdded,
                                   EventKind::kTaskStarting, EventKind::kActorDead));
  }
}

}  // namespace
}  // namespace taskvisor::internal
