#include "helper/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cstdlib>

#include <fmt/format.h>

#include "base/text.h"
#include "helper/descriptor.h"
#include "helper/milliseconds.h"

namespace sidegate::helper {
namespace {

constexpr std::size_t kMostOutput = 2048;  // kept; the rest is read and forgotten

bool make_pipe(Descriptor& read_end, Descriptor& write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return false;
  read_end = Descriptor(fds[0]);
  write_end = Descriptor(fds[1]);
  return true;
}

// What the shell is started with, made before the fork: the child only calls the kernel.
class Prepared {
 public:
  Prepared(const Request& request, const Person& person)
      : values_(environment_for(request, person)), command_(request.place), home_(person.home) {
    for (std::string& value : values_) environment_.push_back(value.data());
    environment_.push_back(nullptr);
  }
  [[noreturn]] void become(int input, int output, pid_t parent);

 private:
  std::vector<std::string> values_;
  std::vector<char*> environment_;
  std::string command_, home_;
};

void Prepared::become(int input, int output, pid_t parent) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(75);
  dup2(input, 0);
  dup2(output, 1);
  dup2(output, 2);
  syscall(SYS_close_range, 3u, ~0u, 0u);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  rlimit files{1024, 1024};
  setrlimit(RLIMIT_NOFILE, &files);
  umask(077);
  if (home_.empty() || chdir(home_.c_str()) != 0) {
    if (chdir("/") != 0) _exit(75);
  }
  char shell[] = "sh", flag[] = "-c";
  char* arguments[] = {shell, flag, command_.data(), nullptr};
  execve("/bin/sh", arguments, environment_.data());
  _exit(71);  // EX_OSERR: tried again
}

class Running {
 public:
  Running(const Request& request, int socket) : socket_(socket), content_(socket, request, false) {}
  std::optional<Answer> start(const Request& request, const Person& person);
  // Until the program has ended, or time is up, or the server is gone.
  std::optional<Answer> run(std::int64_t until);

 private:
  bool feed();   // false: the server is gone
  void drink();  // its output
  void signal_all(int number);
  void end_hard(int first_signal);
  Answer judge(int status) const;

  int socket_;
  Content content_;
  Descriptor input_, output_, process_;
  pid_t pid_ = -1;
  std::string pending_;  // for its standard input
  bool waits_for_content_ = false;
  std::string words_;
};

std::optional<Answer> Running::start(const Request& request, const Person& person) {
  Descriptor child_input, child_output;
  if (!make_pipe(child_input, input_) || !make_pipe(output_, child_output)) return system_trouble("making a pipe");
  pid_t self = getpid();
  Prepared prepared(request, person);
  pid_ = fork();
  if (pid_ < 0) return system_trouble("making a process");
  if (pid_ == 0) prepared.become(child_input.get(), child_output.get(), self);
  fcntl(input_.get(), F_SETFL, O_NONBLOCK);
  fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  process_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  return std::nullopt;
}

bool Running::feed() {
  if (!input_) return true;
  for (;;) {
    if (pending_.empty() && content_.ended()) {
      input_.close();
      return true;
    }
    if (pending_.empty()) {
      bool more = false;
      auto piece = content_.next_now(&more);
      if (!piece) return false;
      waits_for_content_ = !more;
      if (!more) return true;
      pending_ = *piece;
      continue;
    }
    ssize_t n = write(input_.get(), pending_.data(), pending_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return true;
    if (n < 0) {  // it does not want to read further: its exit code says what that means
      input_.close();
      pending_.clear();
      return true;
    }
    pending_.erase(0, static_cast<std::size_t>(n));
  }
}

void Running::drink() {
  char some[4096];
  while (output_) {
    ssize_t n = read(output_.get(), some, sizeof some);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return output_.close();
    std::size_t room = kMostOutput - std::min(words_.size(), kMostOutput);
    words_.append(some, std::min(room, static_cast<std::size_t>(n)));
  }
}

// It and all it started. Its group is made by itself, so a signal that comes before that must go to it alone, and
// first: whatever it could start afterwards is in the group that the second signal goes to.
void Running::signal_all(int number) {
  if (number != SIGKILL && kill(-pid_, number) == 0) return;  // once is enough
  kill(pid_, number);
  kill(-pid_, number);
}

// SIGTERM first where there is time for it. It is buried last: until then its number belongs to nobody else.
void Running::end_hard(int first_signal) {
  signal_all(first_signal);
  std::int64_t until = now_milliseconds() + (first_signal == SIGKILL ? 0 : kGraceMilliseconds);
  siginfo_t end{};
  while (first_signal != SIGKILL && now_milliseconds() < until) {
    if (waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == pid_) break;
    timespec little{0, 20'000'000};
    nanosleep(&little, nullptr);
  }
  signal_all(SIGKILL);  // who ignored it, or was started by it
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Answer Running::judge(int status) const {
  std::string words = first_words(words_);
  if (WIFSIGNALED(status)) return answer(Cause::kSignal, std::move(words), WTERMSIG(status));
  int code = WEXITSTATUS(status);
  return code == 0 ? answer(Cause::kDone, "") : answer(Cause::kExit, std::move(words), code);
}

std::optional<Answer> Running::run(std::int64_t until) {
  for (;;) {
    if (!feed()) {
      end_hard(SIGKILL);  // before it sees an end of file
      return std::nullopt;
    }
    drink();
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      drink();
      return judge(status);
    }
    std::int64_t left = until - now_milliseconds();
    if (left <= 0) {
      end_hard(SIGTERM);
      drink();
      return answer(Cause::kTimeLimit, first_words(words_));
    }
    bool wants_content = input_ && pending_.empty() && waits_for_content_;
    pollfd look[4] = {{socket_, static_cast<short>(wants_content ? POLLIN : 0), 0},
                      {pending_.empty() ? -1 : input_.get(), POLLOUT, 0},
                      {output_ ? output_.get() : -1, POLLIN, 0},
                      {process_ ? process_.get() : -1, POLLIN, 0}};
    int most = process_ ? static_cast<int>(std::min<std::int64_t>(left, 60'000)) : 50;
    poll(look, 4, most);
    if ((look[0].revents & (POLLHUP | POLLERR)) != 0) {  // nobody waits for the answer any more
      bool all_sent = !input_;
      end_hard(all_sent ? SIGTERM : SIGKILL);
      return std::nullopt;
    }
  }
}

}  // namespace

std::vector<std::string> environment_for(const Request& request, const Person& person) {
  std::vector<std::string> out;
  auto add = [&](std::string_view name, std::string_view value) { out.push_back(fmt::format("{}={}", name, value)); };
  add("HOME", person.home.empty() ? "/" : person.home);
  add("LOGNAME", person.name);
  add("USER", person.name);
  add("SHELL", person.shell);
  add("PATH", "/usr/local/bin:/usr/bin:/bin");
  add("LANG", "C.UTF-8");
  if (const char* zone = std::getenv("TZ")) add("TZ", zone);
  for (const auto& [key, value] : request.environment) add(key, neutral(value));
  return out;
}

std::string first_words(std::string_view output) {
  std::string_view text = trim(output.substr(0, kMostOutput));
  std::string out;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line);
    if (line.empty()) continue;
    if (!out.empty()) out += ' ';
    out += line;
  }
  return printable(out, 500);
}

std::optional<Answer> deliver_command(const Request& request, const Person& person, int socket) {
  std::int64_t until = now_milliseconds() + request.patience;
  Running running(request, socket);
  if (auto why = running.start(request, person)) return why;
  return running.run(until);
}

}  // namespace sidegate::helper
