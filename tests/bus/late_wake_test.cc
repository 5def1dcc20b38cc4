#include "bus/late_wake.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>

#include "bus/baton.h"
#include "sched/event_count.h"

namespace taskvisor::internal {
namespace {

// A reader that sleeps: whether it was woken is seen at the word it sleeps on.
class Sleeper {
 public:
  Sleeper() { baton.Appoint(events_); }

  bool Woken() {
    const EventCount::Key now = events_.PrepareWait();
    return std::exchange(key_, now) != now;
  }

  Baton baton;

 private:
  EventCount events_;
  EventCount::Key key_ = events_.PrepareWait();
};

TEST(LateWake, WithoutOneTheReaderIsWokenAtOnce) {
  Sleeper reader;
  EXPECT_FALSE(reader.Woken());
  LateWake::Notify(reader.baton);
  EXPECT_TRUE(reader.Woken());
}

TEST(LateWake, TheReaderIsWokenWhenTheScopeEnds) {
  Sleeper reader;
  {
    const LateWake late(reader.baton);
    LateWake::Notify(reader.baton);
    EXPECT_FALSE(reader.Woken());
  }
  EXPECT_TRUE(reader.Woken());
}

TEST(LateWake, AlsoWhenAnExceptionEndsIt) {
  Sleeper reader;
  try {
    const LateWake late(reader.baton);
    LateWake::Notify(reader.baton);
    throw std::runtime_error("out of the scope");
  } catch (const std::runtime_error&) {
    EXPECT_TRUE(reader.Woken());
  }
}

TEST(LateWake, NobodyIsWokenWithoutADebt) {
  Sleeper reader;
  { const LateWake late(reader.baton); }
  EXPECT_FALSE(reader.Woken());
}

TEST(LateWake, ADebtIsNotForgottenForALaterPublishThatOwesNothing) {
  Sleeper reader;
  {
    const LateWake outer(reader.baton);
    LateWake::Notify(reader.baton);
    { const LateWake inner(reader.baton); }
    EXPECT_FALSE(reader.Woken());
  }
  EXPECT_TRUE(reader.Woken());
}

TEST(LateWake, TheScopeOfOneBusDelaysNoOther) {
  Sleeper reader;
  Sleeper other;
  const LateWake outer(other.baton);
  const LateWake inner(reader.baton);
  Sleeper third;
  LateWake::Notify(third.baton);
  EXPECT_TRUE(third.Woken());
  LateWake::Notify(other.baton);
  EXPECT_FALSE(other.Woken());
  EXPECT_FALSE(reader.Woken());
}

TEST(LateWake, AsideEveryDebtIsPaidOnceAndNoneIsMade) {
  Sleeper reader;
  Sleeper other;
  {
    const LateWake outer(other.baton);
    const LateWake inner(reader.baton);
    LateWake::Notify(other.baton);
    LateWake::Notify(reader.baton);
    {
      const LateWake::Aside aside;
      EXPECT_TRUE(reader.Woken());
      EXPECT_TRUE(other.Woken());
      LateWake::Notify(reader.baton);
      EXPECT_TRUE(reader.Woken());
    }
    LateWake::Notify(reader.baton);
    EXPECT_FALSE(reader.Woken()) << "the scope goes on behind it";
  }
  EXPECT_TRUE(reader.Woken());
  EXPECT_FALSE(other.Woken());
}

}  // namespace
}  // namespace taskvisor::internal
