// Model of supervisor/flight_recorder.h: see tests/support/model.h.

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "bus/report.h"
#include "supervisor/flight_recorder.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

constexpr uint64_t kRecords = 6;
constexpr TaskId kId(1, 0);

void Record(FlightRecorder& recorder, uint64_t n) {
  const std::string reason(8 * n, static_cast<char>('a' + n));
  alignas(EventRecord) std::array<char, 640> bytes{};
  EventRecord record{};
  ReportText text;
  EventDraft(EventKind::kTaskFailed)
      .WithId(kId)
      .WithAttempt(static_cast<uint32_t>(n))
      .WithReason(reason)
      .WriteTo(record, text);
  record.sequence = n;
  std::memcpy(bytes.data(), &record, sizeof(record));
  std::memcpy(bytes.data() + sizeof(record), text.view().data(), text.view().size());
  recorder.Record(*reinterpret_cast<const EventRecord*>(bytes.data()));
}

// Whole, in order, and not older than what was recorded before the look.
void Look(const FlightRecorder& recorder, size_t size, const uint64_t& recorded) {
  const uint64_t before = recorded;
  uint64_t last = 0;
  for (const Event& event : recorder.Of(kId, size)) {
    const uint64_t n = event.sequence;
    EXPECT_GT(n, last);
    EXPECT_GT(n + size, before) << "an event that had been overwritten";
    EXPECT_EQ(event.attempt(), n) << "torn";
    EXPECT_EQ(event.reason(), std::string(8 * n, static_cast<char>('a' + n))) << "torn";
    last = n;
  }
}

TEST(FlightRecorderModel, WhatIsReadIsWholeAndRecent) {
  for (const size_t size : {1u, 2u, 4u}) {
    Explore(2000, [size](Model& model) {
      FlightRecorder recorder(size);
      uint64_t recorded = 0;
      model.Spawn("writer", [&] {
        for (uint64_t n = 1; n <= kRecords; ++n) {
          Record(recorder, n);
          recorded = n;
        }
      });
      for (const char* const name : {"reader", "other reader"}) {
        model.Spawn(name, [&] {
          for (int look = 0; look < 3; ++look) Look(recorder, size, recorded);
        });
      }
      model.Run();
      // At rest nothing is missing.
      EXPECT_EQ(recorder.Of(kId, size).size(), size);
    });
  }
}

}  // namespace
}  // namespace taskvisor::internal
