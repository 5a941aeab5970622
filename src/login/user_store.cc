#include "login/user_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/text.h"
#include "login/password.h"
#include "login/user_file.h"

namespace sidegate::login {
namespace {

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::unexpected(errno_error(errno, "writing"));
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> read_all(int folder, const std::string& name, const std::string& path) {
  Descriptor file{openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.fd < 0) {
    if (errno == ENOENT) return std::string();
    if (errno == ELOOP) return fail(ErrorKind::kRefused, path + " is a symbolic link; name the file itself");
    return std::unexpected(errno_error(errno, path));
  }
  struct stat s{};
  if (fstat(file.fd, &s) != 0 || !S_ISREG(s.st_mode)) return fail(ErrorKind::kRefused, path + " is no file");
  std::string text;
  char some[64 * 1024];
  for (;;) {
    ssize_t n = read(file.fd, some, sizeof some);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, path));
    if (n == 0) return text;
    text.append(some, static_cast<std::size_t>(n));
    if (text.size() > kMaxUserFile) return fail(ErrorKind::kTooLarge, path + " is too large");
  }
}

}  // namespace

Result<UserStore> UserStore::open(const std::string& path, const std::string& service, bool to_write) {
  UserStore store;
  store.path_ = path;
  const std::size_t slash = path.rfind('/');
  store.name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (store.name_.empty()) return fail(ErrorKind::kBadInput, "no users file is named");
  // Root's usual place need not be there yet; no more than its last folder is made.
  if (to_write) ::mkdir(folder.c_str(), 0755);
  store.folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (store.folder_ < 0 && errno == ENOENT && !to_write) return store;
  if (store.folder_ < 0) return std::unexpected(errno_error(errno, folder));
  if (to_write && flock(store.folder_, LOCK_EX) != 0) return std::unexpected(errno_error(errno, folder));
  if (const passwd* entry = service.empty() ? nullptr : getpwnam(service.c_str())) store.group_ = entry->pw_gid;
  auto text = read_all(store.folder_, store.name_, path);
  if (!text) return std::unexpected(text.error());
  store.text_ = std::move(*text);
  return store;
}

UserStore::UserStore(UserStore&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)),
      path_(std::move(other.path_)),
      name_(std::move(other.name_)),
      text_(std::move(other.text_)),
      group_(other.group_) {}

UserStore::~UserStore() {
  if (folder_ >= 0) close(folder_);
}

Status UserStore::write(const std::string& text) {
  const std::string temporary = fmt::format(".{}.{}", name_.substr(0, 200), hex(random_octets(8)));
  Descriptor file{openat(folder_, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (file.fd < 0) return std::unexpected(errno_error(errno, path_));
  auto undone = [&](Error error) {
    unlinkat(folder_, temporary.c_str(), 0);
    return std::unexpected(std::move(error));
  };
  if (Status written = write_all(file.fd, text); !written) return undone(written.error());
  // Only root may give a file to a group that it is not in; without root the service is we.
  if (group_ != ~0u && fchown(file.fd, static_cast<uid_t>(-1), group_) != 0 && geteuid() == 0)
    return undone(errno_error(errno, path_));
  if (fchmod(file.fd, 0640) != 0) return undone(errno_error(errno, path_));
  if (fsync(file.fd) != 0) return undone(errno_error(errno, path_));
  if (renameat(folder_, temporary.c_str(), folder_, name_.c_str()) != 0) return undone(errno_error(errno, path_));
  if (fsync(folder_) != 0) return std::unexpected(errno_error(errno, path_));
  text_ = text;
  return {};
}

std::string_view hash_name(std::string_view hash) {
  struct Row {
    std::string_view start, name;
  };
  static constexpr Row kRows[] = {{"$y$", "yescrypt"},     {"$gy$", "gost-yescrypt"},  {"$7$", "scrypt"},
                                  {"$2", "bcrypt"},        {"$6$", "sha512crypt"},     {"$5$", "sha256crypt"},
                                  {"$1$", "md5crypt"},     {"$argon2id$", "argon2id"}, {"$argon2i$", "argon2i"},
                                  {"$argon2d$", "argon2d"}};
  for (const Row& row : kRows) {
    if (hash.starts_with(row.start)) return row.name;
  }
  return "";
}

}  // namespace sidegate::login
