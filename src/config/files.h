// The files that a configuration names, and the configuration's own: read from disk and remembered while it is loaded,
// so that a process that may not open them (the server: not root, and blind to most of the disk) loads the same
// configuration from what its parent read.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/secret_file.h"

namespace sidegate::config {

class Files {
 public:
  std::expected<std::string, FileError> text(const std::string& path, std::size_t limit);
  std::expected<std::string, FileError> secret(const std::string& path, unsigned service_group, bool readable_by_all);

  // All that was read, with its names; holds passwords.
  std::string packed() const;
  // Files that are read from `packed` alone. kProtocol: it is not what packed() makes.
  static Result<Files> unpacked(std::string_view packed);

 private:
  std::map<std::string, std::string> read_;
  bool from_memory_ = false;
};

}  // namespace sidegate::config
