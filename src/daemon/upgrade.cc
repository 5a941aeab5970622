#include "daemon/upgrade.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>

#include "base/text.h"

namespace sidegate::daemon {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::string own_file() {
  char path[PATH_MAX];
  ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : "";
}

void close_on_exec(const std::vector<KeptSocket>& sockets, bool on) {
  for (const KeptSocket& socket : sockets) fcntl(socket.fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

}  // namespace

std::string kept_text(const std::vector<KeptSocket>& sockets, pid_t pid) {
  std::string text = std::to_string(pid);
  for (const KeptSocket& socket : sockets) text += fmt::format("\n{} {}", socket.fd, socket.name);
  return text;
}

std::vector<KeptSocket> kept_sockets(std::string_view text, pid_t pid) {
  std::vector<std::string_view> lines = split(text, '\n');
  if (lines.empty() || lines.front() != std::to_string(pid)) return {};
  std::vector<KeptSocket> out;
  for (std::string_view line : std::span(lines).subspan(1)) {
    const std::size_t space = line.find(' ');
    const auto fd = parse_number(line.substr(0, space));
    if (space == std::string_view::npos || !fd || *fd > INT_MAX) return {};
    out.push_back({static_cast<int>(*fd), std::string(line.substr(space + 1))});
  }
  return out;
}

CommandLine CommandLine::of_this_process() {
  CommandLine command;
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\0', at), all.size());
    command.arguments.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  // The name that was called may be a link that an upgrade lets point elsewhere.
  const bool whole = !command.arguments.empty() && command.arguments.front().starts_with('/');
  command.file = whole ? command.arguments.front() : own_file();
  return command;
}

Result<pid_t> start_check(const CommandLine& command, const std::string& config) {
  std::vector<std::string> arguments{command.file, "config", "check"};
  if (!config.empty()) {
    arguments.push_back("--config");
    arguments.push_back(config);
  }
  const std::vector<char*> words = pointers(arguments);
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(errno_error(errno, "trying the new binary"));
  if (pid > 0) return pid;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (int null = open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
  }
  alarm(60);  // it looks at files only; one that hangs is no server
  execv(command.file.c_str(), words.data());
  _exit(127);
}

Error become_new_binary(const CommandLine& command, const std::vector<KeptSocket>& sockets) {
  std::vector<std::string> arguments = command.arguments;
  const std::vector<char*> words = pointers(arguments);
  setenv(kKeptSockets, kept_text(sockets, getpid()).c_str(), 1);
  close_on_exec(sockets, false);
  execv(command.file.c_str(), words.data());
  Error error = errno_error(errno, "starting " + command.file);
  close_on_exec(sockets, true);
  unsetenv(kKeptSockets);
  return error;
}

}  // namespace sidegate::daemon
