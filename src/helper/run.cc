#include "helper/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>

#include "helper/descriptor.h"
#include "helper/milliseconds.h"
#include "helper/protocol.h"
#include "helper/serve.h"

namespace sidegate::helper {
namespace {

constexpr std::size_t kMostChildren = 100;  // beyond: requests wait in the socket
constexpr std::int64_t kBeyondPatience = 60'000, kShortPatience = 60'000;

void on_child(int) {}  // only so that ppoll returns

// Nothing of what the parent had is left: descriptors, environment, signals, folder, readable memory.
void settle_in(int& socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "sidegate-helper");
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  setsid();
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3 && null >= 0; ++fd) dup2(null, fd);
  if (socket != 3) {
    dup2(socket, 3);
    socket = 3;
  }
  fcntl(socket, F_SETFD, FD_CLOEXEC);
  syscall(SYS_close_range, 4u, ~0u, 0u);
  const char* zone = std::getenv("TZ");
  std::string kept = zone ? zone : "";
  for (char** entry = environ; entry && *entry; ++entry)
    explicit_bzero(*entry, std::strlen(*entry));  // secrets may be there
  clearenv();
  if (!kept.empty()) setenv("TZ", kept.c_str(), 1);
  umask(077);
  if (chdir("/") != 0) _exit(1);
  // It ends when the server has ended, not when somebody presses Ctrl-C or a whole control group is told to stop: what
  // is being delivered is brought to its end.
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) signal(number, SIG_IGN);
  struct sigaction action{};
  action.sa_handler = on_child;
  sigaction(SIGCHLD, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_SETMASK, &set, nullptr);
}

class Loop {
 public:
  explicit Loop(int socket) : socket_(socket) {}

  [[noreturn]] void run() {
    for (;;) {
      bury();
      bool full = children_.size() >= kMostChildren;
      pollfd look{full ? -1 : socket_, POLLIN, 0};
      timespec second{1, 0};
      sigset_t none;
      sigemptyset(&none);
      int n = ppoll(&look, 1, children_.empty() ? nullptr : &second, &none);
      if (n > 0 && look.revents != 0) take();
    }
  }

 private:
  void bury() {
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) children_.erase(pid);
    std::int64_t now = now_milliseconds();
    for (auto [pid, until] : children_) {
      if (now >= until) kill(pid, SIGKILL);  // hangs in a file system or a directory service: its server knows by EOF
    }
  }

  void take() {
    Descriptor content;
    std::string packet = receive(content);
    if (!content) return;  // no descriptor, no request
    auto request = decode_request(packet);
    if (!request) {
      refuse(content.get(), request.error().text);
      return;
    }
    pid_t pid = fork();
    if (pid < 0) return;  // EOF without an answer
    const std::int64_t patience = time_for(*request);
    if (pid == 0) {
      close(socket_);
      // A second way to its end: where the helper has no CAP_KILL, it may not end what has become another user.
      alarm(static_cast<unsigned>(patience / 1000) + 10);
      sigset_t none;
      sigemptyset(&none);
      signal(SIGCHLD, SIG_DFL);
      sigprocmask(SIG_SETMASK, &none, nullptr);
      _exit(serve(*request, content.get()));
    }
    children_[pid] = now_milliseconds() + patience;
  }

  // After this the child is ended.
  static std::int64_t time_for(const Request& request) {
    if (request.verb == Verb::kVerifyPassword) return request.patience;  // a module that hangs is of no use to anybody
    return takes_content(request.verb) ? request.patience + kBeyondPatience : kShortPatience;
  }

  // One packet and its one descriptor. Ends the process where the other side is gone.
  std::string receive(Descriptor& content) {
    static char space[kMaxRequest + 1];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
    iovec part{space, sizeof space};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n == 0) leave();
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == EMFILE || errno == ENFILE || errno == ENOMEM) return {};
      leave();
    }
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
        if (content) {
          ::close(fd);  // more than asked for
        } else {
          content = Descriptor(fd);
        }
      }
    }
    if (!is_stream_socket(content.get())) content.close();
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) content.close();
    return {space, static_cast<std::size_t>(n)};
  }

  // Anything else (a terminal, a file, a socket that never blocks us) is no place for content and answer.
  static bool is_stream_socket(int fd) {
    int type = 0, domain = 0;
    socklen_t size = sizeof type;
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return false;
    size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return false;
    // It blocks, whatever it did at the other side (the flag belongs to this end alone).
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0;
  }

  static void refuse(int fd, const std::string& why) {
    Answer a;
    a.text = why;
    std::string bytes = encode(a);
    (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  // Deliveries under way go on: each ends by itself, or at the end of its own patience.
  [[noreturn]] void leave() { _exit(0); }

  int socket_;
  std::unordered_map<pid_t, std::int64_t> children_;
};

}  // namespace

void run(int socket) {
  settle_in(socket);
  Loop(socket).run();
}

}  // namespace sidegate::helper
