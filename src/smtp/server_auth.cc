// AUTH (RFC 4954): the exchange, from the command to 235 or the refusal. Which steps a mechanism has is
// auth/server.h's, what is right the Authenticator's.
#include "base/text.h"
#include "smtp/server_session.h"

namespace sidegate::smtp {

using Kind = auth::ServerStep::Kind;

bool ServerSession::auth_offered() const {
  return authenticator_ != nullptr && settings_->offer_auth && info_.tls && !info_.authenticated();
}

std::vector<std::string_view> ServerSession::auth_mechanisms() const {
  if (!auth_offered()) return {};
  return authenticator_->mechanisms(!stream_.channel_binding().data.empty(), !certificate_user().empty());
}

// RFC 4422 appendix A: who the certificate is for. A mail address says it best.
std::string ServerSession::certificate_user() const {
  if (!info_.tls_facts || !info_.tls_facts->certificate.verified) return {};
  const std::vector<std::string>& names = info_.tls_facts->certificate.names;
  for (const std::string& name : names) {
    if (name.find('@') != std::string::npos) return name;
  }
  return names.empty() ? "" : names.front();
}

net::Awaitable<void> ServerSession::auth(std::string_view arguments) {
  if (authenticator_ == nullptr || !settings_->offer_auth) {
    say("502 5.5.1 AUTH is not offered here");
  } else if (phase_ != kGreeted) {
    say("503 5.5.1 AUTH stands behind EHLO and outside of a mail transaction");  // RFC 4954 section 4
  } else if (info_.authenticated()) {
    say("503 5.5.1 You have logged in already");  // RFC 4954 section 4
  } else if (!info_.tls) {
    say("538 5.7.11 Encryption required: STARTTLS comes first");  // RFC 4954 section 6
  } else {
    co_await auth_with(arguments);
  }
}

net::Awaitable<void> ServerSession::auth_with(std::string_view arguments) {
  const std::size_t space = arguments.find(' ');
  const std::string_view asked = arguments.substr(0, space);
  if (asked.empty()) {
    say("501 5.5.4 AUTH takes a mechanism");
    co_return;
  }
  std::string_view name;
  for (std::string_view offered : auth_mechanisms()) {
    if (iequals(offered, asked)) name = offered;
  }
  auth::ServerCircumstances circumstances{.external = certificate_user()};
  net_binding(circumstances);
  auto mechanism = name.empty() ? nullptr : auth::make_server_mechanism(name, std::move(circumstances));
  if (!mechanism) {
    say("504 5.5.4 This mechanism is not offered");
    co_return;
  }
  std::optional<std::string> initial;
  if (space != std::string_view::npos) {
    // RFC 4954 section 4: "=" is an initial response of no octets.
    std::string_view text = arguments.substr(space + 1);
    initial = text == "=" ? std::optional<std::string>("") : unbase64(text);
    if (!initial || (initial->empty() && text != "=")) {
      say("501 5.5.2 The initial response is not base64");
      co_return;
    }
  }
  auto step = mechanism->begin(initial ? std::optional<std::string_view>(*initial) : std::nullopt);
  co_await auth_exchange(name, *mechanism, std::move(step));
}

void ServerSession::net_binding(auth::ServerCircumstances& circumstances) const {
  tls::ChannelBinding binding = stream_.channel_binding();
  bool offered = false;  // RFC 5802 section 6: what we have not offered, no client has passed over
  for (std::string_view name : auth_mechanisms()) offered = offered || name.ends_with("-PLUS");
  if (!offered) return;
  circumstances.binding_type = std::move(binding.type);
  circumstances.binding_data = std::move(binding.data);
}

net::Awaitable<void> ServerSession::auth_exchange(std::string_view name, auth::ServerMechanism& mechanism,
                                                  auth::ServerStep step) {
  const LoginTry attempt{info_, name};
  std::string user;
  for (;;) {
    if (!step.user.empty()) user = step.user;
    LoginVerdict verdict = std::nullopt;
    switch (step.kind) {
      case Kind::kChallenge: {
        auto answer = co_await auth_answer(attempt, user, step.text);
        if (!answer) co_return;
        step = mechanism.response(*answer);
        continue;
      }
      case Kind::kSecret: {
        auto secret = co_await authenticator_->secret(attempt, user);
        if (!secret) {
          co_await auth_not_now(attempt, user, secret.error());
          co_return;
        }
        step = mechanism.secret(*secret);
        continue;
      }
      case Kind::kPassword:
        verdict = co_await authenticator_->password(attempt, step.user, std::move(step.password));
        break;
      case Kind::kToken:
        verdict = co_await authenticator_->token(attempt, step.user, std::move(step.password));
        break;
      case Kind::kDone:
        co_await auth_done(attempt, user, step.user);
        co_return;
      case Kind::kFailed:
        co_await authenticator_->failed(attempt, user, step.text,
                                        step.malformed ? LoginEnd::kAborted : LoginEnd::kWrong);
        say(step.malformed ? "501 5.5.2 The response is malformed" : "535 5.7.8 Authentication credentials invalid");
        co_return;
    }
    if (!verdict) {
      co_await auth_not_now(attempt, user, verdict.error());
      co_return;
    }
    step = mechanism.verified(*verdict);
    verified_ = verdict->has_value();
  }
}

net::Awaitable<void> ServerSession::auth_done(LoginTry attempt, std::string asked, std::string user) {
  // A back end has said yes to this very exchange, or the mechanism alone has.
  if (!std::exchange(verified_, false)) {
    auto verdict = co_await authenticator_->proven(attempt, user);
    if (!verdict) {
      co_await auth_not_now(attempt, asked, verdict.error());
      co_return;
    }
    if (!*verdict) {
      co_await authenticator_->failed(attempt, asked, "this user may not log in", LoginEnd::kWrong);
      say("535 5.7.8 Authentication credentials invalid");
      co_return;
    }
    user = std::move(**verdict);
  }
  authenticator_->succeeded(attempt, user);
  info_.user = std::move(user);
  info_.mechanism = attempt.mechanism;
  if (auto refusal = receiver_.logged_in(info_)) {
    say(*refusal);
    open_ = false;
    co_return;
  }
  say("235 2.7.0 Authentication successful");
}

// Our own trouble, or too many failures: the client may come again (promise 4).
net::Awaitable<void> ServerSession::auth_not_now(LoginTry attempt, std::string user, Error error) {
  // kConflict: the Authenticator itself refuses to ask.
  const LoginEnd end = error.kind == ErrorKind::kConflict ? LoginEnd::kLimited : LoginEnd::kUnavailable;
  co_await authenticator_->failed(attempt, std::move(user), std::move(error.text), end);
  say("454 4.7.0 Temporary authentication failure, try again later");
}

// Sends a challenge; the client's answer, decoded, or nullopt after what was wrong with it was said.
net::Awaitable<std::optional<std::string>> ServerSession::auth_answer(LoginTry attempt, std::string user,
                                                                      std::string challenge) {
  say("334 " + base64(challenge));
  if (!co_await flush()) co_return std::nullopt;
  stream_.expires_after(settings_->idle_timeout);
  auto line = co_await stream_.read_line(auth::kMaxExchange - 2, settings_->fatal_command);
  if (!line) {
    if (line.error().kind != ErrorKind::kTooLarge) {
      co_await authenticator_->failed(attempt, std::move(user), "lost connection or time-out in the exchange",
                                      LoginEnd::kAborted);
      lost(line.error());
      co_return std::nullopt;
    }
    say("500 5.5.6 Authentication exchange line is too long");  // RFC 4954 section 4
    co_return std::nullopt;
  }
  std::optional<std::string> octets = stream_.line_had_crlf() ? unbase64(*line) : std::nullopt;
  if (octets) co_return octets;
  const bool cancelled = *line == "*";
  std::string why = cancelled ? "cancelled by the client" : "the response is not base64";
  co_await authenticator_->failed(attempt, std::move(user), std::move(why), LoginEnd::kAborted);
  say(cancelled ? "501 5.7.0 Authentication cancelled" : "501 5.5.2 The response is not base64");
  co_return std::nullopt;
}

}  // namespace sidegate::smtp
