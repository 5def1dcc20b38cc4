#include "sched/stack_text.h"

#include <dlfcn.h>
#include <features.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "absl/debugging/symbolize.h"

namespace taskvisor::internal {
namespace {

constexpr size_t kMaxName = 256;
constexpr size_t kMaxShortName = 60;
constexpr std::string_view kJoin = " < ";

std::string Hex(uintptr_t value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), value, 16).ptr;
  return "0x" + std::string(digits.begin(), end);
}

// "libc.so.6+0x1f".
std::string PlaceOf(uintptr_t pc) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
  dl_find_object found{};
  if (_dl_find_object(reinterpret_cast<void*>(pc), &found) == 0 && found.dlfo_link_map != nullptr) {
    const std::string_view path = found.dlfo_link_map->l_name;
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return std::string(name.empty() ? "program" : name) + "+" +
           Hex(pc - found.dlfo_link_map->l_addr);
  }
#endif
  return Hex(pc);
}

std::string NameOf(uintptr_t pc) {
  std::array<char, kMaxName> name{};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of code
  return absl::Symbolize(reinterpret_cast<void*>(pc), name.data(), name.size()) ? name.data()
                                                                                : PlaceOf(pc);
}

std::string ReasonOf(const CapturedStack& stack) {
  using Why = CapturedStack::Why;
  const std::string signal = "signal " + std::to_string(stack.signal);
  switch (stack.why) {
    case Why::kTaken:
      return "it is empty";
    case Why::kNoAnswer:
      return "the thread did not answer in time";
    case Why::kBlocked:
      return "the thread blocks " + signal;
    case Why::kNoThread:
      return "the thread has ended";
    case Why::kNoSignal:
      return "no real-time signal can be used";
    case Why::kTooMany:
      return "too many are being taken";
    case Why::kUnsupported:
      return "the C library has no _dl_find_object";
  }
  return "unknown";
}

}  // namespace

std::string ToText(const CapturedStack& stack, std::string_view end_before) {
  std::string text;
  for (size_t i = 0; i < stack.size; ++i) {
    const std::string name = NameOf(stack.frames[i]);
    if (!end_before.empty() && name.compare(0, end_before.size(), end_before) == 0) break;
    if (text.size() + name.size() + 1 > kMaxStackText) break;
    if (!text.empty()) text += '\n';
    text += name;
  }
  return text.empty() ? "(no stack: " + ReasonOf(stack) + ")" : text;
}

std::string ToOneLine(std::string_view stack_text, size_t most) {
  std::string line;
  while (!stack_text.empty()) {
    const size_t end = std::min(stack_text.find('\n'), stack_text.size());
    const std::string_view name = stack_text.substr(0, std::min(end, kMaxShortName));
    if (line.size() + (line.empty() ? 0 : kJoin.size()) + name.size() > most) break;
    if (!line.empty()) line += kJoin;
    line += name;
    stack_text.remove_prefix(std::min(end + 1, stack_text.size()));
  }
  return line;
}

}  // namespace taskvisor::internal
