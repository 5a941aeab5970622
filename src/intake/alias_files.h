// The alias and virtual files as they are on disk now: read at start, looked at again and again, and read anew when
// they have changed. A file that turns bad while we run changes nothing: what it said before stays in force, and the
// log says so once. One that is bad from the beginning defers what it may have been about (promise 4).
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "alias/settings.h"
#include "alias/tables.h"
#include "base/log.h"
#include "base/result.h"

namespace sidegate::intake {

struct AliasSnapshot {
  alias::Settings settings;
  alias::Tables tables;
};

// What tells one version of a file from the next.
struct FileStamp {
  bool there = false;
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  timespec modified{}, changed{};
  static FileStamp of(const std::string& path);
  static FileStamp of(const struct stat& info);
  bool operator==(const FileStamp& other) const;
};

class AliasFiles {  // thread-safe
 public:
  explicit AliasFiles(Log& log) : log_(log) {}
  AliasFiles(const AliasFiles&) = delete;

  // Reads everything before it returns.
  void set_settings(alias::Settings settings);
  // Never waits for a disk.
  std::shared_ptr<const AliasSnapshot> current() const;
  // Blocks for a stat a file, and for reading where one has changed: on the worker pool.
  void look();
  // Since when what was told about a file may be told again: grows with each change.
  unsigned version() const;

 private:
  struct Known {
    FileStamp stamp;
    std::shared_ptr<const alias::MapFile> file;  // what is in force
    bool good = false;                           // it holds no error
    std::string told;                            // why it could not be read the last time
  };
  bool look_at(const std::string& path, bool is_virtual);
  void read(Known& known, const std::string& path, bool is_virtual);
  void tell(const alias::MapFile& file, bool kept_old) const;
  void publish();

  Log& log_;
  std::mutex reading_;  // over settings_ and known_: one reader at a time
  alias::Settings settings_;
  std::unordered_map<std::string, Known> known_;  // by "a:" or "v:" and path
  mutable std::mutex mutex_;                      // over what current() gives, held for a copy
  std::shared_ptr<const AliasSnapshot> current_ = std::make_shared<AliasSnapshot>();
  unsigned version_ = 0;
};

// What a process that reads these files must be able to open: their folders, for a file is replaced rather than
// rewritten, and those of the :include: files they name now.
std::vector<std::string> folders_of(const alias::Settings& settings);

// The text of a file that mail is decided by: regular, not writable by others. follow: the last part of the path may be
// a link. owners: nobody else may own it; empty: anyone may.
struct TrustedFile {
  std::string text;
  unsigned owner = 0;
  FileStamp stamp;
};
Result<TrustedFile> read_trusted_file(const std::string& path, bool follow, const std::vector<unsigned>& owners,
                                      std::size_t most = 16 << 20);

}  // namespace sidegate::intake
