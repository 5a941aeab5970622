// Reading the system's files, whole, and noticing that one has changed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace sidegate::dns {

// Empty where it cannot be read: a missing hosts file is no trouble. At most 16 MiB.
std::string read_file(const std::string& path);

struct FileStamp {
  std::int64_t seconds = 0, nanoseconds = 0;
  std::uint64_t inode = 0, size = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::string& path);  // all zero where there is no file

// A file that is asked for often: read once, again when it has changed, which is looked at every five seconds.
class FileInMemory {  // thread-safe
 public:
  static constexpr Duration kFresh = std::chrono::seconds(5);
  explicit FileInMemory(std::string path) : path_(std::move(path)) {}
  std::shared_ptr<const std::string> text(SteadyTime now);

 private:
  const std::string path_;
  std::mutex mutex_;
  std::shared_ptr<const std::string> text_;  // null: not read yet
  FileStamp stamp_;
  SteadyTime looked_{};
};

}  // namespace sidegate::dns
