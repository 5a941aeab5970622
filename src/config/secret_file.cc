#include "config/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::config {
namespace {

constexpr std::size_t kMaxSecret = 64 * 1024;

class File {
 public:
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

FileError cannot_open(const std::string& path, int error) {
  const std::string what = tr("{} cannot be read: {}", path, std::strerror(error));
  if (error == ENOENT)
    return {what, tr("create it, or correct the path: install -m 600 /dev/null {}", shell_quoted(path))};
  if (error == EACCES)
    return {what, _("start as root or as the file's owner, or give the service's group the right to read it (0640)")};
  return {what, {}};
}

std::expected<std::string, FileError> read_all(int fd, const std::string& path, std::size_t limit) {
  std::string text;
  char buffer[4096];
  for (;;) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(cannot_open(path, errno));
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > limit) return std::unexpected(FileError{tr("{} is larger than {} octets", path, limit), {}});
  }
}

// Who may read it: nobody but its owner, or the service's group.
std::optional<FileError> too_open(const struct stat& st, const std::string& path, unsigned service_group) {
  const unsigned mode = st.st_mode & 07777;
  if (mode & 07) {
    return FileError{tr("{} can be read or changed by every user of this machine (mode {:04o})", path, mode),
                     tr("type: chmod 600 {}", shell_quoted(path))};
  }
  const bool own_group = st.st_gid == 0 || st.st_gid == service_group || st.st_gid == getegid();
  if ((mode & 070) && !own_group) {
    return FileError{tr("{} can be read by group {} (mode {:04o}), which is not the service's", path, st.st_gid, mode),
                     tr("type: chmod 600 {}", shell_quoted(path))};
  }
  if (mode & 030) {
    return FileError{tr("{} can be changed by its group (mode {:04o})", path, mode),
                     tr("type: chmod 640 {}", shell_quoted(path))};
  }
  return std::nullopt;
}

}  // namespace

bool is_container_secret(std::string_view path) {
  return path.starts_with("/run/secrets/") || path.starts_with("/var/run/secrets/");
}

std::string_view credential_name(std::string_view text) {
  constexpr std::string_view kPrefix = "credential:";
  if (!text.starts_with(kPrefix)) return {};
  std::string_view name = text.substr(kPrefix.size());
  // As systemd has it: a file's name.
  return name.starts_with('.') || name.find('/') != std::string_view::npos ? std::string_view() : name;
}

std::string secret_place(const std::string& text) {
  const std::string_view name = credential_name(text);
  if (name.empty()) return text;
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return fmt::format("{}/{}", folder && *folder == '/' ? folder : "/run/credentials/sidegate.service", name);
}

std::string shell_quoted(const std::string& path) {
  bool plain = !path.empty() && std::ranges::all_of(path, [](char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("/._-+@:").find(c) != std::string_view::npos;
  });
  if (plain) return path;
  std::string out = "'";
  for (char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::expected<std::string, FileError> read_text_file(const std::string& path, std::size_t limit) {
  File file(path);
  if (file.fd() < 0)
    return std::unexpected(FileError{tr("{} cannot be read: {}", path, std::strerror(errno)), {}, errno == ENOENT});
  return read_all(file.fd(), path, limit);
}

std::expected<std::string, FileError> read_key_file(const std::string& path, bool readable_by_all) {
  File file(path);
  if (file.fd() < 0) return std::unexpected(cannot_open(path, errno));
  struct stat st{};
  if (fstat(file.fd(), &st) != 0) return std::unexpected(cannot_open(path, errno));
  if (!S_ISREG(st.st_mode)) return std::unexpected(FileError{tr("{} is not a file", path), {}});
  const unsigned mode = st.st_mode & 07777;
  if (!readable_by_all && (mode & 037) != 0) {
    return std::unexpected(
        FileError{mode & 07 ? tr("{} can be read or changed by every user of this machine (mode {:04o})", path, mode)
                            : tr("{} can be changed by its group (mode {:04o})", path, mode),
                  tr("type: chmod 600 {}", shell_quoted(path))});
  }
  return read_all(file.fd(), path, kMaxSecret);
}

std::expected<std::string, FileError> read_secret_file(const std::string& path, unsigned service_group,
                                                       bool readable_by_all) {
  File file(path);
  if (file.fd() < 0) return std::unexpected(cannot_open(path, errno));
  struct stat st{};
  if (fstat(file.fd(), &st) != 0) return std::unexpected(cannot_open(path, errno));
  if (!S_ISREG(st.st_mode)) return std::unexpected(FileError{tr("{} is not a file", path), {}});
  if (!readable_by_all) {
    if (auto open = too_open(st, path, service_group)) return std::unexpected(std::move(*open));
  }
  auto text = read_all(file.fd(), path, kMaxSecret);
  if (!text) return text;
  if (text->starts_with("\xef\xbb\xbf")) text->erase(0, 3);  // a byte order mark that an editor left
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty())
    return std::unexpected(FileError{tr("{} is empty", path), _("put the password into it, on one line")});
  if (text->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return std::unexpected(FileError{tr("{} holds more than one line", path), _("put the password alone into it")});
  }
  return text;
}

}  // namespace sidegate::config
