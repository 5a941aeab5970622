#include "intake/system_sources.h"

#include <pwd.h>
#include <unistd.h>

#include "base/i18n.h"

namespace sidegate::intake {

constexpr std::size_t kMostForward = 64 << 10;

Result<std::optional<alias::User>> find_system_user(const std::string& name) {
  std::vector<char> buffer(1024);
  for (;;) {
    passwd entry{};
    passwd* found = nullptr;
    int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < (1 << 20)) {
      buffer.resize(buffer.size() * 4);
      continue;
    }
    if (error == EINTR) continue;
    if (found != nullptr) return alias::User{entry.pw_name, entry.pw_uid, entry.pw_dir != nullptr ? entry.pw_dir : ""};
    // getpwnam(3): these, too, only say that there is no such user.
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) return std::nullopt;
    return std::unexpected(errno_error(error, "getpwnam_r"));
  }
}

namespace {

Result<std::optional<std::string>> read_forward_at(const alias::User& user, const std::string& path) {
  auto read = read_trusted_file(path, false, {user.uid}, kMostForward);
  if (read) return std::move(read->text);
  if (read.error().kind == ErrorKind::kNotFound) return std::nullopt;
  if (read.error().kind == ErrorKind::kRefused)
    return fail(ErrorKind::kRefused, tr("{} cannot be read by you: ask as root", path));
  return std::unexpected(read.error());
}

}  // namespace

Result<std::optional<std::string>> read_forward_file(const alias::User& user, const std::string& tag) {
  if (!user.home.starts_with('/')) return std::nullopt;
  if (!tag.empty() && tag.find('/') == std::string::npos) {
    auto tagged = read_forward_at(user, user.home + "/.forward+" + tag);
    if (!tagged || *tagged) return tagged;
  }
  return read_forward_at(user, user.home + "/.forward");
}

Result<std::optional<alias::User>> SystemSources::find_user(const std::string& name) {
  return find_user_ ? find_user_(name) : find_system_user(name);
}

Result<std::optional<std::string>> SystemSources::read_forward(const alias::User& user, const std::string& tag) {
  if (!read_forward_) return std::nullopt;
  return read_forward_(user, tag);
}

Result<std::string> SystemSources::read_include(const std::string& path, unsigned owner) {
  std::lock_guard lock(mutex_);  // held over the read: small files, and each is read once
  FileStamp stamp = FileStamp::of(path);
  auto known = included_.find(path);
  if (known != included_.end() && stamp.there && known->second.stamp == stamp) return known->second.text;
  auto read = read_trusted_file(path, false, {0, service_, owner});
  if (read) {
    if (included_.size() >= kMostIncluded) included_.clear();
    Included& now = included_[path] = {read->stamp, std::move(read->text), {}};
    return now.text;
  }
  // The running server sees no folder that was not named when it started (daemon/landlock.h).
  if (!read && read.error().kind == ErrorKind::kRefused)
    read = fail(ErrorKind::kRefused,
                tr("{} cannot be read by the server; if its folder is new to it: systemctl restart sidegate", path));
  if (known == included_.end()) return std::unexpected(read.error());
  Included& before = known->second;
  if (before.told != read.error().text) {
    before.told = read.error().text;
    log_.warning("alias_problem", {{"file", path},
                                   {"line", 0},
                                   {"reason", before.told},
                                   {"next", "mend it"},
                                   {"in_force", "the version before"}});
  }
  return before.text;
}

}  // namespace sidegate::intake
