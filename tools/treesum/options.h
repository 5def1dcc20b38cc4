#ifndef TASKVISOR_TOOLS_TREESUM_OPTIONS_H_
#define TASKVISOR_TOOLS_TREESUM_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "taskvisor/clock.h"
#include "tools/treesum/chaos.h"

namespace taskvisor::treesum {

inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

enum class ProgressMode : uint8_t { kAuto, kAlways, kNever };

// What the user asked for. The help text is the manual.
struct Options {
  std::vector<std::string> operands;
  std::optional<Duration> timeout;  // 0: none; not given: none, or short with chaos
  std::optional<size_t> max_concurrent;
  std::optional<uint32_t> retries;
  Duration grace = std::chrono::seconds(5);
  std::string output;  // empty: stdout
  std::string events;  // empty: none
  std::string json;    // empty: none; "-": stderr
  ProgressMode progress = ProgressMode::kAuto;
  bool quiet = false;
  std::optional<Chaos> chaos;
};

// The options, or the exit code of a program that has nothing more to do: 0 after --help
// and --version, kExitUsage after a complaint on stderr.
[[nodiscard]] std::variant<Options, int> ParseOptions(int argc, const char* const* argv);

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_OPTIONS_H_
