#include "supervisor/actor_state.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>

#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

constexpr std::array kPhases{
    Phase::kFree,    Phase::kReserved, Phase::kQueued,   Phase::kStarting,  Phase::kWaiting,
    Phase::kRunning, Phase::kSettling, Phase::kDelaying, Phase::kFinishing, Phase::kSuspended,
    Phase::kWoken,   Phase::kResuming, Phase::kStalled};
constexpr uint8_t kCause = 3;
using Rest = ActorState::Rest;

// Brings a fresh state to `phase` on the way a task takes. Its epoch is then 1 from
// kRunning on, else 0.
void BringTo(ActorState& state, Phase phase) {
  if (phase == Phase::kFree) return;
  state.Reserve();
  if (phase == Phase::kReserved) return;
  static_cast<void>(state.Commit());
  if (phase == Phase::kQueued) return;
  ASSERT_TRUE(state.TryTake());
  if (phase == Phase::kStarting) return;
  if (phase == Phase::kWaiting) return static_cast<void>(state.TryPark());
  if (phase == Phase::kFinishing) return static_cast<void>(state.TryFinish(false));
  ASSERT_TRUE(state.TryBegin());
  if (phase == Phase::kRunning) return;
  if (phase > Phase::kFinishing) {
    ASSERT_TRUE(state.TrySuspend(ActorState::Rest::kWaits, /*keeps_permit=*/false));
    if (phase == Phase::kSuspended) return;
    ASSERT_TRUE(state.Wake(1));
    if (phase == Phase::kWoken) return;
    ASSERT_TRUE(state.TryTake());
    if (phase == Phase::kStalled) {
      ASSERT_TRUE(state.TryStall(state.Load()));
    }
    return;
  }
  static_cast<void>(state.Settle());
  if (phase == Phase::kDelaying) static_cast<void>(state.TryDelay());
}

// One letter a phase, in the order of kPhases: F R Q S W r s D f z w c t.
constexpr char kLetters[] = "FRQSWrsDfzwct";
char LetterOf(Snapshot s) { return kLetters[static_cast<size_t>(s.phase())]; }

// What a move makes of each phase: a letter, '-' for refused and unchanged, '.' for not to
// be called there (the caller would have to own the slot, and does not).
struct Row {
  const char* name;
  const char* outcome;
  std::function<bool(ActorState&)> move;
};

const Row kTable[] = {
    //                   FRQSWrsDfzwct
    {"Reserve", "R............", [](ActorState& s) { return s.Reserve(), true; }},
    {"Commit", ".Q...........", [](ActorState& s) { return !s.Commit().stopped(); }},
    {"Withdraw", ".f...........", [](ActorState& s) { return s.Withdraw(), true; }},
    {"TryTake", "--S-------c--", [](ActorState& s) { return s.TryTake().done; }},
    {"TryBegin", "...r.........", [](ActorState& s) { return s.TryBegin().done; }},
    {"TryPark", "...W.........", [](ActorState& s) { return s.TryPark(); }},
    {"TryGrant(0)", "----Q--------", [](ActorState& s) { return s.TryGrant(0); }},
    {"TryGrant(1)", "------------w", [](ActorState& s) { return s.TryGrant(1); }},
    {"TryTimeOut(0)", "-------------", [](ActorState& s) { return s.TryTimeOut(0).done; }},
    {"TryTimeOut(1)", "---S-r---wwcw", [](ActorState& s) { return s.TryTimeOut(1).done; }},
    {"TryAbandon(1)", "-------------", [](ActorState& s) { return s.TryAbandon(1); }},
    {"TrySilence(0)", "-------------", [](ActorState& s) { return s.TrySilence(0, true); }},
    {"TrySilence(1)", "-----r-------", [](ActorState& s) { return s.TrySilence(1, true); }},
    {"Settle", ".....s.......", [](ActorState& s) { return !s.Settle().stopped(); }},
    {"SettleUnbegun", "...s.........", [](ActorState& s) { return !s.SettleUnbegun().stopped(); }},
    {"TryRequeue", "......Q......", [](ActorState& s) { return s.TryRequeue(); }},
    {"TryDelay", "......D......", [](ActorState& s) { return s.TryDelay().done; }},
    {"TryFinish(false)", "...f..f......", [](ActorState& s) { return s.TryFinish(false); }},
    {"TryFinish(true)", "...-..-......", [](ActorState& s) { return s.TryFinish(true); }},
    {"TryWake(0)", "-------------", [](ActorState& s) { return s.TryWake(0).done; }},
    {"TryWake(1)", "------sQ-----", [](ActorState& s) { return s.TryWake(1).done; }},
    {"TrySuspend", ".....z.......",
     [](ActorState& s) { return s.TrySuspend(Rest::kWaits, false).done; }},
    {"TrySuspend, yields", ".....w.......",
     [](ActorState& s) { return s.TrySuspend(Rest::kYields, false).done; }},
    {"TrySuspend, joins", ".....z.......",
     [](ActorState& s) { return s.TrySuspend(Rest::kJoins, false).done; }},
    {"TryCut(0)", "-------------", [](ActorState& s) { return s.TryCut(0).done; }},
    {"TryCut(1)", "-----r---wwcw", [](ActorState& s) { return s.TryCut(1).done; }},
    {"Wake(0)", "-------------", [](ActorState& s) { return s.Wake(0); }},
    {"Wake(1)", "-----r---wwct",
     [](ActorState& s) {
       const uint64_t before = s.Load().word;  // noted, where there is nothing to submit
       return s.Wake(1) || s.Load().word != before;
     }},
    {"TryStall", "...........t.", [](ActorState& s) { return s.TryStall(s.Load()); }},
    {"TryResume", "...........r.", [](ActorState& s) { return !s.TryResume().stopped(); }},
    {"Release", "........F....", [](ActorState& s) { return s.Release().word != 0; }},
};

TEST(ActorState, EveryMoveFromEveryPhase) {
  for (const Row& row : kTable) {
    for (size_t i = 0; i < kPhases.size(); ++i) {
      const char expected = row.outcome[i];
      if (expected == '.') continue;
      SCOPED_TRACE(std::string(row.name) + " from " + kLetters[i]);
      ActorState state;
      BringTo(state, kPhases[i]);
      const uint64_t before = state.Load().word;
      EXPECT_EQ(row.move(state), expected != '-');
      if (expected == '-') {
        EXPECT_EQ(state.Load().word, before) << "refused, but changed";
      } else {
        EXPECT_EQ(LetterOf(state.Load()), expected);
      }
    }
  }
}

TEST(ActorState, AnAttemptIsCutShortOnceUnlessItIsCancelledAndOnlyAJoinWaitsOn) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  EXPECT_TRUE(state.TryCut(1));
  EXPECT_TRUE(state.Load().cut() && state.Load().cancelled() && state.Load().pinned());
  EXPECT_FALSE(state.TryCut(1)) << "twice";
  EXPECT_FALSE(state.TryTimeOut(1)) << "it is cancelled";
  state.Unpin();
  EXPECT_FALSE(state.TrySuspend(Rest::kWaits, false)) << "a cancelled body goes on";
  EXPECT_TRUE(state.TrySuspend(Rest::kJoins, false));
  EXPECT_EQ(state.RequestStop(state.Load(), kCause).result, StopResult::kPinned);
  state.Unpin();
  ASSERT_TRUE(state.TryTake());
  EXPECT_TRUE(state.TryResume().cancelled());
  EXPECT_TRUE(state.TrySuspend(Rest::kJoins, false)) << "asked to stop, it still waits";
  EXPECT_TRUE(state.TryAbandon(1, /*force=*/false)) << "given up where it waits";
  state.Unpin();
  EXPECT_TRUE(state.Wake(1));
  ASSERT_TRUE(state.TryTake());
  static_cast<void>(state.TryResume());
  EXPECT_TRUE(state.Settle().cut()) << "the worker judges it";
  EXPECT_FALSE(state.Load().cut()) << "the next attempt is another";
}

TEST(ActorState, ASilenceIsEnteredAndLeftOncePinnedAndEndsWithTheAttempt) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  EXPECT_FALSE(state.TrySilence(1, /*silent=*/false)) << "it was not silent";
  EXPECT_TRUE(state.TrySilence(1, /*silent=*/true));
  EXPECT_TRUE(state.Load().silent() && state.Load().pinned());
  EXPECT_FALSE(state.TrySilence(1, /*silent=*/true)) << "twice";
  state.Unpin();
  EXPECT_TRUE(state.TrySilence(1, /*silent=*/false));
  state.Unpin();
  EXPECT_FALSE(state.Load().silent());
  EXPECT_TRUE(state.TrySilence(1, /*silent=*/true));
  state.Unpin();
  EXPECT_TRUE(state.Settle().silent()) << "the worker tells the recovery";
  EXPECT_FALSE(state.Load().silent());
  EXPECT_EQ(state.Load().epoch(), 1u);
}

TEST(ActorState, ATaskThatIsGivenUpIsNotSilentAnyMore) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  static_cast<void>(state.RequestStop(state.Load(), kCause));
  state.Unpin();
  ASSERT_TRUE(state.TryAbandon(1));
  state.Unpin();
  EXPECT_FALSE(state.TrySilence(1, /*silent=*/true));
}

// The picture in actor_state.h, said a second time.
TEST(ActorState, TheTableOfLegalMovesIsThePicture) {
  constexpr const char* kExpected[] = {
      /* from F */ "R", /* R */ "Qf",  /* Q */ "Sf", /* S */ "Wrsf", /* W */ "Qf",
      /* r */ "szw",    /* s */ "QDf", /* D */ "Qf", /* f */ "F",
      /* z */ "w",      /* w */ "c",   /* c */ "rt", /* t */ "w"};
  for (size_t from = 0; from < kPhases.size(); ++from) {
    std::string to;
    for (const Phase phase : kPhases) {
      if ((kLegal[from] & To(phase)) != 0) to += kLetters[static_cast<size_t>(phase)];
    }
    std::string expected = kExpected[from];
    EXPECT_EQ(to.size(), expected.size()) << "from " << kLetters[from] << " to " << to;
    for (const char letter : expected) {
      EXPECT_NE(to.find(letter), std::string::npos) << kLetters[from] << " to " << letter;
    }
  }
}

#ifndef NDEBUG
TEST(ActorStateDeathTest, AnIllegalMoveIsABugThatTheDebugBuildNames) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ActorState state;
  EXPECT_DEATH(static_cast<void>(state.Commit()), "kLegal");
  BringTo(state, Phase::kQueued);
  EXPECT_DEATH(static_cast<void>(state.TryBegin()), "kLegal");
}
#endif

struct StopRow {
  Phase phase;
  StopResult result;
  char after;
};

TEST(ActorState, AStopFromEveryPhaseSaysWhatTheCallerOwes) {
  constexpr StopRow kStops[] = {
      {Phase::kFree, StopResult::kRefused, 'F'},     {Phase::kReserved, StopResult::kNoted, 'R'},
      {Phase::kQueued, StopResult::kTaken, 'f'},     {Phase::kStarting, StopResult::kNoted, 'S'},
      {Phase::kWaiting, StopResult::kTaken, 'f'},    {Phase::kRunning, StopResult::kPinned, 'r'},
      {Phase::kSettling, StopResult::kNoted, 's'},   {Phase::kDelaying, StopResult::kTaken, 'f'},
      {Phase::kFinishing, StopResult::kRefused, 'f'}};
  for (const StopRow& row : kStops) {
    SCOPED_TRACE(kLetters[static_cast<size_t>(row.phase)]);
    ActorState state;
    BringTo(state, row.phase);
    const auto stop = state.RequestStop(state.Load(), kCause);
    EXPECT_EQ(stop.result, row.result);
    EXPECT_TRUE(stop.before.Is(row.phase));
    const Snapshot after = state.Load();
    EXPECT_EQ(LetterOf(after), row.after);
    EXPECT_EQ(after.pinned(), row.result == StopResult::kPinned);
    if (row.result == StopResult::kRefused) continue;
    EXPECT_TRUE(after.stopped());
    EXPECT_EQ(after.cause(), kCause);
    // The first stop and its cause stay.
    const auto again = state.RequestStop(state.Load(), kCause + 1);
    EXPECT_EQ(again.result, StopResult::kAlready);
    EXPECT_EQ(state.Load().cause(), kCause);
  }
}

TEST(ActorState, OwnersOfAStoppedSlotCanOnlyFinishIt) {
  for (const Phase phase : {Phase::kReserved, Phase::kStarting, Phase::kSettling}) {
    SCOPED_TRACE(kLetters[static_cast<size_t>(phase)]);
    ActorState state;
    BringTo(state, phase);
    ASSERT_EQ(state.RequestStop(state.Load(), kCause).result, StopResult::kNoted);
    if (phase == Phase::kReserved) {
      EXPECT_TRUE(state.Commit().stopped());
      EXPECT_TRUE(state.Load().Is(Phase::kFinishing));
      continue;
    }
    if (phase == Phase::kStarting) {
      EXPECT_FALSE(state.TryBegin());
      EXPECT_FALSE(state.TryPark());
    } else {
      EXPECT_FALSE(state.TryRequeue());
      EXPECT_FALSE(state.TryDelay());
    }
    EXPECT_FALSE(state.TryFinish(false)) << "decided without the stop";
    EXPECT_TRUE(state.TryFinish(true));
  }
}

TEST(ActorState, ATimeoutIsNotedOncePinsAndIsSpentBySettling) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  EXPECT_TRUE(state.TryTimeOut(1));
  EXPECT_FALSE(state.TryTimeOut(1)) << "twice";
  EXPECT_TRUE(state.Load().timed_out());
  EXPECT_TRUE(state.Load().pinned());
  state.Unpin();
  const Snapshot last = state.Settle();
  EXPECT_TRUE(last.timed_out());
  EXPECT_FALSE(state.Load().timed_out());
}

TEST(ActorState, AStopOutranksALaterTimeout) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  ASSERT_EQ(state.RequestStop(state.Load(), kCause).result, StopResult::kPinned);
  EXPECT_FALSE(state.TryTimeOut(1));
}

TEST(ActorState, ATimerThatFiresBeforeItsPhaseLeavesAMarkForTheOwner) {
  ActorState state;
  BringTo(state, Phase::kStarting);
  ASSERT_TRUE(state.TryTimeOut(1));
  EXPECT_FALSE(state.Load().pinned()) << "nothing runs yet";
  const auto begun = state.TryBegin();
  EXPECT_TRUE(Snapshot{begun.seen}.due());
  EXPECT_FALSE(state.Load().due());
  static_cast<void>(state.Settle());
  ASSERT_TRUE(state.TryWake(1));
  const auto delayed = state.TryDelay();
  EXPECT_TRUE(Snapshot{delayed.seen}.due());
  EXPECT_TRUE(state.Load().Is(Phase::kQueued)) << "the wait was over before it began";
  EXPECT_FALSE(state.Load().due());
}

TEST(ActorState, AbandonNeedsAStopAndHappensOnce) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  EXPECT_FALSE(state.TryAbandon(1)) << "nobody asked it to stop";
  static_cast<void>(state.RequestStop(state.Load(), kCause));
  EXPECT_FALSE(state.TryAbandon(2)) << "another attempt";
  EXPECT_TRUE(state.TryAbandon(1));
  EXPECT_FALSE(state.TryAbandon(1));
  state.Unpin();
  state.Unpin();
  EXPECT_TRUE(state.Settle().abandoned());
}

TEST(ActorState, SettleWaitsForTheLastPin) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  ASSERT_EQ(state.RequestStop(state.Load(), kCause).result, StopResult::kPinned);
  std::atomic<bool> unpinned{false};
  std::atomic<bool> too_early{false};
  testing::Gate started;
  std::thread worker([&] {
    started.Open();
    static_cast<void>(state.Settle());
    too_early = !unpinned;
  });
  ASSERT_TRUE(started.Wait());
  EXPECT_TRUE(state.Load().Is(Phase::kRunning));
  unpinned = true;
  state.Unpin();
  worker.join();
  EXPECT_FALSE(too_early);
}

TEST(ActorState, APermitComesWithTheGrantAndGoesWithTheAttempt) {
  ActorState state;
  BringTo(state, Phase::kWaiting);
  ASSERT_TRUE(state.TryGrant(0));
  EXPECT_TRUE(state.Load().has_permit());
  EXPECT_TRUE(Snapshot{state.TryTake().seen}.has_permit());
  ASSERT_TRUE(state.TryBegin());
  EXPECT_FALSE(state.Load().has_permit());
}

TEST(ActorState, OneThatWasGivenUpWhileSilentMayStillWaitForItsChildren) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  ASSERT_TRUE(state.TrySilence(1, /*silent=*/true));
  state.Unpin();
  EXPECT_FALSE(state.TrySuspend(ActorState::Rest::kJoins, false)) << "its recovery is to be told";
  static_cast<void>(state.RequestStop(state.Load(), kCause));
  state.Unpin();
  EXPECT_FALSE(state.TrySuspend(ActorState::Rest::kJoins, false));
  ASSERT_TRUE(state.TryAbandon(1));
  state.Unpin();
  EXPECT_FALSE(state.TrySilence(1, /*silent=*/false)) << "nobody tells any more";
  EXPECT_TRUE(state.TrySuspend(ActorState::Rest::kJoins, false));
  EXPECT_FALSE(state.Load().silent());
}

TEST(ActorState, ReleaseClearsEverythingButRaisesTheEpoch) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  const Snapshot seen = state.Load();
  static_cast<void>(state.RequestStop(seen, kCause));
  state.Unpin();
  static_cast<void>(state.MarkScoped());
  ASSERT_TRUE(state.Join(state.Load()));
  static_cast<void>(state.Settle());
  ASSERT_TRUE(state.TryFinish(true));
  EXPECT_TRUE(state.Release().joined());
  const Snapshot free = state.Load();
  EXPECT_TRUE(free.Is(Phase::kFree));
  EXPECT_EQ(free.word, (seen.epoch() + 1) << kEpochShift) << "a flag was left";
  // Whoever comes with an old state is refused.
  EXPECT_FALSE(state.Join(seen));
  EXPECT_EQ(state.RequestStop(seen, kCause).result, StopResult::kRefused);
}

TEST(ActorState, MarkScopedTellsTheMakerOfAnEarlierCancellation) {
  ActorState state;
  BringTo(state, Phase::kRunning);
  EXPECT_FALSE(state.MarkScoped().stopped());
  EXPECT_TRUE(state.RequestStop(state.Load(), kCause).before.scoped());
  ActorState late;
  BringTo(late, Phase::kRunning);
  EXPECT_FALSE(late.RequestStop(late.Load(), kCause).before.scoped());
  EXPECT_TRUE(late.MarkScoped().stopped());
}

}  // namespace
}  // namespace taskvisor::internal
