// Dovecot's authentication server by its client protocol, version 1.1, on a Unix socket (`unix_listener auth-client`):
// a connection for each question.
#include <unistd.h>

#include <atomic>

#include "base/text.h"
#include "login/backend.h"
#include "login/dovecot_answer.h"
#include "login/password.h"
#include "login/unix_stream.h"

namespace sidegate::login {
namespace {

constexpr std::size_t kMaxLine = 8192;
constexpr int kMaxGreeting = 100;  // lines

// Dovecot knows its clients by "process id", and takes two connections with the same one for one client gone mad.
unsigned next_client() {
  static std::atomic<unsigned> last{static_cast<unsigned>(getpid()) << 8};
  return ++last & 0x7fffffff;
}

class DovecotBackend final : public Backend {
 public:
  explicit DovecotBackend(std::string socket) : socket_(std::move(socket)) {}

  Verdict password(const std::string& user, const std::string& password, SteadyTime until) override {
    auto stream = UnixStream::connect(socket_, until);
    if (!stream) return std::unexpected(stream.error());
    std::string hello = fmt::format("VERSION\t1\t1\nCPID\t{}\n", next_client());
    if (Status sent = stream->write(hello); !sent) return std::unexpected(sent.error());
    if (Status greeted = read_greeting(*stream); !greeted) return std::unexpected(greeted.error());
    // secured, nologin: the client has TLS with us, and nobody asks for this login again. resp= stands last.
    std::string response = '\0' + user + '\0' + password;
    std::string request = "AUTH\t1\tPLAIN\tservice=smtp\tsecured\tnologin\tresp=" + base64(response) + "\n";
    wipe(response);
    Status sent = stream->write(request);
    wipe(request);
    if (!sent) return std::unexpected(sent.error());
    for (int i = 0; i < kMaxGreeting; ++i) {
      auto line = stream->read_line(kMaxLine);
      if (!line) return std::unexpected(line.error());
      if (auto verdict = dovecot_answer(*line, user)) return std::move(*verdict);
    }
    return fail(ErrorKind::kProtocol, "Dovecot does not come to an answer");
  }

 private:
  static Status read_greeting(UnixStream& stream) {
    for (int i = 0; i < kMaxGreeting; ++i) {
      auto line = stream.read_line(kMaxLine);
      if (!line) return std::unexpected(line.error());
      if (*line == "DONE") return {};
      auto words = split(*line, '\t');
      if (words[0] == "VERSION" && (words.size() < 2 || words[1] != "1"))
        return fail(ErrorKind::kProtocol, "Dovecot speaks another version of its protocol");
    }
    return fail(ErrorKind::kProtocol, "Dovecot's greeting has no end");
  }

  std::string socket_;
};

}  // namespace

std::optional<Verdict> dovecot_answer(std::string_view line, const std::string& asked) {
  auto words = split(line, '\t');
  if (words.size() < 2 || words[1] != "1") return std::nullopt;
  if (words[0] == "CONT") return fail(ErrorKind::kProtocol, "Dovecot asks on after PLAIN");
  if (words[0] == "FAIL") {
    for (std::string_view word : words) {
      if (word == "temp") return fail(ErrorKind::kUnreachable, "Dovecot cannot say now (temporary failure)");
    }
    return Verdict(std::nullopt);
  }
  if (words[0] != "OK") return std::nullopt;
  std::string name = asked;
  for (std::string_view word : words) {
    if (word.starts_with("user=")) name = word.substr(5);
  }
  name = canonical_name(name);
  if (name.empty()) return fail(ErrorKind::kProtocol, "Dovecot names a user that is no name");
  return Verdict(std::move(name));
}

std::unique_ptr<Backend> make_dovecot_backend(std::string socket) {
  return std::make_unique<DovecotBackend>(std::move(socket));
}

}  // namespace sidegate::login
