// The table of what we offer, and the mechanisms that only carry credentials: PLAIN (RFC 4616), LOGIN (no RFC; as
// everybody does it), EXTERNAL (RFC 4422 appendix A). Not by libgsasl: its PLAIN prepares the password and so refuses
// octets that a back end of today would take.
#include "auth/server_mechanism.h"

#include "base/text.h"

namespace sidegate::auth {
namespace {

using Kind = ServerStep::Kind;

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxPassword = 4096;

ServerStep ask_for_password(std::string_view user, std::string_view password) {
  if (user.empty() || user.size() > kMaxName || password.empty() || password.size() > kMaxPassword)
    return failed_step("user or password is empty or too long");
  // RFC 4616 section 2: both are UTF-8 without NUL; a name is text. A password may be any octets.
  if (!is_user_text(user)) return failed_step("the user's name is not text");
  if (password.find('\0') != std::string_view::npos) return malformed_step("NUL in the password");
  return {.kind = Kind::kPassword, .user = std::string(user), .password = std::string(password)};
}

class WithPassword : public ServerMechanism {
 public:
  ServerStep verified(const std::optional<std::string>& user) override {
    if (!user) return failed_step("wrong user or password");
    return {.kind = Kind::kDone, .user = *user};
  }
};

class Plain final : public WithPassword {
 public:
  ServerStep begin(std::optional<std::string_view> initial) override {
    if (!initial) return {.kind = Kind::kChallenge};
    return response(*initial);
  }
  // RFC 4616 section 2: [authzid] NUL authcid NUL passwd
  ServerStep response(std::string_view octets) override {
    auto parts = split(octets, '\0');
    if (parts.size() != 3) return malformed_step("PLAIN: not three parts");
    // To act as somebody else is not offered.
    if (!parts[0].empty() && parts[0] != parts[1]) return failed_step("PLAIN: to act as another user is not allowed");
    return ask_for_password(parts[1], parts[2]);
  }
};

class Login final : public WithPassword {
 public:
  ServerStep begin(std::optional<std::string_view> initial) override {
    if (!initial) return {.kind = Kind::kChallenge, .text = "Username:"};
    return response(*initial);
  }
  ServerStep response(std::string_view octets) override {
    if (user_) return ask_for_password(*user_, octets);
    user_ = octets.substr(0, kMaxName + 1);
    return {.kind = Kind::kChallenge, .text = "Password:"};
  }

 private:
  std::optional<std::string> user_;
};

class External final : public ServerMechanism {
 public:
  explicit External(std::string certificate) : certificate_(std::move(certificate)) {}
  ServerStep begin(std::optional<std::string_view> initial) override {
    if (!initial) return {.kind = Kind::kChallenge};
    return response(*initial);
  }
  ServerStep response(std::string_view authzid) override {
    if (!authzid.empty() && authzid != certificate_) return failed_step("EXTERNAL: the certificate names another user");
    return {.kind = Kind::kDone, .user = certificate_};
  }

 private:
  std::string certificate_;
};

}  // namespace

ServerStep failed_step(std::string why) {
  return {.kind = Kind::kFailed, .text = std::move(why)};
}

ServerStep malformed_step(std::string why) {
  return {.kind = Kind::kFailed, .text = std::move(why), .malformed = true};
}

bool is_user_text(std::string_view text) {
  if (!is_utf8(text)) return false;
  for (char c : text) {
    if (is_control(c)) return false;
  }
  return true;
}

ServerStep ServerMechanism::secret(const Secret&) {
  return failed_step("no secret was asked for");
}

ServerStep ServerMechanism::verified(const std::optional<std::string>&) {
  return failed_step("no verdict was asked for");
}

const std::vector<ServerMechanismRow>& server_mechanisms() {
  static const std::vector<ServerMechanismRow> kRows = {
      {"SCRAM-SHA-256-PLUS", Needs::kScramSha256, true},
      {"SCRAM-SHA-256", Needs::kScramSha256},
      {"SCRAM-SHA-1-PLUS", Needs::kScramSha1, true},
      {"SCRAM-SHA-1", Needs::kScramSha1},
      {"PLAIN", Needs::kPassword},
      {"LOGIN", Needs::kPassword},
      {"OAUTHBEARER", Needs::kToken},
      {"XOAUTH2", Needs::kToken},
      {"EXTERNAL", Needs::kCertificate},
      {"CRAM-MD5", Needs::kPlainSecret},
  };
  return kRows;
}

const ServerMechanismRow* find_server_mechanism(std::string_view name) {
  for (const ServerMechanismRow& row : server_mechanisms()) {
    if (iequals(row.name, name)) return &row;
  }
  return nullptr;
}

std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name, ServerCircumstances c) {
  const ServerMechanismRow* row = find_server_mechanism(name);
  if (row == nullptr || (row->binds && c.binding_data.empty())) return nullptr;
  if (row->name == "PLAIN") return std::make_unique<Plain>();
  if (row->name == "LOGIN") return std::make_unique<Login>();
  if (row->name == "EXTERNAL") return c.external.empty() ? nullptr : std::make_unique<External>(std::move(c.external));
  if (row->needs == Needs::kToken) return make_bearer_mechanism(row->name);
  return make_gsasl_mechanism(*row, std::move(c));
}

}  // namespace sidegate::auth
