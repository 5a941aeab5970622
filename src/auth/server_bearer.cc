// OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's and Microsoft's older form): the client brings a token, we hand it out
// to be checked. A refusal is told in JSON, which the client answers before the exchange ends (RFC 7628 section 3.2.3).
#include "auth/server_mechanism.h"
#include "base/text.h"

namespace sidegate::auth {
namespace {

using Kind = ServerStep::Kind;

// RFC 6750 section 2.1: b64token
bool is_token(std::string_view text) {
  std::size_t padding = text.find('=');
  std::string_view body = text.substr(0, padding);
  if (body.empty()) return false;
  for (char c : body) {
    if (!is_alpha(c) && !is_digit(c) && std::string_view("-._~+/").find(c) == std::string_view::npos) return false;
  }
  return padding == std::string_view::npos || text.find_first_not_of('=', padding) == std::string_view::npos;
}

// The value of KEY in "key=value ^A key=value ^A ^A"; nullopt: malformed or not there.
std::optional<std::string_view> value_of(std::string_view pairs, std::string_view key) {
  if (!pairs.ends_with("\x01\x01")) return std::nullopt;
  pairs.remove_suffix(2);
  for (std::string_view pair : split(pairs, '\x01')) {
    if (istarts_with(pair, key) && pair.size() > key.size() && pair[key.size()] == '=')
      return pair.substr(key.size() + 1);
  }
  return std::nullopt;
}

// RFC 5801 section 4: saslname, "=2C" for a comma and "=3D" for "=".
std::optional<std::string> sasl_name(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
    } else if (text.substr(i, 3) == "=2C") {
      out += ',';
      i += 2;
    } else if (text.substr(i, 3) == "=3D") {
      out += '=';
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

class Bearer final : public ServerMechanism {
 public:
  explicit Bearer(bool google) : google_(google) {}

  ServerStep begin(std::optional<std::string_view> initial) override {
    if (!initial) return {.kind = Kind::kChallenge};
    return response(*initial);
  }

  ServerStep response(std::string_view octets) override {
    if (refused_) return failed_step("the token is not accepted");
    std::optional<std::string> user = google_ ? std::string(value_of(octets, "user").value_or("")) : claimed(octets);
    auto auth = value_of(octets, "auth");
    if (!user || !auth) return malformed_step("the message is not of this mechanism");
    if (!is_user_text(*user)) return failed_step("the user's name is not text");
    if (!istarts_with(*auth, "Bearer ")) return refuse();
    std::string_view token = trim(auth->substr(7));
    if (!is_token(token)) return refuse();
    return {.kind = Kind::kToken, .user = std::move(*user), .password = std::string(token)};
  }

  ServerStep verified(const std::optional<std::string>& user) override {
    if (!user) return refuse();
    return {.kind = Kind::kDone, .user = *user};
  }

 private:
  // RFC 7628 section 3.1: gs2-header ("n,a=user,"), then the pairs.
  static std::optional<std::string> claimed(std::string_view octets) {
    std::size_t end = octets.find('\x01');
    if (end == std::string_view::npos) return std::nullopt;
    auto parts = split(octets.substr(0, end), ',');
    if (parts.size() != 3 || !parts[2].empty() || (parts[0] != "n" && parts[0] != "y")) return std::nullopt;
    if (parts[1].empty()) return "";
    if (!parts[1].starts_with("a=")) return std::nullopt;
    return sasl_name(parts[1].substr(2));
  }

  ServerStep refuse() {
    refused_ = true;
    return {.kind = Kind::kChallenge,
            .text = google_ ? R"({"status":"401","schemes":"bearer"})" : R"({"status":"invalid_token"})"};
  }

  bool google_;
  bool refused_ = false;
};

}  // namespace

std::unique_ptr<ServerMechanism> make_bearer_mechanism(std::string_view name) {
  return std::make_unique<Bearer>(name == "XOAUTH2");
}

}  // namespace sidegate::auth
