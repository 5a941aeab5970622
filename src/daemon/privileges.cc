#include "daemon/privileges.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

namespace sidegate::daemon {
namespace {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};

Result<User> find_user(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> space(16 * 1024);
  int error = getpwnam_r(name.c_str(), &entry, space.data(), space.size(), &found);
  if (error != 0) return std::unexpected(errno_error(error, "looking up the user " + name));
  if (!found) {
    return fail(ErrorKind::kNotFound, fmt::format("user = \"{0}\": there is no such user on this system. Make it with "
                                                  "`useradd --system --no-create-home {0}`, or name another",
                                                  name));
  }
  return User{found->pw_uid, found->pw_gid};
}

std::optional<gid_t> drop_group() {
  group entry{};
  group* found = nullptr;
  std::vector<char> space(16 * 1024);
  if (getgrnam_r(kDropGroup, &entry, space.data(), space.size(), &found) != 0 || !found) return std::nullopt;
  return found->gr_gid;
}

// The groups of the user's entry, and the one by which dropped files are read.
bool take_groups(const std::string& user, gid_t gid) {
  if (initgroups(user.c_str(), gid) != 0) return false;
  const std::optional<gid_t> drop = drop_group();
  if (!drop) return true;
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, getgroups(0, nullptr))));
  if (getgroups(static_cast<int>(groups.size()), groups.data()) < 0) return false;
  if (std::ranges::find(groups, *drop) != groups.end()) return true;
  groups.push_back(*drop);
  return setgroups(groups.size(), groups.data()) == 0;
}

// mkdir -p: parents as the usual umask gives them.
Status make_folders(const std::string& folder, unsigned mode) {
  for (std::size_t at = 1; at < folder.size(); ++at) {
    if (folder[at] != '/') continue;
    if (mkdir(folder.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) {
      return std::unexpected(errno_error(errno, "making " + folder.substr(0, at)));
    }
  }
  if (mkdir(folder.c_str(), mode) != 0 && errno != EEXIST)
    return std::unexpected(errno_error(errno, "making " + folder));
  return {};
}

// As the packaging made it: then a root without capabilities, which may not even open it, has nothing to do.
bool drop_folder_is_right(const std::string& folder, const std::string& user) {
  struct stat st{};
  if (geteuid() != 0 || lstat(folder.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return false;
  Result<User> who = user == "root" || user.empty() ? Result<User>(User{}) : find_user(user);
  if (!who) return false;
  return st.st_uid == who->uid && st.st_gid == drop_group().value_or(who->gid) && (st.st_mode & 07777) == 01730;
}

}  // namespace

std::size_t harden_process() {
  prctl(PR_SET_DUMPABLE, 0);
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

Status prepare_folder(const std::string& folder, unsigned mode, const std::string& user) {
  if (Status made = make_folders(folder, mode); !made) return made;
  if (geteuid() != 0 || user == "root" || user.empty()) return {};
  Result<User> who = find_user(user);
  if (!who) return std::unexpected(who.error());
  struct stat st{};
  const bool theirs = stat(folder.c_str(), &st) == 0 && st.st_uid == who->uid;
  if (!theirs && chown(folder.c_str(), who->uid, who->gid) != 0) {
    return std::unexpected(errno_error(errno, fmt::format("giving {} to {}", folder, user)));
  }
  return {};
}

Status prepare_drop_folder(const std::string& folder, const std::string& user) {
  if (folder.empty()) return {};
  const bool root = geteuid() == 0;
  const std::string parent = folder.substr(0, folder.rfind('/'));
  if (Status made = make_folders(parent.empty() ? "/" : parent, 0755); !made) return made;
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(errno_error(errno, "making " + folder));
  if (drop_folder_is_right(folder, user)) return {};
  // Through one descriptor, and no link: what is changed is what was looked at.
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return std::unexpected(errno_error(errno, folder));
  Status done;
  if (root) {
    Result<User> who = user == "root" || user.empty() ? Result<User>(User{}) : find_user(user);
    const std::optional<gid_t> group = drop_group();
    if (!who) {
      done = std::unexpected(who.error());
    } else if (fchown(fd, who->uid, group.value_or(who->gid)) != 0) {
      done = std::unexpected(errno_error(errno, "giving away " + folder));
    }
  }
  if (done && fchmod(fd, 01730) != 0) done = std::unexpected(errno_error(errno, "the mode of " + folder));
  close(fd);
  return done;
}

Status become_user(const std::string& user) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (geteuid() != 0 || user == "root" || user.empty()) return {};
  Result<User> who = find_user(user);
  if (!who) return std::unexpected(who.error());
  if (!take_groups(user, who->gid) || setresgid(who->gid, who->gid, who->gid) != 0 ||
      setresuid(who->uid, who->uid, who->uid) != 0) {
    return std::unexpected(errno_error(errno, "becoming the user " + user));
  }
  if (setuid(0) == 0) return fail(ErrorKind::kInternal, "root could be taken back after becoming " + user);
  prctl(PR_SET_DUMPABLE, 0);  // set again: changing the uid resets it
  return {};
}

}  // namespace sidegate::daemon
