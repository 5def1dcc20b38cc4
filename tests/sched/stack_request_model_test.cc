// Model of sched/stack_request.h: see tests/support/model.h.

#include <gtest/gtest.h>

#include <optional>

#include "sched/stack_request.h"
#include "tests/support/model.h"

namespace taskvisor::internal {
namespace {

using testing::Explore;
using testing::Model;

// A handler's whole run, for the request of that number. What it writes is its number, in
// two steps, so that a reader who looks too early, or at another one's, sees it.
void Handle(StackRequest& place, Atomic<uint32_t>& first, Atomic<uint32_t>& last, uint32_t number,
            uint32_t& inside) {
  if (!place.TryEnter(number)) return;
  EXPECT_EQ(++inside, 1u) << "two handlers write at once";
  first.store(number, std::memory_order_relaxed);
  last.store(number, std::memory_order_relaxed);
  --inside;
  place.Leave();
}

TEST(StackRequestModel, AnAnswerIsWholeAndToTheQuestionAskedAndALateOneWritesNothing) {
  Explore(20000, [](Model& model) {
    StackRequest place;
    Atomic<uint32_t> first{0};
    Atomic<uint32_t> last{0};
    Atomic<uint32_t> sent[3] = {{0}, {0}, {0}};  // the signals' numbers
    uint32_t inside = 0;
    model.Spawn("asker", [&] {
      for (Atomic<uint32_t>& signal : sent) {
        const std::optional<uint32_t> number = place.TryAsk();
        if (!number.has_value()) {  // a handler that was given up is still inside
          signal.store(~0u, std::memory_order_release);
          continue;
        }
        signal.store(*number, std::memory_order_release);
        static_cast<void>(place.Load());  // an impatient wait
        if (place.GiveUp()) continue;
        EXPECT_EQ(first.load(std::memory_order_relaxed), *number);
        EXPECT_EQ(last.load(std::memory_order_relaxed), *number);
        place.Release();
      }
    });
    const auto handler = [&](Atomic<uint32_t>& signal) {
      return [&] {
        // The signal is delivered some time after it was sent.
        uint32_t number = 0;
        while ((number = signal.load(std::memory_order_acquire)) == 0) {
        }
        Handle(place, first, last, number, inside);
      };
    };
    model.Spawn("handler 1", handler(sent[0]));
    model.Spawn("handler 2", handler(sent[1]));
    model.Spawn("handler 3", handler(sent[2]));
    model.Run();
    EXPECT_EQ(StackRequest::StateOf(place.Load()), StackRequest::kFree);
  });
}

}  // namespace
}  // namespace taskvisor::internal
