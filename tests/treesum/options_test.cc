#include "tools/treesum/options.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

#include "tests/treesum/temp_tree.h"
#include "tools/treesum/job.h"

namespace taskvisor::treesum {
namespace {

using std::chrono::milliseconds;
using Strings = std::vector<std::string>;

std::variant<Options, int> Parse(std::initializer_list<const char*> words) {
  std::vector<const char*> argv = {"treesum"};
  argv.insert(argv.end(), words);
  return ParseOptions(static_cast<int>(argv.size()), argv.data());
}

Options Good(std::initializer_list<const char*> words) {
  auto parsed = Parse(words);
  EXPECT_TRUE(std::holds_alternative<Options>(parsed));
  return std::holds_alternative<Options>(parsed) ? std::get<Options>(parsed) : Options();
}

int Code(std::initializer_list<const char*> words) {
  const auto parsed = Parse(words);
  return std::holds_alternative<int>(parsed) ? std::get<int>(parsed) : -1;
}

TEST(Options, HasTheDefaultsOfTheHelpText) {
  const Options options = Good({"/"});
  EXPECT_EQ(options.operands, Strings{"/"});
  EXPECT_EQ(options.grace, milliseconds(5000));
  EXPECT_EQ(options.max_concurrent, std::nullopt);
  EXPECT_EQ(options.chaos, std::nullopt);
  EXPECT_EQ(RetriesOf(options), 3u);
  EXPECT_EQ(TimeoutOf(options, {"f", 0}), std::nullopt);
}

TEST(Options, HasOtherDefaultsWithChaos) {
  const Options options = Good({"--chaos", "0.5", "--seed", "9", "/"});
  ASSERT_TRUE(options.chaos.has_value());
  EXPECT_EQ(options.chaos->probability(), 0.5);
  EXPECT_EQ(options.chaos->seed(), 9u);
  EXPECT_EQ(RetriesOf(options), 8u);
  EXPECT_EQ(TimeoutOf(options, {"f", 0}), milliseconds(100));
  EXPECT_GE(*TimeoutOf(options, {"f", 32 << 20}), milliseconds(2000));
  EXPECT_GT(*TimeoutOf(options, {"f", ~uint64_t{0}}), Duration::zero());
  EXPECT_EQ(TimeoutOf(Good({"--chaos", "1", "--timeout", "2s", "/"}), {"f", 0}),
            milliseconds(2000));
}

TEST(Options, TakesEveryOption) {
  const Options options = Good({"--timeout", "250ms", "--max-concurrent=4", "--retries", "0",
                                "--grace", "1m", "--output", "o", "--events", "e", "--json", "-",
                                "--progress", "always", "--quiet", "/"});
  EXPECT_EQ(options.timeout, milliseconds(250));
  EXPECT_EQ(options.max_concurrent, 4u);
  EXPECT_EQ(RetriesOf(options), 0u);
  EXPECT_EQ(options.grace, milliseconds(60000));
  EXPECT_EQ(options.output, "o");
  EXPECT_EQ(options.events, "e");
  EXPECT_EQ(options.json, "-");
  EXPECT_EQ(options.progress, ProgressMode::kAlways);
  EXPECT_TRUE(options.quiet);
}

TEST(Options, TakesAnyNameForAnOperand) {
  TempTree tree;
  const std::string bracket = tree.Write("[a,b]", ""), dash = tree.Write("-x", "");
  EXPECT_EQ(Good({bracket.c_str(), "--", dash.c_str()}).operands, (Strings{bracket, dash}));
  std::filesystem::current_path(tree.root());
  EXPECT_EQ(Good({"[a,b]", "--", "-x"}).operands, (Strings{"[a,b]", "-x"}));
  std::filesystem::current_path("/");
}

TEST(Options, RefusesAWrongCommandLine) {
  EXPECT_EQ(Code({}), kExitUsage);
  EXPECT_EQ(Code({"--"}), kExitUsage);
  EXPECT_EQ(Code({"--no-such-option", "/"}), kExitUsage);
  EXPECT_EQ(Code({"-x", "/"}), kExitUsage);
  EXPECT_EQ(Code({"/no/such/folder"}), kExitUsage);
  EXPECT_EQ(Code({"/", "/no/such/folder"}), kExitUsage);
  EXPECT_EQ(Code({"/dev/null"}), kExitUsage);
  EXPECT_EQ(Code({"--timeout", "soon", "/"}), kExitUsage);
  EXPECT_EQ(Code({"--max-concurrent", "0", "/"}), kExitUsage);
  EXPECT_EQ(Code({"--retries", "-1", "/"}), kExitUsage);
  EXPECT_EQ(Code({"--progress", "sometimes", "/"}), kExitUsage);
  EXPECT_EQ(Code({"--chaos", "1.5", "/"}), kExitUsage);
  EXPECT_EQ(Code({"--chaos", "nan", "/"}), kExitUsage);
  EXPECT_EQ(Code({"--seed", "1", "/"}), kExitUsage) << "without --chaos it means nothing";
  for (const char* seed : {"abc", "-1", "1.5", "7x", "18446744073709551616", ""}) {
    EXPECT_EQ(Code({"--chaos", "0.5", "--seed", seed, "/"}), kExitUsage) << seed;
  }
  EXPECT_EQ(Code({"--chaos", "0.1", "--timeout", "0", "/"}), kExitUsage);
  EXPECT_EQ(Code({"--output"}), kExitUsage);
}

TEST(Options, ExplainsItself) {
  EXPECT_EQ(Code({"--help"}), 0);
  EXPECT_EQ(Code({"--version"}), 0);
}

}  // namespace
}  // namespace taskvisor::treesum
