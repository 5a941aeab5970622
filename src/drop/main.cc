// sidegate-drop DIRECTORY: keeps one message in the drop directory (doc/drop.md). Installed set-gid, so it is run by
// anybody, in any state they like: whatever the caller could have prepared is put right before anything else.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "drop/request.h"

namespace {

using sidegate::drop::Request;

constexpr unsigned kPatience = 600;              // seconds for the whole request
constexpr std::uint64_t kLeastFree = 16u << 20;  // octets left on the disk for others

int directory = -1;
char temporary[64] = "";  // its name while there is one

[[noreturn]] void end(int code, const char* what, const char* why = "") {
  if (temporary[0] != '\0') ::unlinkat(directory, temporary, 0);
  std::string words = std::string("sidegate-drop: ") + what + (*why != '\0' ? ": " : "") + why + "\n";
  (void)!::write(STDERR_FILENO, words.data(), words.size());
  ::_exit(code);
}

// Everything in it is safe in a signal handler.
void interrupted(int) {
  if (temporary[0] != '\0') ::unlinkat(directory, temporary, 0);
  ::_exit(EX_TEMPFAIL);
}

// Descriptors 0, 1 and 2 exist, so that no file of ours becomes one of them; no other one does.
void put_descriptors_right() {
  for (;;) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd < 0) ::_exit(EX_OSERR);
    if (fd > STDERR_FILENO) break;
  }
  if (::syscall(SYS_close_range, 3u, ~0u, 0u) == 0) return;
  const long most = ::sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < (most > 0 && most < 65536 ? most : 65536); ++fd) ::close(fd);
}

void put_process_right() {
  static char* nothing[] = {nullptr};
  environ = nothing;
  ::umask(027);
  (void)!::chdir("/");
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
  struct sigaction plain{}, ignored{}, caught{};
  plain.sa_handler = SIG_DFL;
  ignored.sa_handler = SIG_IGN;
  caught.sa_handler = interrupted;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &plain, nullptr);
  ::sigaction(SIGPIPE, &ignored, nullptr);
  ::sigaction(SIGXFSZ, &ignored, nullptr);  // a file size limit of the caller is then an error of write()
  for (int number : {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGALRM, SIGXCPU}) ::sigaction(number, &caught, nullptr);
  itimerval no_timer{};
  ::setitimer(ITIMER_REAL, &no_timer, nullptr);
  sigset_t none_blocked;
  ::sigemptyset(&none_blocked);
  ::sigprocmask(SIG_SETMASK, &none_blocked, nullptr);
  ::alarm(kPatience);
}

// Only what the server made to be the drop directory: with the rights of our group we write nowhere else.
void open_directory(const char* path, struct stat& is) {
  if (path[0] != '/') end(EX_USAGE, "the directory must be a path from the root");
  directory = ::open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) end(errno == EACCES ? EX_NOPERM : EX_CONFIG, path, std::strerror(errno));
  if (::fstat(directory, &is) != 0) end(EX_OSERR, path, std::strerror(errno));
  const bool set_gid = ::getegid() != ::getgid();
  const bool group_made_it = is.st_gid == ::getegid() && (is.st_mode & 07777) == 01730 && is.st_uid != ::getuid();
  const bool our_own = is.st_uid == ::geteuid() && (is.st_mode & 0002) == 0;
  const bool root = ::getuid() == 0 && ::geteuid() == 0 && (is.st_mode & 0002) == 0;
  if (set_gid && !group_made_it && !root)
    end(EX_CONFIG, path, "is not the server's drop directory (mode 1730, its group)");
  if (!set_gid && !our_own && !root)
    end(EX_NOPERM, path, "no rights to write there: sidegate-drop is not set-gid here");
}

// Buffered reading of standard input.
class Input {
 public:
  bool line(std::string& out) {
    out.clear();
    for (;;) {
      if (at_ == size_ && !fill()) return false;
      const char* start = bytes_ + at_;
      const auto* lf = static_cast<const char*>(std::memchr(start, '\n', size_ - at_));
      const std::size_t take = lf != nullptr ? static_cast<std::size_t>(lf - start) : size_ - at_;
      if (out.size() + take > sidegate::drop::kMaxLine) end(EX_DATAERR, "a line is too long");
      out.append(start, take);
      at_ += take;
      if (lf == nullptr) continue;
      ++at_;
      return true;
    }
  }
  // What there is, at most `most`; 0: the end.
  std::size_t some(const char*& from, std::uint64_t most) {
    if (at_ == size_ && !fill()) return 0;
    from = bytes_ + at_;
    const std::size_t take = size_ - at_ < most ? size_ - at_ : static_cast<std::size_t>(most);
    at_ += take;
    return take;
  }
  bool at_end() { return at_ == size_ && !fill(); }

 private:
  bool fill() {
    ssize_t n;
    do {
      n = ::read(STDIN_FILENO, bytes_, sizeof bytes_);
    } while (n < 0 && errno == EINTR);
    if (n < 0) end(EX_IOERR, "reading the request", std::strerror(errno));
    at_ = 0;
    size_ = static_cast<std::size_t>(n);
    return n > 0;
  }
  char bytes_[64 * 1024];
  std::size_t at_ = 0, size_ = 0;
};

Input input;

Request read_envelope() {
  Request request;
  std::string line;
  for (;;) {
    if (!input.line(line)) end(EX_DATAERR, "the request was cut short");
    switch (request.take(line)) {
      case Request::State::kMore:
        continue;
      case Request::State::kMessage:
        return request;
      case Request::State::kBad:
        end(EX_DATAERR, "malformed request", request.why());
    }
  }
}

void check_room(std::uint64_t size) {
  struct statvfs disk{};
  if (::fstatvfs(directory, &disk) != 0) return;  // the write will tell
  const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free < kLeastFree + size) end(EX_TEMPFAIL, "not enough space on the disk of the drop directory");
}

std::string new_name() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random) end(EX_OSERR, "getrandom");
  char name[40];
  std::snprintf(
      name, sizeof name, "%016llx-%016llx",
      static_cast<unsigned long long>(now.tv_sec) * 1000000u + static_cast<unsigned long long>(now.tv_nsec) / 1000u,
      static_cast<unsigned long long>(random));
  return name;
}

int create(const std::string& name, const struct stat& folder) {
  const std::string path = "tmp-" + name;
  const int fd = ::openat(directory, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (fd < 0) {
    const bool denied = errno == EACCES || errno == EPERM;
    end(denied ? EX_NOPERM : EX_IOERR, "the drop directory", std::strerror(errno));
  }
  std::memcpy(temporary, path.c_str(), path.size() + 1);
  struct stat is{};
  if (::fstat(fd, &is) == 0 && is.st_gid != folder.st_gid) (void)!::fchown(fd, static_cast<uid_t>(-1), folder.st_gid);
  if (::fchmod(fd, 0640) != 0) end(EX_IOERR, "chmod", std::strerror(errno));
  return fd;
}

void write_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) end(errno == ENOSPC || errno == EDQUOT ? EX_TEMPFAIL : EX_IOERR, "writing", std::strerror(errno));
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
}

void write_file(int fd, const Request& request) {
  const std::string start = std::string(sidegate::drop::kMagic) + "\nuid " + std::to_string(::getuid()) + "\ntime " +
                            std::to_string(static_cast<long long>(::time(nullptr))) + "\n" + request.lines();
  write_all(fd, start.data(), start.size());
  for (std::uint64_t left = request.message_size(); left > 0;) {
    const char* from = nullptr;
    const std::size_t n = input.some(from, left);
    if (n == 0) end(EX_DATAERR, "the message was cut short");
    write_all(fd, from, n);
    left -= n;
  }
  if (!input.at_end()) end(EX_DATAERR, "the message is longer than was said");
}

void publish(int fd, const char* path, const std::string& name) {
  if (::fsync(fd) != 0) end(EX_IOERR, "fsync", std::strerror(errno));
  if (::renameat2(directory, temporary, directory, name.c_str(), RENAME_NOREPLACE) != 0)
    end(EX_IOERR, "rename", std::strerror(errno));
  // From here on the message is the server's: it may be delivered even if the sync fails.
  temporary[0] = '\0';
  if (::fsync(fd) != 0) end(EX_IOERR, "fsync", std::strerror(errno));
  const int folder = ::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder >= 0 && ::fsync(folder) != 0) end(EX_IOERR, "fsync", std::strerror(errno));
}

}  // namespace

int main(int argc, char** argv) {
  put_descriptors_right();
  put_process_right();
  if (argc != 2)
    end(EX_USAGE, "sendmail(1) runs this program; it takes the drop directory and a message (doc/drop.md)");
  struct stat folder{};
  open_directory(argv[1], folder);
  const Request request = read_envelope();
  check_room(request.message_size());
  const std::string name = new_name();
  const int fd = create(name, folder);
  write_file(fd, request);
  publish(fd, argv[1], name);
  return EX_OK;
}
