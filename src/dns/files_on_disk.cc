#include "dns/files_on_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace sidegate::dns {

namespace {
constexpr std::size_t kFileLimit = 16 << 20;
}

std::string read_file(const std::string& path) {
  std::string text;
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[16 * 1024];
  while (text.size() < kFileLimit) {
    ssize_t size = ::read(fd, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  ::close(fd);
  return text;
}

FileStamp stamp_of(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino, static_cast<std::uint64_t>(status.st_size)};
}

std::shared_ptr<const std::string> FileInMemory::text(SteadyTime now) {
  std::lock_guard lock(mutex_);
  if (text_ && now < looked_ + kFresh) return text_;
  looked_ = now;
  const FileStamp stamp = stamp_of(path_);  // before reading: what is written meanwhile is seen the next time
  if (text_ && stamp == stamp_) return text_;
  text_ = std::make_shared<const std::string>(read_file(path_));
  stamp_ = stamp;
  return text_;
}

}  // namespace sidegate::dns
