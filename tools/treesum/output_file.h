#ifndef TASKVISOR_TOOLS_TREESUM_OUTPUT_FILE_H_
#define TASKVISOR_TOOLS_TREESUM_OUTPUT_FILE_H_

#include <cstdio>
#include <set>
#include <string>
#include <string_view>

#include "tools/treesum/walker.h"

namespace taskvisor::treesum {

// OutputFile
//
// Something this run writes: a file of its own, or stdout or stderr. The first error is
// told on stderr and remembered; what follows is dropped.
class OutputFile {
 public:
  OutputFile() = default;  // nowhere
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Truncates.
  void Create(const std::string& path);
  // Borrows a standard stream.
  void Use(std::FILE* stream, std::string name);

  void Write(std::string_view text);
  // Writes out what is buffered; a file of its own is closed. Once. `error`: the errno of a write
  // by somebody else that has failed; 0: not known, or none has.
  void Close(int error = 0);

  [[nodiscard]] std::FILE* get() const { return file_; }
  [[nodiscard]] bool failed() const { return failed_; }
  // Adds its identity, if it is a regular file.
  void AddKey(std::set<FileKey>& keys) const;

 private:
  void Failed();

  std::FILE* file_ = nullptr;
  std::string name_;
  bool borrowed_ = false;
  bool failed_ = false;
};

// Makes sure that no file opened later takes the place of a standard stream that the caller
// has closed; writing to that stream fails then as it should.
void ReserveStandardStreams();

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_OUTPUT_FILE_H_
