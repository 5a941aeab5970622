#include "helper/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "helper/safe_path.h"

namespace sidegate::helper {
namespace {

Answer read_one(int home, const std::string& name, const Person& person) {
  std::string shown = person.home + "/" + name;
  Descriptor fd(openat(home, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR) return answer(Cause::kNotFound, shown);
    if (errno == ELOOP) return answer(Cause::kNotAllowed, shown + " is a symbolic link");
    return system_trouble("opening " + shown);
  }
  struct stat st{};
  if (fstat(fd.get(), &st) != 0) return system_trouble("reading " + shown);
  const char* why = !S_ISREG(st.st_mode)                           ? "is not a regular file"
                    : st.st_nlink != 1                             ? "has more than one hard link"
                    : st.st_uid != person.uid && st.st_uid != 0    ? "belongs to another user"
                    : (st.st_mode & (S_IWGRP | S_IWOTH)) != 0      ? "can be written to by others"
                    : st.st_size > static_cast<off_t>(kMaxForward) ? "is too large"
                                                                   : nullptr;
  if (why) return answer(Cause::kNotAllowed, fmt::format("{} {}", shown, why));
  std::string text(kMaxForward + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    ssize_t n = read(fd.get(), text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_trouble("reading " + shown);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  if (have > kMaxForward) return answer(Cause::kNotAllowed, shown + " is too large");
  text.resize(have);
  return answer(Cause::kDone, std::move(text));
}

}  // namespace

Answer read_forward(const Request& request, const Person& person) {
  Place home{.below_home = true, .parts = {".forward"}, .folder = false};
  auto folder = open_folder(home, person, false, false);
  if (!folder) {
    // No home folder, no ~/.forward: so it is for most system users.
    bool absent = folder.error().cause == Cause::kSystem &&
                  (folder.error().code == ENOENT || folder.error().code == ENOTDIR || folder.error().code == EACCES);
    return absent ? answer(Cause::kNotFound, person.home) : folder.error();
  }
  struct stat st{};
  if (fstat(folder->get(), &st) != 0) return system_trouble("reading " + person.home);
  if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
    return answer(Cause::kNotAllowed, person.home + " can be written to by everybody");
  if (!request.place.empty()) {
    Answer own = read_one(folder->get(), ".forward+" + request.place, person);
    if (own.cause != Cause::kNotFound) return own;
  }
  return read_one(folder->get(), ".forward", person);
}

}  // namespace sidegate::helper
