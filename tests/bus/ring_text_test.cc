#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "bus/ring.h"
#include "tests/support/seed.h"

namespace taskvisor::internal {
namespace {

using testing::Random;

// A record with text: as long as its member says.
struct Letter {
  uint32_t n = 0;
  uint32_t text_size = 0;
};
using LetterRing = Ring<Letter>;

std::string TextOf(uint32_t n, size_t size) {
  std::string text(size, '\0');
  Random random(n);
  for (char& c : text) c = static_cast<char>(random.Below(256));
  return text;
}

LetterRing::Published Send(LetterRing& ring, uint32_t n, const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size());
  return ring.PublishRun(std::array{size}, [&](size_t, Letter& letter, SlotText<Letter>& to) {
    letter = {n, size};
    to.Append(std::string_view(text).substr(0, size / 2));
    to.Append(std::string_view(text).substr(size / 2));
  });
}

void ExpectLetter(LetterRing& ring, uint32_t n, const std::string& text) {
  const auto taken = ring.Take();
  ASSERT_NE(taken.record, nullptr);
  EXPECT_EQ(taken.record->n, n);
  ASSERT_EQ(taken.record->text_size, text.size());
  std::string copy(text.size(), '\0');
  ring.CopyText(copy.data(), copy.size());
  EXPECT_EQ(copy, text);
  ring.Done(text.size());
}

TEST(Ring, TextsOfEverySizeArriveWholeWhereverTheLaneWraps) {
  for (const uint32_t min_slots : {1u, 64u}) {
    LetterRing ring(13, {.start = 0xffffff00, .min_slots = min_slots});
    for (uint32_t n = 0; n < 900; ++n) {
      const std::string text = TextOf(n, n);
      ASSERT_EQ(Send(ring, n, text), LetterRing::Published::kYes);
      ExpectLetter(ring, n, text);
    }
  }
}

TEST(Ring, RecordsGoWherePartOfTheFirstLapHasNoMemoryYet) {
  for (const uint32_t start : {0u, 1u, 250u, 0xffffff9cu}) {
    LetterRing ring(1000, {.start = start});
    for (uint32_t n = 0; n < 3000; n += 7) {  // up to 24 slots
      const std::string text = TextOf(n, n);
      ASSERT_EQ(Send(ring, n, text), LetterRing::Published::kYes);
      ExpectLetter(ring, n, text);
    }
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(Send(ring, 0, ""), LetterRing::Published::kYes) << i;
    EXPECT_EQ(Send(ring, 0, ""), LetterRing::Published::kLost);
  }
}

TEST(Ring, ALongRecordTakesNeighboursAndIsLostIfTheyAreInUse) {
  LetterRing ring(4, {.min_slots = 1});
  const std::string two = TextOf(1, Slot<Letter>::kFirst + 1);
  const std::string four = TextOf(2, Slot<Letter>::kFirst + 3 * Slot<Letter>::kNext);
  EXPECT_EQ(Send(ring, 1, two), LetterRing::Published::kYes);
  EXPECT_EQ(Send(ring, 2, four), LetterRing::Published::kLost);
  EXPECT_EQ(Send(ring, 3, two), LetterRing::Published::kYes);
  ExpectLetter(ring, 1, two);
  ExpectLetter(ring, 3, two);
  EXPECT_EQ(Send(ring, 4, four), LetterRing::Published::kYes);
  ExpectLetter(ring, 4, four);
}

}  // namespace
}  // namespace taskvisor::internal
