#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/i18n.h"
#include "intake/alias_files.h"

namespace sidegate::intake {
namespace {

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

Status judge(const struct stat& info, const std::string& path, const std::vector<unsigned>& owners, std::size_t most) {
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::kBadInput, tr("{} is no regular file", path));
  if ((info.st_mode & S_IWOTH) != 0)
    return fail(ErrorKind::kBadInput, tr("{} may be written by everyone: chmod o-w {}", path, path));
  if (!owners.empty() && std::ranges::find(owners, info.st_uid) == owners.end())
    return fail(ErrorKind::kBadInput, tr("{} belongs to user number {}, who may not decide here: chown root {}", path,
                                         static_cast<unsigned>(info.st_uid), path));
  if (static_cast<std::size_t>(info.st_size) > most)
    return fail(ErrorKind::kTooLarge, tr("{} is larger than {} octets", path, most));
  return {};
}

}  // namespace

FileStamp FileStamp::of(const struct stat& info) {
  return {true, info.st_dev, info.st_ino, info.st_size, info.st_mtim, info.st_ctim};
}

FileStamp FileStamp::of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? of(info) : FileStamp{};
}

bool FileStamp::operator==(const FileStamp& other) const {
  auto same = [](const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; };
  return there == other.there && device == other.device && inode == other.inode && size == other.size &&
         same(modified, other.modified) && same(changed, other.changed);
}

Result<TrustedFile> read_trusted_file(const std::string& path, bool follow, const std::vector<unsigned>& owners,
                                      std::size_t most) {
  // O_NONBLOCK: a pipe or a device in the file's place must not hang us.
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW);
  Descriptor file{::open(path.c_str(), flags)};
  if (file.number < 0) {
    if (errno == ELOOP && !follow)
      return fail(ErrorKind::kBadInput, tr("{} is a link: write the path it leads to", path));
    return std::unexpected(errno_error(errno, path));
  }
  struct stat info{};
  if (::fstat(file.number, &info) != 0) return std::unexpected(errno_error(errno, path));
  if (Status good = judge(info, path, owners, most); !good) return std::unexpected(good.error());
  TrustedFile out;
  out.owner = info.st_uid;
  out.stamp = FileStamp::of(info);
  char buffer[65536];
  for (;;) {
    ssize_t got = ::read(file.number, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno_error(errno, path));
    if (got == 0) return out;
    out.text.append(buffer, static_cast<std::size_t>(got));
    if (out.text.size() > most) return fail(ErrorKind::kTooLarge, tr("{} is larger than {} octets", path, most));
  }
}

}  // namespace sidegate::intake
