#include "sched/thread_numbers.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/allocations.h"
#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

uint32_t InAThread(ThreadNumbers& numbers) {
  uint32_t number = ThreadNumbers::kNone;
  std::thread([&] { number = numbers.Mine(); }).join();
  return number;
}

TEST(ThreadNumbers, AThreadKeepsItsNumber) {
  ThreadNumbers numbers(4);
  ThreadNumbers others(4);
  const uint32_t mine = numbers.Mine();
  EXPECT_LT(mine, 4u);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(others.Mine(), 0u);
    EXPECT_EQ(numbers.Mine(), mine) << "another object was used in between";
  }
}

TEST(ThreadNumbers, LiveThreadsHaveDifferentNumbersAndTheNextGetsNone) {
  constexpr uint32_t kMax = 8;
  ThreadNumbers numbers(kMax);
  testing::Gate all_have;
  std::atomic<uint32_t> count{0};
  std::vector<uint32_t> got(kMax);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kMax; ++i) {
    threads.emplace_back([&, i] {
      got[i] = numbers.Mine();
      if (++count == kMax) all_have.Open();
      all_have.Pass();
      EXPECT_EQ(numbers.Mine(), got[i]);
      if (i == 0) {
        EXPECT_EQ(InAThread(numbers), ThreadNumbers::kNone) << "all are held";
      }
      // Nobody ends before that was looked at.
      if (++count == 2 * kMax) count.notify_all();
      for (uint32_t seen = count; seen < 2 * kMax; seen = count) count.wait(seen);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<uint32_t>(got.begin(), got.end()).size(), kMax);
  EXPECT_LT(InAThread(numbers), kMax) << "they came back";
}

TEST(ThreadNumbers, TheNumberOfAThreadThatEndedIsGivenOutAgain) {
  ThreadNumbers numbers(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(InAThread(numbers), 0u);
}

TEST(ThreadNumbers, WhatIsKeptIsOfTheObjectItWasKeptFor) {
  int lane = 0;
  int other_lane = 0;
  ThreadNumbers numbers(1);
  EXPECT_EQ(numbers.Kept(), nullptr);
  static_cast<void>(numbers.Mine());
  numbers.Keep(&lane);
  EXPECT_EQ(numbers.Kept(), &lane);
  ThreadNumbers other(1);  // the next one made: used by turns they do not get in each other's way
  EXPECT_EQ(other.Kept(), nullptr);
  static_cast<void>(other.Mine());
  other.Keep(&other_lane);
  EXPECT_EQ(numbers.Kept(), &lane);
  EXPECT_EQ(other.Kept(), &other_lane);
  std::thread([&] { EXPECT_EQ(other.Kept(), nullptr) << "of another thread"; }).join();
}

// There is room for a few: what an object has lost to another it looks up again.
TEST(ThreadNumbers, OfManyObjectsEachFindsItsOwnNumberAgain) {
  int lane = 0;
  std::deque<ThreadNumbers> objects;
  for (int i = 0; i < 20; ++i) objects.emplace_back(1);
  for (int round = 0; round < 2; ++round) {
    for (ThreadNumbers& numbers : objects) {
      EXPECT_EQ(numbers.Kept(), nullptr);
      EXPECT_EQ(numbers.Mine(), 0u);
      numbers.Keep(&lane);
    }
  }
}

TEST(ThreadNumbers, ANewObjectAtTheAddressOfAnOldOneIsAnotherOne) {
  int lane = 0;
  alignas(ThreadNumbers) char memory[sizeof(ThreadNumbers)];
  for (int i = 0; i < 3; ++i) {
    auto* const numbers = new (memory) ThreadNumbers(1);
    EXPECT_EQ(numbers->Kept(), nullptr);
    EXPECT_EQ(numbers->Mine(), 0u);
    numbers->Keep(&lane);
    numbers->~ThreadNumbers();
  }
}

// The thread outlives the object, and has a number of it.
TEST(ThreadNumbers, MayGoBeforeItsThreads) {
  auto numbers = std::make_unique<ThreadNumbers>(2);
  testing::Gate has, gone;
  std::thread thread([&] {
    static_cast<void>(numbers->Mine());
    has.Open();
    gone.Pass();
  });
  ASSERT_TRUE(has.Wait());
  numbers.reset();
  gone.Open();
  thread.join();
}

struct Late {
  ~Late() { at_the_end = numbers->Mine(); }
  ThreadNumbers* numbers = nullptr;
  static inline uint32_t at_the_end = ThreadNumbers::kNone;
};

TEST(ThreadNumbers, AThreadKeepsItsNumberUntilItsThreadLocalsAreGone) {
  ThreadNumbers numbers(1);
  std::thread([&] {
    thread_local Late late;
    late.numbers = &numbers;
    EXPECT_EQ(numbers.Mine(), 0u);
  }).join();
  EXPECT_EQ(Late::at_the_end, 0u);
  EXPECT_EQ(InAThread(numbers), 0u);
}

TEST(ThreadNumbers, TheFirstCallOfAThreadAllocatesNothing) {
  ThreadNumbers numbers(4);
  std::array<ThreadNumbers, 3> others{ThreadNumbers(1), ThreadNumbers(1), ThreadNumbers(1)};
  uint64_t allocations = 1;
  std::thread([&] {
    const uint64_t before = testing::AllocationsOfThisThread();
    static_cast<void>(numbers.Mine());
    for (ThreadNumbers& other : others) static_cast<void>(other.Mine());
    allocations = testing::AllocationsOfThisThread() - before;
  }).join();
  EXPECT_EQ(allocations, 0u);
}

}  // namespace
}  // namespace taskvisor::internal
