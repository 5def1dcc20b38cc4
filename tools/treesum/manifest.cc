#include "tools/treesum/manifest.h"

#include <fmt/format.h>

#include <cstdint>

#include "tools/exporters/text.h"

namespace taskvisor::treesum {
namespace {

// UTF-8, without the control characters U+0080 to U+009F, which some terminals obey.
bool IsPlainUtf8(std::string_view text) {
  if (!exporters::IsUtf8(text)) return false;
  for (size_t i = text.find('\xC2'); i != std::string_view::npos; i = text.find('\xC2', i + 1)) {
    if (static_cast<uint8_t>(text[i + 1]) < 0xA0) return false;
  }
  return true;
}

}  // namespace

std::string ManifestLine(const Digest& digest, std::string_view path) {
  std::string line;
  const bool escape = path.find_first_of("\\\n\r") != std::string_view::npos;
  if (escape) line += '\\';
  line += ToHex(digest);
  line += "  ";
  for (const char c : path) {
    switch (c) {
      case '\\':
        line += "\\\\";
        break;
      case '\n':
        line += "\\n";
        break;
      case '\r':
        line += "\\r";
        break;
      default:
        line += c;
    }
  }
  line += '\n';
  return line;
}

std::string Quoted(std::string_view path) {
  const bool plain = IsPlainUtf8(path);
  std::string quoted = "'";
  for (const char c : path) {
    const auto byte = static_cast<uint8_t>(c);
    const bool control = byte < 0x20 || byte == 0x7F;
    if (control || (byte >= 0x80 && !plain)) {
      quoted += fmt::format("\\{:03o}", byte);
    } else if (c == '\'' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else {
      quoted += c;
    }
  }
  return quoted += '\'';
}

}  // namespace taskvisor::treesum
