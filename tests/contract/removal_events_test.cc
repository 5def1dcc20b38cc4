// A. Events: of a request to stop (19).

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "tests/contract/inside.h"
#include "tests/contract/served.h"
#include "tests/support/bodies.h"

namespace taskvisor::testing {
namespace {

// The one TaskRemoveRequested that a call published; nothing if there was none.
class RemoveRequests {
 public:
  explicit RemoveRequests(Served& served) : served_(served) {}

  // REQUIRES: nothing else is going on.
  std::optional<Event> Of(const std::function<void()>& call) {
    Flush(served_.handle, *served_.recorder);
    const size_t before = Count();
    call();
    Flush(served_.handle, *served_.recorder);
    const size_t made = Count() - before - 1;  // the flush makes one too
    EXPECT_LE(made, 1u);
    if (made == 0) return std::nullopt;
    return served_.recorder->Await(Recorder::Is(EventKind::kTaskRemoveRequested), before + 1);
  }

 private:
  size_t Count() { return served_.recorder->Count(Recorder::Is(EventKind::kTaskRemoveRequested)); }

  Served& served_;
};

TEST(ContractEvents, S019_RemoveByIdIsAnnouncedEvenForAnUnknownId) {
  Served served;
  RemoveRequests requests(served);
  const TaskId unknown(uint64_t{1} << 50, 0);
  const auto nobody = requests.Of([&] { EXPECT_FALSE(*served.handle.Remove(unknown)); });
  ASSERT_TRUE(nobody.has_value());
  EXPECT_EQ(nobody->id(), unknown);
  EXPECT_EQ(nobody->task(), "");
  EXPECT_EQ(nobody->reason(), "");

  const WatchedTask task = served.Watch(TaskSpec::Once("by-id", UntilCancelled));
  const auto known = requests.Of([&] { EXPECT_TRUE(*served.handle.Remove(task.id)); });
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->id(), task.id);
  EXPECT_EQ(known->reason(), "");
}

TEST(ContractEvents, S019_RemoveByNameIsAnnouncedOnlyIfTheNameResolves) {
  Served served;
  RemoveRequests requests(served);
  EXPECT_EQ(requests.Of([&] { EXPECT_FALSE(*served.handle.RemoveByName("nobody")); }),
            std::nullopt);
  const WatchedTask task = served.Watch(TaskSpec::Once("by-name", UntilCancelled));
  const auto known = requests.Of([&] { EXPECT_TRUE(*served.handle.RemoveByName("by-name")); });
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->id(), task.id);
  EXPECT_EQ(known->task(), "by-name");
  EXPECT_EQ(known->reason(), "");
}

TEST(ContractEvents, S019_CancelIsAnnouncedAsManualAndOnlyIfTheTaskExists) {
  Served served;
  RemoveRequests requests(served);
  const TaskId unknown(uint64_t{1} << 50, 0);
  EXPECT_EQ(requests.Of([&] { EXPECT_FALSE(*served.handle.Cancel(unknown)); }), std::nullopt);
  EXPECT_EQ(requests.Of([&] { EXPECT_FALSE(*served.handle.CancelByName("nobody")); }),
            std::nullopt);

  const WatchedTask one = served.Watch(TaskSpec::Once("one", UntilCancelled));
  const auto by_id = requests.Of([&] { EXPECT_TRUE(*served.handle.Cancel(one.id)); });
  ASSERT_TRUE(by_id.has_value());
  EXPECT_EQ(by_id->id(), one.id);
  EXPECT_EQ(by_id->reason(), "manual_cancel");

  const WatchedTask two = served.Watch(TaskSpec::Once("two", UntilCancelled));
  const auto by_name = requests.Of([&] { EXPECT_TRUE(*served.handle.CancelByName("two")); });
  ASSERT_TRUE(by_name.has_value());
  EXPECT_EQ(by_name->id(), two.id);
  EXPECT_EQ(by_name->task(), "two");
  EXPECT_EQ(by_name->reason(), "manual_cancel");
}

}  // namespace
}  // namespace taskvisor::testing
