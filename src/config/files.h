// The files that a configuration names, and the configuration's own: read from disk and remembered while it is loaded,
// so that a process that may not open them (the server: not root, and blind to most of the disk) loads the same
// configuration from what its parent read.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/secret_file.h"

namespace sidegate::config {

class Files {
 public:
  std::expected<std::string, FileError> text(const std::string& path, std::size_t limit);
  std::expected<std::string, FileError> secret(const std::string& path, unsigned service_group, bool readable_by_all);
  // A private key: several lines, no octet cut off.
  std::expected<std::string, FileError> key(const std::string& path, bool readable_by_all);

  // A file that may come: where it is not there now, changed() says so when it is.
  void expect(const std::string& path);

  // For who watches them: whether a file is no longer what was read here (another inode, size or time, or gone); and
  // the same files to be read again, all but `kept`, which stays what it was: a renewed certificate brings no
  // half-edited configuration into force.
  bool changed() const;
  Files again(const std::string& kept) const;

  // All that was read, with its names; holds passwords.
  std::string packed() const;
  // Files that are read from `packed` alone. kProtocol: it is not what packed() makes.
  static Result<Files> unpacked(std::string_view packed);

 private:
  struct Stamp {  // of a file on disk
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  static std::optional<Stamp> stamp_of(const std::string& path);
  struct Read {
    std::string content;
    std::optional<Stamp> stamp;  // none: not watched
    bool pinned = false;         // not read from disk again
  };
  template <typename Fn>
  std::expected<std::string, FileError> remember(const std::string& path, Fn read);

  std::map<std::string, Read> read_;
  std::vector<std::string> expected_;  // not there yet
  bool from_memory_ = false;
};

}  // namespace sidegate::config
