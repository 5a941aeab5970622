// ClientMechanism by libgsasl: one Gsasl_session an exchange.
#include <gsasl.h>
#include <string.h>

#include <charconv>

#include "auth/client.h"
#include "auth/gsasl_context.h"
#include "auth/mechanisms.h"
#include "base/text.h"

namespace sidegate::auth {
namespace {

// A server names the cost of PBKDF2 (RFC 5802 section 5.1, "i="), and we pay it on an I/O thread: bounded. 600,000 is
// the largest number that is recommended anywhere today.
constexpr std::uint64_t kMaxIterations = 600'000;

// The iteration count of a SCRAM server-first-message "r=...,s=...,i=N"; 0 when there is none (gsasl refuses it then).
std::uint64_t scram_iterations(std::string_view challenge) {
  for (std::string_view part : split(challenge, ',')) {
    if (!part.starts_with("i=")) continue;
    auto number = parse_number(part.substr(2));
    return number ? *number : UINT64_MAX;
  }
  return 0;
}

class GsaslMechanism final : public ClientMechanism {
 public:
  explicit GsaslMechanism(const Mechanism& mechanism) : mechanism_(mechanism), name_(mechanism.name) {}
  GsaslMechanism(const GsaslMechanism&) = delete;
  ~GsaslMechanism() override {
    if (session_ == nullptr) return;
    // gsasl frees its copies without clearing them.
    for (Gsasl_property secret : {GSASL_PASSWORD, GSASL_SCRAM_SALTED_PASSWORD})
      wipe(gsasl_property_fast(session_, secret));
    gsasl_finish(session_);
  }

  Status start(const Credentials& credentials, const Circumstances& circumstances);

  const std::string& name() const override { return name_; }

  Result<std::optional<std::string>> initial() override {
    if (!mechanism_.client_first) return std::optional<std::string>();
    auto response = run({});
    if (!response) return std::unexpected(response.error());
    return std::optional(std::move(*response));
  }

  Result<std::string> step(std::string_view challenge) override {
    if (state_ != GSASL_NEEDS_MORE)
      return fail(ErrorKind::kAuth, name_ + ": the server asks on after the exchange's end");
    if (name_.starts_with("SCRAM-") && scram_iterations(challenge) > kMaxIterations) {
      return fail(ErrorKind::kAuth,
                  fmt::format("{}: the server asks for more than {} hash iterations", name_, kMaxIterations));
    }
    return run(challenge);
  }

  Status finish() override {
    if (state_ == GSASL_OK) return {};
    return fail(ErrorKind::kAuth, mechanism_.proves_server
                                      ? name_ +
                                            ": the server says yes without having proved that it knows the password; "
                                            "it may not be the server it claims to be"
                                      : name_ + ": the server says yes before the exchange's end");
  }

 private:
  static void wipe(const char* secret) {
    if (secret != nullptr) explicit_bzero(const_cast<char*>(secret), strlen(secret));
  }

  Result<std::string> run(std::string_view input) {
    char* output = nullptr;
    std::size_t length = 0;
    state_ = gsasl_step(session_, input.data(), input.size(), &output, &length);
    if (state_ != GSASL_OK && state_ != GSASL_NEEDS_MORE)
      return fail(ErrorKind::kAuth, name_ + ": " + describe(state_));
    std::string response(output == nullptr ? "" : output, length);
    if (output != nullptr) {
      explicit_bzero(output, length);
      gsasl_free(output);
    }
    return response;
  }

  std::string describe(int code) const {
    switch (code) {
      case GSASL_AUTHENTICATION_ERROR:
      case GSASL_INTEGRITY_ERROR:
        return "the server's proof is wrong: it does not know the password, or is not the server it claims to be";
      case GSASL_MECHANISM_PARSE_ERROR:
        return "the server's challenge is malformed, or an error of its own";
      case GSASL_SASLPREP_ERROR:
        return "user or password holds characters that this mechanism cannot carry (RFC 4013)";
      default:
        return gsasl_strerror(code);
    }
  }

  const Mechanism& mechanism_;
  std::string name_;
  Gsasl_session* session_ = nullptr;
  int state_ = GSASL_NEEDS_MORE;
};

Status GsaslMechanism::start(const Credentials& credentials, const Circumstances& c) {
  Gsasl* context = shared_context();
  if (context == nullptr) return fail(ErrorKind::kInternal, "libgsasl cannot be initialised");
  if (int code = gsasl_client_start(context, name_.c_str(), &session_); code != GSASL_OK) {
    return fail(ErrorKind::kAuth, fmt::format("{}: {}", name_, gsasl_strerror(code)));
  }
  bool set = true;
  auto property = [&](Gsasl_property key, const std::string& value) {
    set = set && gsasl_property_set(session_, key, value.c_str()) == GSASL_OK;
  };
  // RFC 4422 appendix A.1: EXTERNAL's own response is the name to act for; none: whom the certificate stands for.
  // With a password the user is somebody for the other mechanisms.
  if (mechanism_.shows == Shows::kNothing)
    property(GSASL_AUTHZID, credentials.password.empty() ? credentials.user : "");
  property(GSASL_AUTHID, credentials.user);
  property(GSASL_PASSWORD, credentials.password);
  property(GSASL_SERVICE, "smtp");  // RFC 4954 section 4, item (1)
  property(GSASL_HOSTNAME, c.host.empty() ? "localhost" : c.host);
  property(GSASL_QOP, "qop-auth");  // DIGEST-MD5: no security layer (TLS is ours)
  // RFC 5802 section 6: "p" with a -PLUS, "n" without. We never say "y" ("I could bind, you offer nothing to bind
  // with"): libgsasl 2.2 refuses its own message then, so without a -PLUS it must not hear of the binding.
  if (mechanism_.binds) {
    property(c.binding_type == "tls-unique" ? GSASL_CB_TLS_UNIQUE : GSASL_CB_TLS_EXPORTER, base64(c.binding_data));
  }
  if (!set) return fail(ErrorKind::kInternal, "libgsasl: out of memory");
  return {};
}

}  // namespace

Result<std::unique_ptr<ClientMechanism>> ClientMechanism::make(const std::string& name, const Credentials& credentials,
                                                               const Circumstances& circumstances) {
  const Mechanism* mechanism = find_mechanism(name);
  if (mechanism == nullptr) return fail(ErrorKind::kAuth, printable(name, 40) + ": not a mechanism we speak");
  // The octet that ends a C string and separates the parts of PLAIN (RFC 4616 section 2).
  if (credentials.user.find('\0') != std::string::npos || credentials.password.find('\0') != std::string::npos) {
    return fail(ErrorKind::kBadInput, "user or password holds a NUL octet");
  }
  // The last guard before a secret leaves, whatever the caller chose (promise 5 of doc/design.md).
  std::vector<std::string> why;
  if (choose({name}, {}, circumstances, &why).empty()) return fail(ErrorKind::kAuth, why.empty() ? name : why.front());
  auto made = std::make_unique<GsaslMechanism>(*mechanism);
  if (Status status = made->start(credentials, circumstances); !status) return std::unexpected(status.error());
  return made;
}

}  // namespace sidegate::auth
