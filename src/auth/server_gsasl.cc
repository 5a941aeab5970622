// SCRAM (RFC 5802, 7677) and CRAM-MD5 (RFC 2195) by libgsasl. It wants the secret inside the step that reads the user's
// name, and we must wait for it: so the step is taken on a session that knows nobody, only to learn the name, and run
// again when the secret is here.
#include <gsasl.h>
#include <string.h>

#include "auth/gsasl_context.h"
#include "auth/server_mechanism.h"
#include "base/text.h"

namespace sidegate::auth {
namespace {

using Kind = ServerStep::Kind;

class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  ~Session() { end(); }

  bool start(const std::string& mechanism) {
    end();
    Gsasl* context = shared_context();
    return context != nullptr && gsasl_server_start(context, mechanism.c_str(), &session_) == GSASL_OK;
  }
  bool set(Gsasl_property key, const std::string& value) {
    return gsasl_property_set(session_, key, value.c_str()) == GSASL_OK;
  }
  std::string get(Gsasl_property key) {
    const char* value = gsasl_property_fast(session_, key);
    return value == nullptr ? "" : value;
  }
  int step(std::string_view input, std::string& output) {
    char* out = nullptr;
    std::size_t size = 0;
    int code = gsasl_step(session_, input.data(), input.size(), &out, &size);
    output.assign(out == nullptr ? "" : out, out == nullptr ? 0 : size);
    if (out != nullptr) gsasl_free(out);
    return code;
  }

 private:
  void end() {
    if (session_ == nullptr) return;
    for (Gsasl_property secret : {GSASL_PASSWORD, GSASL_SCRAM_SERVERKEY, GSASL_SCRAM_STOREDKEY}) {
      const char* value = gsasl_property_fast(session_, secret);  // gsasl frees its copies without clearing them
      if (value != nullptr) explicit_bzero(const_cast<char*>(value), strlen(value));
    }
    gsasl_finish(session_);
    session_ = nullptr;
  }
  Gsasl_session* session_ = nullptr;
};

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

class Gs : public ServerMechanism {
 public:
  Gs(const ServerMechanismRow& row, ServerCircumstances c) : row_(row), name_(row.name), circumstances_(std::move(c)) {}

 protected:
  ServerStep judge(int code) const {
    switch (code) {
      case GSASL_MECHANISM_PARSE_ERROR:
      case GSASL_BASE64_ERROR:
      case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
        return malformed_step(name_ + ": the message is malformed");
      case GSASL_AUTHENTICATION_ERROR:
      case GSASL_SASLPREP_ERROR:
        return failed_step("wrong user or password");
      default:
        return failed_step(name_ + ": " + gsasl_strerror(code));
    }
  }

  const ServerMechanismRow& row_;
  std::string name_;
  ServerCircumstances circumstances_;
  Session session_;
  std::string user_;
};

class Scram final : public Gs {
 public:
  using Gs::Gs;

  ServerStep begin(std::optional<std::string_view> initial) override {
    if (!initial) return {.kind = Kind::kChallenge};
    return response(*initial);
  }

  ServerStep response(std::string_view octets) override {
    if (has_nul(octets)) return malformed_step(name_ + ": NUL in a message");
    switch (at_) {
      case At::kFirst:
        return first(octets);
      case At::kFinal:
        return final(octets);
      case At::kProven:
        // The server's proof stood in a challenge, since SMTP's 235 carries none; the client takes note of it (RFC 4422
        // section 5, item 2d).
        return octets.empty() ? ServerStep{.kind = Kind::kDone, .user = user_}
                              : malformed_step(name_ + ": more after the end");
      default:
        return malformed_step(name_ + ": out of order");
    }
  }

  ServerStep secret(const Secret& secret) override {
    const auto& keys = row_.needs == Needs::kScramSha1 ? secret.sha1 : secret.sha256;
    if (at_ != At::kSecret || !keys) return failed_step("wrong user or password");
    bool ready = open_session() && session_.set(GSASL_SCRAM_ITER, std::to_string(keys->iterations)) &&
                 session_.set(GSASL_SCRAM_SALT, base64(keys->salt)) &&
                 session_.set(GSASL_SCRAM_STOREDKEY, base64(keys->stored_key)) &&
                 session_.set(GSASL_SCRAM_SERVERKEY, base64(keys->server_key));
    if (!ready) return failed_step("libgsasl: out of memory");
    std::string out;
    if (int code = session_.step(first_, out); code != GSASL_NEEDS_MORE) return judge(code);
    at_ = At::kFinal;
    return {.kind = Kind::kChallenge, .text = std::move(out)};
  }

 private:
  enum class At : std::uint8_t { kFirst, kSecret, kFinal, kProven };

  bool open_session() {
    if (!session_.start(name_)) return false;
    if (!row_.binds) return true;
    return session_.set(circumstances_.binding_type == "tls-unique" ? GSASL_CB_TLS_UNIQUE : GSASL_CB_TLS_EXPORTER,
                        base64(circumstances_.binding_data));
  }

  // gs2-cbind-flag (RFC 5802 section 6): "p=..." is for a -PLUS and with our kind of binding; "y" says that we offered
  // no -PLUS, and where we did somebody has changed our words on the way.
  std::optional<ServerStep> wrong_binding(std::string_view octets) const {
    if (row_.binds) {
      if (octets.starts_with("p=" + circumstances_.binding_type + ",")) return std::nullopt;
      return failed_step(name_ + ": not bound to this TLS connection");
    }
    if (octets.starts_with("p=")) return failed_step(name_ + ": a binding belongs to the -PLUS mechanism");
    if (octets.starts_with("y") && !circumstances_.binding_data.empty())
      return failed_step(name_ + ": the client was told of no -PLUS mechanism, which was offered");
    return std::nullopt;
  }

  ServerStep first(std::string_view octets) {
    if (auto wrong = wrong_binding(octets)) return *wrong;
    if (octets.empty()) return malformed_step(name_ + ": empty message");
    std::string out;
    if (!open_session()) return failed_step("libgsasl: out of memory");
    if (int code = session_.step(octets, out); code != GSASL_NEEDS_MORE) return judge(code);
    user_ = session_.get(GSASL_AUTHID);
    std::string other = session_.get(GSASL_AUTHZID);
    if (!other.empty() && other != user_) return failed_step(name_ + ": to act as another user is not allowed");
    if (!is_user_text(user_)) return failed_step("the user's name is not text");
    first_ = octets;
    at_ = At::kSecret;
    return {.kind = Kind::kSecret, .user = user_};
  }

  ServerStep final(std::string_view octets) {
    std::string out;
    if (int code = session_.step(octets, out); code != GSASL_OK) return judge(code);
    at_ = At::kProven;
    return {.kind = Kind::kChallenge, .text = std::move(out)};
  }

  At at_ = At::kFirst;
  std::string first_;
};

class CramMd5 final : public Gs {
 public:
  using Gs::Gs;

  ServerStep begin(std::optional<std::string_view> initial) override {
    // RFC 4954 section 4: the server speaks first here.
    if (initial) return malformed_step("CRAM-MD5 takes no initial response");
    std::string challenge;
    if (!session_.start(name_)) return failed_step("libgsasl: out of memory");
    if (int code = session_.step({}, challenge); code != GSASL_NEEDS_MORE) return judge(code);
    return {.kind = Kind::kChallenge, .text = std::move(challenge)};
  }

  ServerStep response(std::string_view octets) override {
    if (has_nul(octets) || octets.empty()) return malformed_step("CRAM-MD5: the message is malformed");
    std::string out;
    int code = session_.step(octets, out);  // knows no password: says only whom it would need
    if (code != GSASL_NO_PASSWORD)
      return code == GSASL_OK ? failed_step("libgsasl: no password was asked") : judge(code);
    user_ = session_.get(GSASL_AUTHID);
    if (!is_user_text(user_)) return failed_step("the user's name is not text");
    digest_ = octets;
    return {.kind = Kind::kSecret, .user = user_};
  }

  ServerStep secret(const Secret& secret) override {
    if (digest_.empty() || !secret.password) return failed_step("wrong user or password");
    if (!session_.set(GSASL_PASSWORD, *secret.password)) return failed_step("libgsasl: out of memory");
    std::string out;
    if (int code = session_.step(digest_, out); code != GSASL_OK) return judge(code);
    return {.kind = Kind::kDone, .user = user_};
  }

 private:
  std::string digest_;
};

}  // namespace

std::unique_ptr<ServerMechanism> make_gsasl_mechanism(const ServerMechanismRow& row, ServerCircumstances c) {
  if (row.needs == Needs::kPlainSecret) return std::make_unique<CramMd5>(row, std::move(c));
  return std::make_unique<Scram>(row, std::move(c));
}

}  // namespace sidegate::auth
