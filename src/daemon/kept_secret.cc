#include "daemon/kept_secret.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/text.h"

namespace sidegate::daemon {
namespace {

constexpr std::size_t kOctets = 32;

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

Result<std::string> read_secret(int fd, const std::string& path) {
  char text[1024];
  ssize_t n = read(fd, text, sizeof text);
  if (n < 0) return std::unexpected(errno_error(errno, "cannot read " + path));
  std::string secret(trim({text, static_cast<std::size_t>(n)}));
  if (secret.size() < kOctets) return fail(ErrorKind::kBadInput, path + " holds no secret; remove it");
  return secret;
}

}  // namespace

// Under its name only when it is whole and on disk: a crash leaves no half secret.
Status keep_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());
  Descriptor out{open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (out.fd < 0) return std::unexpected(errno_error(errno, "cannot make " + fresh));
  bool written = write(out.fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(out.fd) == 0;
  if (!written) return std::unexpected(errno_error(errno, "cannot write " + fresh));
  if (rename(fresh.c_str(), path.c_str()) != 0) return std::unexpected(errno_error(errno, "cannot make " + path));
  Descriptor folder{open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd >= 0) fsync(folder.fd);
  return {};
}

Result<std::string> kept_file(const std::string& path) {
  Descriptor in{open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (in.fd < 0) return std::unexpected(errno_error(errno, "cannot open " + path));
  char text[16384];
  ssize_t n = read(in.fd, text, sizeof text);
  if (n < 0) return std::unexpected(errno_error(errno, "cannot read " + path));
  return std::string(text, static_cast<std::size_t>(n));
}

std::string fresh_secret() {
  std::array<char, kOctets> octets{};
  std::size_t have = 0;
  while (have < octets.size()) {
    ssize_t n = getrandom(octets.data() + have, octets.size() - have, 0);
    if (n > 0) have += static_cast<std::size_t>(n);
  }
  return hex({octets.data(), octets.size()});
}

Result<std::string> kept_secret(const std::string& path) {
  Descriptor in{open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (in.fd >= 0) return read_secret(in.fd, path);
  if (errno != ENOENT) return std::unexpected(errno_error(errno, "cannot open " + path));
  std::string secret = fresh_secret();
  if (auto written = keep_file(path, secret + "\n"); !written) return std::unexpected(written.error());
  return secret;
}

}  // namespace sidegate::daemon
