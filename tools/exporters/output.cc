#include "taskvisor/exporters/output.h"

#include <cerrno>

namespace taskvisor::exporters {

void Output::Write(std::string_view text) {
  if (failed()) return;
  if (file_ != nullptr) {
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) Fail(errno);
  } else if (!stream_->write(text.data(), static_cast<std::streamsize>(text.size())).good()) {
    Fail(EIO);
  }
}

void Output::Flush() {
  if (failed()) return;
  if (file_ != nullptr) {
    if (std::fflush(file_) != 0) Fail(errno);
  } else if (!stream_->flush().good()) {
    Fail(EIO);
  }
}

void Output::Fail(int error) { error_.store(error != 0 ? error : EIO, std::memory_order_relaxed); }

}  // namespace taskvisor::exporters
