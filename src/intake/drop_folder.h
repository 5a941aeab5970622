// The drop directory on disk, from the server's side (doc/drop.md). Everything here blocks: worker pool only. Whoever
// owns a file may change it at any moment: it is looked at through one descriptor, and only once it is known for what
// it is.
#pragma once

#include <string>
#include <vector>

#include "intake/drop_file.h"

namespace sidegate::intake {

struct DropFile {
  std::string name;  // as it is called while it is in hand
  DropName parsed;
  int fd = -1;
  DropHeading heading;
};

class DropFolder {
 public:
  explicit DropFolder(std::string path) : path_(std::move(path)) {}
  ~DropFolder();
  DropFolder(const DropFolder&) = delete;

  // Makes sure of the directory itself.
  Status open();
  // Names in order of arrival, what is no dropped message included. What was not finished an hour ago is removed.
  Result<std::vector<std::string>> list();
  // Renamed, so that a crash shows. kNotFound: it is gone; kBadInput: set it aside, the text says why.
  Result<DropFile> take(const std::string& name);
  // Octets of its message from `at` on, at most `most`; fewer than asked for: it was cut short meanwhile.
  static Result<std::string> read(const DropFile& file, std::uint64_t at, std::size_t most);

  Status remove(DropFile& file);
  void put_back(DropFile& file);              // for a later time
  Status set_aside(const std::string& name);  // to bad/
  Status set_aside(DropFile& file);

 private:
  Result<DropFile> check(DropFile file);
  static void close(DropFile& file);

  std::string path_;
  int folder_ = -1;
};

}  // namespace sidegate::intake
