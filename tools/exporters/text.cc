#include "tools/exporters/text.h"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace taskvisor::exporters {
namespace {

// The length of the sequence that `lead` begins, 0 if it begins none, and the range its
// second byte must be in: the only place where overlong forms, surrogates and values above
// U+10FFFF can be told.
struct Sequence {
  size_t length;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
};

Sequence Begin(uint8_t lead) {
  if (lead < 0x80) return {1};
  if (lead < 0xC2) return {0};
  if (lead < 0xE0) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

bool InRange(uint8_t byte, uint8_t low, uint8_t high) { return low <= byte && byte <= high; }

}  // namespace

bool IsUtf8(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  for (size_t i = 0; i < bytes.size();) {
    const Sequence sequence = Begin(at(i));
    if (sequence.length == 0 || sequence.length > bytes.size() - i) return false;
    if (sequence.length > 1 && !InRange(at(i + 1), sequence.low, sequence.high)) return false;
    for (size_t k = 2; k < sequence.length; ++k) {
      if (!InRange(at(i + k), 0x80, 0xBF)) return false;
    }
    i += sequence.length;
  }
  return true;
}

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char c : bytes) {
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return hex;
}

std::string OneLine(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    switch (c) {
      case '\n':
        line += "\\n";
        break;
      case '\r':
        line += "\\r";
        break;
      case '\t':
        line += "\\t";
        break;
      case '\\':
        line += "\\\\";
        break;
      default:
        if (byte < 0x20 || byte == 0x7F) {
          line += fmt::format("\\x{:02x}", byte);
        } else {
          line += c;
        }
    }
  }
  return line;
}

std::string Rfc3339(WallTime at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

}  // namespace taskvisor::exporters
