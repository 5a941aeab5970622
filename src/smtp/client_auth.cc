// AUTH (RFC 4954): one exchange for each mechanism that the server does not refuse as such.
#include <string.h>

#include "base/text.h"
#include "smtp/client_session.h"
#include "smtp/client_trouble.h"

namespace sidegate::smtp {
namespace {

constexpr int kMaxRounds = 10;             // the longest of ours takes three
constexpr std::size_t kCommandLine = 512;  // RFC 5321 section 4.5.3.1.4, with CRLF

void wipe(std::string& secret) {
  explicit_bzero(secret.data(), secret.size());
  secret.clear();
}

bool mentions(const std::string& text, std::string_view part) {
  return lower(text).find(part) != std::string::npos;
}

// Does this reply refuse the mechanism (another one may do), or us? A wrong password must not be tried again under
// another mechanism: providers count that and lock the account.
bool refuses_mechanism(const mail::Reply& reply) {
  std::string text = reply.text();
  switch (reply.code) {
    case 504:  // RFC 4954 section 4: unrecognized authentication type
    case 538:  // RFC 4954 section 6: this mechanism needs encryption
    case 432:  // RFC 4954 section 6: a transition by another mechanism is needed first
      return true;
    case 534:  // RFC 4954 section 6: too weak for this user. Gmail says 534 about passwords and browsers too.
      return !mentions(text, "password") && !mentions(text, "browser");
    default:
      return reply.permanent() && (mentions(text, "mechanism") || mentions(text, "no secret in database"));
  }
}

}  // namespace

std::string ClientSession::masked(std::string_view line) const {
  std::string text(line);
  if (line.starts_with("334")) return text;  // a challenge: never shown, and needed as it is
  for (const std::string& secret : secrets_) {
    if (secret.size() < 4) continue;  // would hit by chance
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 4)) {
      text.replace(at, secret.size(), "****");
    }
  }
  return text;
}

// RFC 4954 section 4: "*" cancels, the server answers 501.
net::Awaitable<Trouble> ClientSession::cancel_auth(Error why) {
  auto reply = co_await exchange(Phase::kAuth, "*", timeouts_.auth, "*");
  (void)reply;
  co_return Trouble{Phase::kAuth, std::nullopt, std::move(why)};
}

net::Awaitable<Step<mail::Reply>> ClientSession::run_mechanism(auth::ClientMechanism& mechanism,
                                                               std::optional<std::string> initial) {
  std::string line = "AUTH " + mechanism.name(), shown = line, response;
  if (initial) {
    // RFC 4954 section 4: an initial response of no octets is "=".
    response = initial->empty() ? "=" : base64(*initial);
    wipe(*initial);
    secrets_.push_back(response);
    // RFC 4954 section 4: where the line would become too long, it goes without and follows the empty challenge.
    if (line.size() + 1 + response.size() + 2 <= kCommandLine) {
      line += " " + response;
      shown += " ****";
      wipe(response);
    } else if (response == "=") {
      response.clear();
    }
  }
  auto reply = co_await exchange(Phase::kAuth, std::move(line), timeouts_.auth, std::move(shown));
  for (int round = 0; reply && reply->code == 334 && round < kMaxRounds; ++round) {
    if (response.empty()) {
      std::string text = reply->lines.empty() ? "" : std::string(trim(reply->lines.front()));
      std::optional<std::string> challenge = unbase64(text);
      // LOGIN's prompts mean nothing, and some servers send them in the clear.
      if (!challenge && mechanism.name() == "LOGIN") challenge = text;
      if (!challenge || reply->lines.size() > 1) {
        Error bad{ErrorKind::kAuth, mechanism.name() + ": the server's challenge is not base64"};
        co_return std::unexpected(co_await cancel_auth(std::move(bad)));
      }
      Result<std::string> answer = mechanism.step(*challenge);
      if (!answer) co_return std::unexpected(co_await cancel_auth(answer.error()));
      response = base64(*answer);
      wipe(*answer);
      secrets_.push_back(response);
    }
    std::string out = response;
    wipe(response);
    reply = co_await exchange(Phase::kAuth, std::move(out), timeouts_.auth, "****");
  }
  if (!reply) co_return reply;
  if (reply->code == 334) {
    Error endless{ErrorKind::kAuth, mechanism.name() + ": the server asks without end"};
    co_return std::unexpected(co_await cancel_auth(std::move(endless)));
  }
  if (reply->code != 235) {
    if (reply->code < 400) {
      Error strange{ErrorKind::kProtocol, fmt::format("{} is no answer to AUTH", printable(reply->line(), 200))};
      co_return std::unexpected(Trouble{Phase::kAuth, std::nullopt, std::move(strange)});
    }
    co_return std::unexpected(refused_at(Phase::kAuth, ErrorKind::kAuth, std::move(*reply)));
  }
  Status proved = mechanism.finish();
  if (!proved) co_return std::unexpected(Trouble{Phase::kAuth, std::nullopt, proved.error()});
  co_return reply;
}

net::Awaitable<Step<mail::Reply>> ClientSession::authenticate(const std::vector<std::string>& mechanisms,
                                                              const auth::Credentials& credentials,
                                                              const auth::Circumstances& circumstances,
                                                              std::string* used) {
  Trouble last{Phase::kAuth, std::nullopt, Error{ErrorKind::kAuth, "there is no AUTH mechanism to try"}};
  for (const std::string& name : mechanisms) {
    auto mechanism = auth::ClientMechanism::make(name, credentials, circumstances);
    auto initial = mechanism ? (*mechanism)->initial() : std::unexpected(mechanism.error());
    if (!initial) {  // nothing was sent: the next one may do
      last = Trouble{Phase::kAuth, std::nullopt, initial.error()};
      continue;
    }
    if (used != nullptr) *used = name;
    secrets_ = {credentials.password, base64(credentials.password)};
    auto reply = co_await run_mechanism(**mechanism, std::move(*initial));
    for (std::string& secret : secrets_) wipe(secret);
    secrets_.clear();
    if (reply) co_return reply;
    last = std::move(reply.error());
    if (last.reply && name == "EXTERNAL") continue;  // no password was tried
    if (!last.reply || !refuses_mechanism(*last.reply)) break;
  }
  co_return std::unexpected(std::move(last));
}

}  // namespace sidegate::smtp
