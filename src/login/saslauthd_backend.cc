// saslauthd's socket ("mux"): four counted strings there, one back.
#include "base/text.h"
#include "login/backend.h"
#include "login/password.h"
#include "login/unix_stream.h"

namespace sidegate::login {
namespace {

constexpr std::size_t kMaxAnswer = 4096;

void put(std::string& out, std::string_view text) {
  out += static_cast<char>(text.size() >> 8);
  out += static_cast<char>(text.size() & 0xff);
  out += text;
}

class SaslauthdBackend final : public Backend {
 public:
  explicit SaslauthdBackend(std::string socket) : socket_(std::move(socket)) {}

  Verdict password(const std::string& user, const std::string& password, SteadyTime until) override {
    auto stream = UnixStream::connect(socket_, until);
    if (!stream) return std::unexpected(stream.error());
    const std::size_t at = user.rfind('@');  // as Cyrus SASL splits it
    std::string request;
    put(request, user.substr(0, at));
    put(request, password);
    put(request, "smtp");
    put(request, at == std::string::npos ? "" : user.substr(at + 1));
    Status sent = stream->write(request);
    wipe(request);
    if (!sent) return std::unexpected(sent.error());
    auto size = stream->read(2);
    if (!size) return std::unexpected(size.error());
    std::size_t n = static_cast<std::uint8_t>((*size)[0]) * 256u + static_cast<std::uint8_t>((*size)[1]);
    if (n < 2 || n > kMaxAnswer) return fail(ErrorKind::kProtocol, "saslauthd's answer is malformed");
    auto text = stream->read(n);
    if (!text) return std::unexpected(text.error());
    if (text->starts_with("NO")) return std::nullopt;
    if (!text->starts_with("OK")) return fail(ErrorKind::kProtocol, "saslauthd's answer is malformed");
    std::string name = canonical_name(user);
    if (name.empty()) return std::nullopt;
    return name;
  }

 private:
  std::string socket_;
};

}  // namespace

std::unique_ptr<Backend> make_saslauthd_backend(std::string socket) {
  return std::make_unique<SaslauthdBackend>(std::move(socket));
}

}  // namespace sidegate::login
