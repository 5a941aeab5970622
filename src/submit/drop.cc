#include "submit/drop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/text.h"

namespace sidegate::submit {
namespace {

constexpr const char* kInstalled = "/usr/lib/sidegate/sidegate-drop";

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, "sidegate-drop"));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string read_all(int fd) {
  std::string text;
  char bytes[1024];
  for (;;) {
    const ssize_t n = ::read(fd, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    if (text.size() < 4096) text.append(bytes, static_cast<std::size_t>(n));
  }
}

// What ended and how, in the words it left on its standard error.
Error failure(int status, const std::string& words) {
  std::string said(trim(words));
  if (!WIFEXITED(status)) return {ErrorKind::kStorage, "sidegate-drop was killed"};
  switch (WEXITSTATUS(status)) {
    case EX_NOPERM:
      return {ErrorKind::kRefused, said};
    case EX_UNAVAILABLE:
      return {ErrorKind::kNotFound, said};
    case EX_DATAERR:
      return {ErrorKind::kTooLarge, said};
    default:
      return {ErrorKind::kStorage, said.empty() ? "sidegate-drop failed" : said};
  }
}

}  // namespace

std::string drop_request(const mail::Envelope& envelope, std::size_t message_size) {
  std::string out = "sidegate-drop 1\nfrom " + envelope.reverse_path + "\n";
  if (envelope.body == mail::BodyType::k8bitMime) out += "body 8bitmime\n";
  if (envelope.ret == mail::Ret::kFull) out += "ret full\n";
  if (envelope.ret == mail::Ret::kHeaders) out += "ret hdrs\n";
  if (!envelope.envid.empty()) out += "envid " + envelope.envid + "\n";
  if (envelope.smtputf8) out += "smtputf8 yes\n";
  for (const mail::Recipient& to : envelope.recipients) {
    out += "to " + to.address + "\n";
    if (to.notify.specified()) out += "notify " + lower(mail::notify_words(to.notify)) + "\n";
    if (!to.orcpt.empty()) out += "orcpt " + to.orcpt + "\n";
  }
  return out + "message " + std::to_string(message_size) + "\n";
}

std::string drop_program() {
  char self[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof self);
  if (n > 0 && n < PATH_MAX) {
    std::string folder(self, static_cast<std::size_t>(n));
    folder.resize(folder.rfind('/'));
    for (const char* beside : {"/sidegate-drop", "/../lib/sidegate/sidegate-drop", "/../drop/sidegate-drop"}) {
      if (::access((folder + beside).c_str(), X_OK) == 0) return folder + beside;
    }
  }
  return kInstalled;
}

Status drop(const std::string& directory, const mail::Envelope& envelope, const Message& message) {
  int in[2], err[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  if (::pipe2(err, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  const std::string program = drop_program();
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(errno_error(errno, "fork"));
  if (child == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    char* const arguments[] = {const_cast<char*>("sidegate-drop"), const_cast<char*>(directory.c_str()), nullptr};
    char* const environment[] = {nullptr};
    ::execve(program.c_str(), arguments, environment);
    const std::string words = program + " cannot be run";
    (void)!::write(STDERR_FILENO, words.data(), words.size());
    ::_exit(EX_UNAVAILABLE);
  }
  ::close(in[0]);
  ::close(err[1]);
  ::signal(SIGPIPE, SIG_IGN);
  Status written = write_all(in[1], drop_request(envelope, message.size()));
  for (const std::string& piece : message.pieces()) {
    if (written) written = write_all(in[1], piece);
  }
  ::close(in[1]);
  const std::string words = read_all(err[0]);
  ::close(err[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && written) return {};
  return std::unexpected(failure(status, words));
}

}  // namespace sidegate::submit
