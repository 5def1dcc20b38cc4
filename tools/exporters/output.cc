#include "taskvisor/exporters/output.h"

namespace taskvisor::exporters {

void Output::Write(std::string_view text) {
  if (failed()) return;
  if (file_ != nullptr) {
    Check(std::fwrite(text.data(), 1, text.size(), file_) == text.size());
  } else {
    Check(stream_->write(text.data(), static_cast<std::streamsize>(text.size())).good());
  }
}

void Output::Flush() {
  if (failed()) return;
  Check(file_ != nullptr ? std::fflush(file_) == 0 : stream_->flush().good());
}

}  // namespace taskvisor::exporters
