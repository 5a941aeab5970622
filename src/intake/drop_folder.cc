#include "intake/drop_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sidegate::intake {
namespace {

constexpr const char* kBad = "bad";
constexpr unsigned kMostCrashes = 9;
constexpr time_t kUnfinished = 3600;  // seconds; sidegate-drop waits ten minutes for its input

}  // namespace

DropFolder::~DropFolder() {
  if (folder_ >= 0) ::close(folder_);
}

Status DropFolder::open() {
  if (folder_ >= 0) {
    struct stat is{};
    if (::fstat(folder_, &is) == 0 && is.st_nlink > 0) return {};
    ::close(folder_);  // it was removed, and perhaps made anew
  }
  folder_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder_ < 0) return std::unexpected(errno_error(errno, path_));
  return {};
}

Result<std::vector<std::string>> DropFolder::list() {
  const int fd = ::openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* folder = fd >= 0 ? ::fdopendir(fd) : nullptr;
  if (folder == nullptr) {
    if (fd >= 0) ::close(fd);
    return std::unexpected(errno_error(errno, path_));
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || name == kBad) continue;
    if (!is_unfinished_drop(name)) {
      names.emplace_back(name);
      continue;
    }
    struct stat is{};
    if (::fstatat(folder_, entry->d_name, &is, AT_SYMLINK_NOFOLLOW) == 0 && is.st_mtime + kUnfinished < ::time(nullptr))
      ::unlinkat(folder_, entry->d_name, 0);
  }
  ::closedir(folder);
  std::ranges::sort(names);
  return names;
}

Result<DropFile> DropFolder::take(const std::string& name) {
  auto parsed = parse_drop_name(name);
  if (!parsed) return bad("its name is none of ours");
  DropFile file;
  file.parsed = *parsed;
  if (parsed->in_hand >= kMostCrashes) return bad("the server crashed nine times with it in hand");
  const std::string in_hand = parsed->base + "." + std::to_string(parsed->in_hand + 1);
  // No rename ever replaces a file: two of one base are a trick.
  if (::renameat2(folder_, name.c_str(), folder_, in_hand.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == ENOENT) return fail(ErrorKind::kNotFound, name);
    return bad(errno_error(errno, "it cannot be renamed").text);
  }
  file.name = in_hand;
  auto checked = check(std::move(file));
  if (checked) return checked;
  // Under its old name again, so that the caller can name it.
  ::renameat2(folder_, in_hand.c_str(), folder_, name.c_str(), RENAME_NOREPLACE);
  return checked;
}

Result<DropFile> DropFolder::check(DropFile file) {
  // Not blocking: a FIFO must not hold us up.
  file.fd = ::openat(folder_, file.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file.fd < 0)
    return bad(errno == ELOOP ? "it is a symbolic link" : errno_error(errno, "it cannot be opened").text);
  struct stat is{};
  std::string why;
  if (::fstat(file.fd, &is) != 0 || !S_ISREG(is.st_mode)) {
    why = "it is no regular file";
  } else if (is.st_nlink != 1) {
    why = "it has more than one link";
  } else if (is.st_mode & (S_IWGRP | S_IRWXO | S_ISUID | S_ISGID)) {
    why = "its mode is not 0640";
  } else if (auto start = read(file, 0, kMaxDropEnvelope); !start) {
    why = start.error().text;
  } else if (auto heading = parse_drop(*start); !heading) {
    why = heading.error().text;
  } else if (heading->uid != is.st_uid) {
    why = fmt::format("it says uid {}, and belongs to {}", heading->uid, is.st_uid);
  } else if (heading->message_at + heading->message_size != static_cast<std::uint64_t>(is.st_size)) {
    why = "it is cut short, or longer than it says";
  } else {
    file.heading = std::move(*heading);
    return file;
  }
  close(file);
  return bad(std::move(why));
}

Result<std::string> DropFolder::read(const DropFile& file, std::uint64_t at, std::size_t most) {
  std::string bytes(most, '\0');
  std::size_t have = 0;
  while (have < most) {
    const ssize_t n = ::pread(file.fd, bytes.data() + have, most - have, static_cast<off_t>(at + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, "reading a dropped message"));
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

void DropFolder::close(DropFile& file) {
  if (file.fd >= 0) ::close(std::exchange(file.fd, -1));
}

Status DropFolder::remove(DropFile& file) {
  close(file);
  if (::unlinkat(folder_, file.name.c_str(), 0) != 0 && errno != ENOENT)
    return std::unexpected(errno_error(errno, "removing " + file.name));
  return {};
}

void DropFolder::put_back(DropFile& file) {
  close(file);
  ::renameat2(folder_, file.name.c_str(), folder_, file.parsed.base.c_str(), RENAME_NOREPLACE);
}

Status DropFolder::set_aside(DropFile& file) {
  close(file);
  return set_aside(file.name);
}

Status DropFolder::set_aside(const std::string& name) {
  if (::mkdirat(folder_, kBad, 0700) != 0 && errno != EEXIST)
    return std::unexpected(errno_error(errno, path_ + "/" + kBad));
  const int to = ::openat(folder_, kBad, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (to < 0) return std::unexpected(errno_error(errno, path_ + "/" + kBad));
  int moved = ::renameat2(folder_, name.c_str(), to, name.c_str(), RENAME_NOREPLACE);
  for (int n = 1; moved != 0 && errno == EEXIST && n < 1000; ++n)
    moved = ::renameat2(folder_, name.c_str(), to, (name + "~" + std::to_string(n)).c_str(), RENAME_NOREPLACE);
  const int error = errno;
  ::close(to);
  // A sandboxed server may make no symbolic link, which moving one is to Landlock; there is nothing in it to keep.
  struct stat is{};
  const bool link = ::fstatat(folder_, name.c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(is.st_mode);
  if (moved != 0 && link && ::unlinkat(folder_, name.c_str(), 0) == 0) return {};
  if (moved != 0 && error != ENOENT) return std::unexpected(errno_error(error, "setting aside " + name));
  return {};
}

}  // namespace sidegate::intake
