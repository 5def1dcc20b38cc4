#include "supervisor/name.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>
#include <string_view>
#include <thread>

namespace taskvisor::internal {
namespace {

TEST(Name, IsEmptyUntilItIsSet) {
  Name name;
  EXPECT_TRUE(name.empty());
  EXPECT_EQ(name.ToString(), "");
  EXPECT_TRUE(name.Equals(""));
  EXPECT_FALSE(name.Equals("a"));
}

TEST(Name, KeepsBytesOfEveryLength) {
  for (size_t size = 0; size <= kMaxNameLength; ++size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + size);
    NameBlock block;
    Name name;
    name.SetBlock(&block);
    name.Set(text);
    EXPECT_EQ(name.ToString(), text);
    EXPECT_TRUE(name.Equals(text));
    Name::Buffer copy{};
    EXPECT_EQ(name.CopyTo(copy), size);
    EXPECT_EQ(std::string_view(copy.data(), size), text);
    if (size == 0) continue;
    std::string other = text;
    other.back() = static_cast<char>(other.back() + 1);
    EXPECT_FALSE(name.Equals(other)) << "differs in the last byte, size " << size;
    EXPECT_FALSE(name.Equals(std::string_view(text).substr(0, size - 1)));
    EXPECT_FALSE(name.Equals(text + "x"));
  }
}

TEST(Name, ALongNameThenAShortOneThenAnother) {
  NameBlock block;
  Name name;
  name.SetBlock(&block);
  const std::string first(200, 'a');
  const std::string second(100, 'b');
  name.Set(first);
  name.Set("short");
  EXPECT_TRUE(name.Equals("short"));
  EXPECT_FALSE(name.Equals(first));
  name.Set(second);
  EXPECT_EQ(name.ToString(), second);
  name.Set({});
  EXPECT_TRUE(name.empty());
}

// Readers may see a mixture, which they judge by other means; what must hold is that no
// size is ever seen that was not set, and that reading is no race.
TEST(Name, MayBeReadWhileItChanges) {
  NameBlock block;
  Name name;
  name.SetBlock(&block);
  const std::array<std::string, 3> texts{std::string(3, 'x'), std::string(40, 'y'),
                                         std::string(kMaxNameLength, 'z')};
  std::atomic<bool> over{false};
  std::atomic<int> bad{0};
  std::thread reader([&] {
    while (!over) {
      const size_t size = name.ToString().size();
      const bool known = size == 0 || size == 3 || size == 40 || size == kMaxNameLength;
      if (!known) bad.fetch_add(1);
      static_cast<void>(name.Equals(texts[1]));
    }
  });
  for (size_t i = 0; i < 20'000; ++i) name.Set(texts[i % 3]);
  over = true;
  reader.join();
  EXPECT_EQ(bad, 0);
}

}  // namespace
}  // namespace taskvisor::internal
