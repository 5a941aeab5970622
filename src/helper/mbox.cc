#include "helper/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <time.h>

#include <fmt/format.h>

#include "helper/safe_path.h"

namespace sidegate::helper {
namespace {

void wait_for(unsigned milliseconds) {
  timespec t{milliseconds / 1000, static_cast<long>(milliseconds % 1000) * 1'000'000};
  nanosleep(&t, nullptr);
}

// FILE.lock beside the mailbox: what programs without fcntl locks, or over NFS, go by.
class DotLock {
 public:
  DotLock(int folder, std::string name) : folder_(folder), name_(std::move(name) + ".lock") {}
  ~DotLock() {
    if (held_) unlinkat(folder_, name_.c_str(), 0);
  }
  DotLock(const DotLock&) = delete;

  // False: errno; EEXIST: another one holds it.
  bool take(const LockRules& rules) {
    for (unsigned waited = 0;; waited += rules.look_milliseconds) {
      Descriptor fd(openat(folder_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
      if (fd) {
        held_ = true;
        std::string pid = fmt::format("{}\n", getpid());  // liblockfile asks whether it lives
        (void)write_all(fd.get(), pid);
        return true;
      }
      if (errno != EEXIST) return false;
      if (is_stale(rules) && unlinkat(folder_, name_.c_str(), 0) == 0) continue;
      if (waited >= rules.wait_milliseconds) {
        errno = EEXIST;
        return false;
      }
      wait_for(rules.look_milliseconds);
    }
  }

 private:
  bool is_stale(const LockRules& rules) const {
    struct stat st{};
    if (fstatat(folder_, name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    return time(nullptr) - st.st_mtime > static_cast<time_t>(rules.stale_seconds);
  }

  int folder_;
  std::string name_;
  bool held_ = false;
};

bool take_fcntl(int fd, const LockRules& rules) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  for (unsigned waited = 0;; waited += rules.look_milliseconds) {
    if (fcntl(fd, F_SETLK, &lock) == 0) return true;
    if ((errno != EAGAIN && errno != EACCES) || waited >= rules.wait_milliseconds) return false;
    wait_for(rules.look_milliseconds);
  }
}

struct Mailbox {
  Descriptor folder, file;
  std::unique_ptr<DotLock> lock;
  std::string name, shown;
};

std::optional<Answer> refuse(const Mailbox& box, const Request& request, const Person& person) {
  struct stat st{}, there{};
  if (fstat(box.file.get(), &st) != 0) return system_trouble("opening " + box.shown);
  if (!S_ISREG(st.st_mode)) return answer(Cause::kNotAllowed, box.shown + " is not a regular file");
  if (st.st_nlink != 1) return answer(Cause::kNotAllowed, fmt::format("{} has {} hard links", box.shown, st.st_nlink));
  if (request.verb == Verb::kMbox && st.st_uid != person.uid)
    return answer(Cause::kNotAllowed, fmt::format("{} does not belong to the recipient", box.shown));
  // The same file is still there under that name: not put aside while we waited for the lock.
  bool same = fstatat(box.folder.get(), box.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
              there.st_dev == st.st_dev && there.st_ino == st.st_ino;
  if (!same) return answer(Cause::kLocked, box.shown + " was replaced just now");
  return std::nullopt;
}

std::expected<Mailbox, Answer> open_mailbox(const Request& request, const Person& person, const LockRules& rules) {
  auto place = parse_place(request.place, person);
  if (!place) return std::unexpected(answer(Cause::kNotAllowed, place.error().text));
  Mailbox box;
  box.shown = place->text(person);
  box.name = place->parts.back();
  auto folder = open_folder(*place, person, false, true);
  if (!folder) return std::unexpected(folder.error());
  box.folder = std::move(*folder);
  box.lock = std::make_unique<DotLock>(box.folder.get(), box.name);
  if (!box.lock->take(rules)) {
    if (errno == EEXIST) return std::unexpected(answer(Cause::kLocked, box.shown + ".lock is held by another program"));
    // Where we may not make files beside it, the fcntl lock has to do.
    if (errno != EACCES && errno != EPERM && errno != EROFS)
      return std::unexpected(system_trouble("locking " + box.shown));
  }
  constexpr int kFlags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  box.file = Descriptor(openat(box.folder.get(), box.name.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  if (!box.file && errno == EEXIST) box.file = Descriptor(openat(box.folder.get(), box.name.c_str(), kFlags));
  if (!box.file) {
    if (errno == ELOOP) return std::unexpected(answer(Cause::kNotAllowed, box.shown + " is a symbolic link"));
    if (errno == ENXIO) return std::unexpected(answer(Cause::kNotAllowed, box.shown + " is not a regular file"));
    return std::unexpected(system_trouble("opening " + box.shown));
  }
  if (!take_fcntl(box.file.get(), rules)) {
    if (errno == EAGAIN || errno == EACCES)
      return std::unexpected(answer(Cause::kLocked, box.shown + " is locked by another program"));
    return std::unexpected(system_trouble("locking " + box.shown));
  }
  if (auto why = refuse(box, request, person)) return std::unexpected(std::move(*why));
  return box;
}

// What was there before must end with an empty line, or the next From_ line would be one more line of it.
std::string separator(int fd, off_t size) {
  if (size == 0) return "";
  char last[2] = {'\n', '\n'};
  off_t from = size >= 2 ? size - 2 : 0;
  ssize_t n = pread(fd, last, static_cast<std::size_t>(size - from), from);
  if (n <= 0) return "";
  char end = last[n - 1];
  if (end != '\n') return "\n\n";
  return n == 2 && last[0] == '\n' ? "" : "\n";
}

}  // namespace

std::optional<Answer> deliver_mbox(const Request& request, const Person& person, int socket, LockRules rules) {
  auto box = open_mailbox(request, person, rules);
  if (!box) return box.error();
  int fd = box->file.get();
  off_t size = lseek(fd, 0, SEEK_END);
  if (size < 0) return system_trouble("writing to " + box->shown);
  auto undo = [&](std::optional<Answer> why) {
    if (ftruncate(fd, size) != 0 && why) why->text += ", and what was written of it could not be taken away";
    (void)fsync(fd);
    return why;
  };
  auto wrong = [&] { return undo(system_trouble("writing to " + box->shown)); };
  if (!write_all(fd, separator(fd, size))) return wrong();
  Content content(socket, request, true);
  for (;;) {
    auto piece = content.next();
    if (!piece) return undo(std::nullopt);
    if (piece->empty()) break;
    if (!write_all(fd, *piece)) return wrong();
  }
  if (!write_all(fd, "\n") || fsync(fd) != 0) return wrong();
  if (size == 0 && !sync_folder(box->folder.get())) {
    // The folder may not be ours to read: then the file's own sync is all there is.
    if (errno != EACCES) return wrong();
  }
  return answer(Cause::kDone, box->shown);
}

std::optional<gid_t> spool_group(const Request& request, const Person& person) {
  if (request.verb != Verb::kMbox || geteuid() != 0) return std::nullopt;
  auto place = parse_place(request.place, person);
  if (!place || place->below_home || place->parts.back() != person.name) return std::nullopt;
  auto folder = open_folder(*place, person, false, false);
  struct stat st{};
  if (!folder || fstat(folder->get(), &st) != 0) return std::nullopt;
  bool spool = st.st_uid == 0 && (st.st_mode & S_IWGRP) != 0 && (st.st_mode & S_IWOTH) == 0;
  group* mail = spool ? getgrnam("mail") : nullptr;
  if (!mail || mail->gr_gid != st.st_gid) return std::nullopt;
  return st.st_gid;
}

}  // namespace sidegate::helper
