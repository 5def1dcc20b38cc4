#include "sched/cancellation.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

namespace taskvisor::internal {
namespace {

TEST(CancelNode, IsCancelledOnceAndKeepsTheFirstCause) {
  CancelNode node;
  EXPECT_EQ(node.cause(), 0);
  EXPECT_TRUE(node.Cancel(3));
  EXPECT_FALSE(node.Cancel(5));
  EXPECT_EQ(node.cause(), 3);
  EXPECT_TRUE(node.token().stop_requested());
}

TEST(CancelNode, GoesDownWithItsCauseAndNeverUp) {
  CancelNode root;
  CancelNode middle(root);
  CancelNode leaf(middle);
  CancelNode sibling(root);
  middle.Cancel(2);
  EXPECT_EQ(leaf.cause(), 2);
  EXPECT_EQ(root.cause(), 0);
  EXPECT_EQ(sibling.cause(), 0);
  root.Cancel(4);
  EXPECT_EQ(sibling.cause(), 4);
  EXPECT_EQ(middle.cause(), 2) << "an earlier cause was overwritten";
}

TEST(CancelNode, AChildOfACancelledNodeIsBornCancelled) {
  CancelNode root;
  root.Cancel(6);
  CancelNode child(root);
  EXPECT_EQ(child.cause(), 6);
  EXPECT_FALSE(child.Cancel(1));
}

TEST(CancelNode, AChildMayGoBeforeOrAfterItsParent) {
  auto parent = std::make_unique<CancelNode>();
  auto early = std::make_unique<CancelNode>(*parent);
  auto late = std::make_unique<CancelNode>(*parent);
  early.reset();
  parent->Cancel(1);
  parent.reset();
  EXPECT_EQ(late->cause(), 1);
  auto orphan_parent = std::make_unique<CancelNode>();
  auto orphan = std::make_unique<CancelNode>(*orphan_parent);
  orphan_parent.reset();
  EXPECT_EQ(orphan->cause(), 0);
  EXPECT_TRUE(orphan->Cancel(2));
}

TEST(CancelNode, RunsStopCallbacksOnceOnTheCancellingThread) {
  CancelNode root;
  CancelNode child(root);
  int calls = 0;
  std::thread::id where;
  const std::stop_callback callback(child.token(), [&] {
    ++calls;
    where = std::this_thread::get_id();
  });
  root.Cancel(1);
  root.Cancel(2);
  child.Cancel(3);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(where, std::this_thread::get_id());
  bool late = false;
  const std::stop_callback at_once(child.token(), [&] { late = true; });
  EXPECT_TRUE(late);
}

TEST(CancelNode, WakesWhoSleepsOnIt) {
  CancelNode root;
  CancelNode child(root);
  std::thread sleeper([&] { Await(child.changed(), [&] { return child.cause() != 0; }); });
  root.Cancel(1);
  sleeper.join();
}

TEST(CancelNode, OfRacingCancelsOneWinsAndChildrenHaveItsCause) {
  for (int round = 0; round < 300; ++round) {
    CancelNode root;
    std::atomic<int> winners{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (uint8_t cause = 1; cause <= 3; ++cause) {
      threads.emplace_back([&, cause] { winners.fetch_add(root.Cancel(cause)); });
    }
    threads.emplace_back([&] {
      CancelNode child(root);
      Await(child.changed(), [&] { return child.cause() != 0; });
      if (child.cause() != root.cause()) wrong.fetch_add(1);
    });
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(winners, 1);
    ASSERT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace taskvisor::internal
