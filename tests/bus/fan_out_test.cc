#include "bus/fan_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/gate.h"

namespace taskvisor::internal {
namespace {

using testing::Eventually;

struct Card {
  uint64_t sequence = 0;
  int value = 0;
  uint64_t refused = 0;  // a report: so many
  uint64_t lost = 0;     // a lag record: so many
  uint16_t text_size = 0;
};

// What one subscription gets, once its thread runs.
struct Inbox {
  std::vector<Card> cards;
  std::vector<std::string> texts;
};

class InboxSink final : public Sink<Card> {
 public:
  InboxSink(Inbox& inbox, int wanted) : inbox_(inbox), wanted_(wanted) {}
  void OnRecord(const Card& card) noexcept override {
    inbox_.cards.push_back(card);
    inbox_.texts.emplace_back(reinterpret_cast<const char*>(&card + 1), card.text_size);
  }
  uint64_t WantedOf(std::span<const Card* const> cards) const noexcept override {
    return SelectOf(
        cards, [&](const Card& l) { return l.refused + l.lost > 0 || l.value % wanted_ == 0; });
  }

 private:
  Inbox& inbox_;
  const int wanted_;
};

class Silent final : public FanOutHooks<Card> {
 public:
  void Observe(const Card&) noexcept override {}
  Report<Card> MakeLag(uint64_t lost) noexcept override {
    const std::string text(500, 'l');
    Report<Card> report{{.lost = lost, .text_size = static_cast<uint16_t>(text.size())}};
    report.text.Append(text);
    return report;
  }
  Report<Card> MakeRefusal(const Subscription<Card>&, Subscription<Card>::Offered,
                           uint64_t count) noexcept override {
    return {{.refused = count}};
  }
  void OnIdle() noexcept override {}
  bool IsDiagnostic(const Card& card) const noexcept override {
    return card.refused + card.lost > 0;
  }
};

// The fan-out by hand: this thread publishes and reads, and no subscription has a thread until all
// was offered.
struct FanOutTest : ::testing::Test {
  using Published = Ring<Card>::Published;

  void Make(std::vector<std::pair<size_t, int>> capacity_and_wanted, size_t ring_slots = 1024) {
    ring = std::make_unique<Ring<Card>>(ring_slots);
    FanOut<Card>::Subscriptions subscriptions;
    inboxes.resize(capacity_and_wanted.size());
    for (size_t i = 0; i < inboxes.size(); ++i) {
      const auto [capacity, wanted] = capacity_and_wanted[i];
      subscriptions.push_back(std::make_shared<Subscription<Card>>(
          "s", capacity, std::make_unique<InboxSink>(inboxes[i], wanted)));
    }
    fan_out = std::make_unique<FanOut<Card>>(*ring, std::move(subscriptions), hooks);
  }
  static std::string TextOf(int value) {
    return std::string(static_cast<size_t>(value * 7 % 300), 'a');
  }
  void Publish(int value) { EXPECT_EQ(Publish(value, TextOf(value)), Published::kYes); }
  Published Publish(int value, const std::string& text) {
    const std::array<uint32_t, 1> size{static_cast<uint32_t>(text.size())};
    return ring->PublishRun(size, [&](size_t, Card& card, SlotText<Card>& to) {
      card = {.value = value, .text_size = static_cast<uint16_t>(text.size())};
      to.Append(text);
    });
  }
  void Finish() {
    ring->Close();
    while (fan_out->Drain(64) > 0) {
    }
    fan_out->Finish();
    for (const auto& subscription : fan_out->subscriptions()) {
      ASSERT_TRUE(subscription->Start());
      subscription->Close();
      ASSERT_TRUE(Eventually([&] { return subscription->Done(); }));
    }
  }
  [[nodiscard]] SubscriptionCounts Counts(size_t i) {
    return fan_out->subscriptions()[i]->Counts();
  }

  std::unique_ptr<Ring<Card>> ring;
  Silent hooks;
  std::vector<Inbox> inboxes;
  std::unique_ptr<FanOut<Card>> fan_out;
};

// Some 60 KB, over several blocks of the store and several batches.
TEST_F(FanOutTest, EachGetsWhatItWantsWholeAndInOrderWhateverTheBatch) {
  Make({{1024, 1}, {1024, 3}, {1024, 1000}});
  constexpr int kCards = 400;
  for (int value = 1; value <= kCards; ++value) {
    Publish(value);
    if (value % 37 == 0) static_cast<void>(fan_out->Drain(value % 64 + 1));
  }
  Finish();
  const int every[] = {1, 3, 1000};
  for (size_t i = 0; i < inboxes.size(); ++i) {
    const Inbox& inbox = inboxes[i];
    ASSERT_EQ(inbox.cards.size(), static_cast<size_t>(kCards / every[i]));
    for (size_t n = 0; n < inbox.cards.size(); ++n) {
      const int value = static_cast<int>(n + 1) * every[i];
      EXPECT_EQ(inbox.cards[n].value, value);
      EXPECT_EQ(inbox.cards[n].sequence, static_cast<uint64_t>(value));
      EXPECT_EQ(inbox.texts[n], TextOf(value));
    }
  }
}

TEST_F(FanOutTest, WhatAFullQueueRefusesInTheMiddleOfABatchIsOneEpisode) {
  Make({{10, 1}, {1024, 1}, {1024, 2}});
  constexpr uint64_t kCards = 200;
  for (int value = 1; value <= static_cast<int>(kCards); ++value) Publish(value);
  Finish();
  EXPECT_EQ(Counts(0).delivered, 10u);
  EXPECT_EQ(Counts(0).dropped, kCards - 10 + 1) << "and the report of it";
  ASSERT_EQ(inboxes[1].cards.size(), kCards + 1);
  EXPECT_EQ(inboxes[1].cards.back().refused, kCards - 10);
  EXPECT_EQ(inboxes[1].cards.back().sequence, kCards + 1);
  EXPECT_EQ(Counts(2).delivered, kCards / 2 + 1);
}

// A queue that is full only of what its thread was not told of yet is told in the middle of a
// batch: room comes back, the episode is over, and the report follows what it tells of.
TEST_F(FanOutTest, AnEpisodeThatEndsIsToldBehindWhatEndedIt) {
  Make({{4, 1}, {1024, 1}});
  ASSERT_TRUE(fan_out->subscriptions()[0]->Start());
  for (int value = 1; value <= 300; ++value) {
    Publish(value);
    if (value % 50 == 0) {
      while (fan_out->Drain(64) > 0) {
      }
      ASSERT_TRUE(Eventually([&] { return Counts(0).queued == 0; }));
    }
  }
  Finish();
  uint64_t told = 0;
  uint64_t last = 0;
  for (const Card& card : inboxes[1].cards) {
    EXPECT_GT(card.sequence, last);
    last = card.sequence;
    told += card.refused;
  }
  const SubscriptionCounts counts = Counts(0);
  EXPECT_EQ(counts.offered, counts.delivered + counts.dropped);
  EXPECT_LE(told, counts.dropped);
  EXPECT_GE(told, 1u) << "300 cards, in batches of 50, into a queue of 4";
}

TEST_F(FanOutTest, NoMoreCountsAsQueuedThanTheQueueHolds) {
  Make({{1, 1}});
  std::atomic<bool> over{false};
  uint64_t most = 0;
  std::thread looks([&] {
    while (!over) {
      const SubscriptionCounts counts = Counts(0);
      EXPECT_EQ(counts.offered, counts.delivered + counts.dropped + counts.queued);
      most = std::max(most, counts.queued);
    }
  });
  for (int round = 0; round < 2000; ++round) {
    for (int value = 1; value <= 64; ++value) Publish(value);
    while (fan_out->Drain(64) > 0) {
    }
  }
  over = true;
  looks.join();
  EXPECT_EQ(most, 1u);
  EXPECT_EQ(Counts(0).dropped, 2000u * 64 - 1);
  Finish();
}

// What is said of an episode after the close has a number at once. Here that happens between two
// halves of one step: a lag record, for which the block has no room, ends the batch, and the batch
// an episode; behind it comes the card that the loss stands before.
TEST_F(FanOutTest, AfterTheCloseNoNumberIsGivenTwice) {
  const std::string text(776, 'a');  // seven slots
  constexpr int kCards = 10;  // that fill the lane, and a block but for less than a lag record
  Make({{3, 1}, {1024, 1}}, 7 * kCards);
  for (int value = 1; value <= kCards; ++value) {
    ASSERT_EQ(Publish(value, text), Published::kYes);
  }
  ASSERT_EQ(Publish(kCards + 1, text), Published::kLost);
  static_cast<void>(fan_out->Drain(4));  // three are taken, one is refused: an episode begins
  ASSERT_TRUE(fan_out->subscriptions()[0]->Start());
  ASSERT_TRUE(Eventually([&] { return fan_out->subscriptions()[0]->HandedOver(3); }));
  ASSERT_EQ(Publish(kCards + 2, text), Published::kYes);  // tells of the loss
  Finish();
  uint64_t next = 1;
  for (const Card& card : inboxes[1].cards) {
    EXPECT_EQ(card.sequence, next++) << "value " << card.value << ", refused " << card.refused;
  }
  EXPECT_EQ(next, 1u + kCards + 1 + 1 + 2) << "the lag, the last card, and two episodes";
}

}  // namespace
}  // namespace taskvisor::internal
