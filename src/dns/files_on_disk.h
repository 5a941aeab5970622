// Reading the system's files, whole, and noticing that one has changed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace sidegate::dns {

// Empty where it cannot be read: a missing hosts file is no trouble. At most 16 MiB.
std::string read_file(const std::string& path);

struct FileStamp {
  std::int64_t seconds = 0, nanoseconds = 0;
  std::uint64_t inode = 0, size = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::string& path);  // all zero where there is no file

}  // namespace sidegate::dns
