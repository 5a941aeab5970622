// Bearer tokens: asked about at the provider (RFC 7662), or verified by its public keys (RFC 7517), which are fetched
// and kept for a while.
#include <curl/curl.h>

#include <mutex>

#include "base/text.h"
#include "login/backend.h"
#include "login/jwt.h"

namespace sidegate::login {
namespace {

constexpr std::size_t kMaxBody = 1 << 20;
constexpr auto kKeepKeys = std::chrono::hours(1);
constexpr auto kAskAgain = std::chrono::minutes(1);  // for a key that is not in the set: at most so often

std::size_t take(char* data, std::size_t, std::size_t n, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + n > kMaxBody) return 0;
  body.append(data, n);
  return n;
}

struct Easy {
  CURL* handle = curl_easy_init();
  ~Easy() { curl_easy_cleanup(handle); }
};

std::string form_value(CURL* curl, const std::string& text) {
  char* escaped = curl_easy_escape(curl, text.c_str(), static_cast<int>(text.size()));
  std::string out = escaped == nullptr ? "" : escaped;
  curl_free(escaped);
  return out;
}

class OauthBackend final : public Backend {
 public:
  OauthBackend(OauthSettings settings, Clock& clock) : s_(std::move(settings)), clock_(clock) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)ready;
  }
  bool takes_passwords() const override { return false; }
  bool takes_tokens() const override { return true; }
  Verdict password(const std::string&, const std::string&, SteadyTime) override { return std::nullopt; }

  Verdict token(const std::string& claimed, const std::string& token, SteadyTime until) override {
    const bool by_keys = has_keys() && (looks_like_jwt(token) || s_.introspection_url.empty());
    Result<std::string> user = by_keys ? by_signature(token, until) : by_question(token, until);
    if (!user) {
      if (user.error().kind == ErrorKind::kAuth) return std::nullopt;
      return std::unexpected(user.error());
    }
    // RFC 7628 section 3.1: whom the client says it is must be whom the token is for.
    if (!claimed.empty() && canonical_name(claimed) != *user) return std::nullopt;
    return *user;
  }

 private:
  bool has_keys() const { return !s_.jwks.empty() || !s_.jwks_url.empty(); }

  Result<std::string> by_signature(const std::string& token, SteadyTime until) {
    auto keys = key_set(until, false);
    if (!keys) return std::unexpected(keys.error());
    auto claims = jwt_claims(token, *keys);
    if (!claims && claims.error().kind == ErrorKind::kNotFound) {
      keys = key_set(until, true);
      if (!keys) return std::unexpected(keys.error());
      claims = jwt_claims(token, *keys);
      if (!claims && claims.error().kind == ErrorKind::kNotFound) return fail(ErrorKind::kAuth, claims.error().text);
    }
    if (!claims) return std::unexpected(claims.error());
    return user_of_claims(*claims, s_, clock_.wall(), true);
  }

  Result<std::string> key_set(SteadyTime until, bool missing) {
    if (!s_.jwks.empty()) return s_.jwks;
    {
      std::lock_guard lock(mutex_);
      const auto age = clock_.steady() - fetched_;
      if (!keys_.empty() && age < (missing ? Duration(kAskAgain) : Duration(kKeepKeys))) return keys_;
    }
    auto text = request(s_.jwks_url, {}, until);
    std::lock_guard lock(mutex_);
    if (!text) {
      if (!keys_.empty()) return keys_;  // an old set is better than none
      return text;
    }
    keys_ = std::move(*text);
    fetched_ = clock_.steady();
    return keys_;
  }

  Result<std::string> by_question(const std::string& token, SteadyTime until) {
    if (s_.introspection_url.empty()) return fail(ErrorKind::kAuth, "tokens are not taken");
    auto text = request(s_.introspection_url, token, until);
    if (!text) return std::unexpected(text.error());
    boost::system::error_code error;
    boost::json::value value = boost::json::parse(*text, error);
    if (error || !value.is_object())
      return fail(ErrorKind::kProtocol, "the provider's answer about a token is malformed");
    const boost::json::object& claims = value.get_object();
    const boost::json::value* active = claims.if_contains("active");
    if (active == nullptr || !active->is_bool() || !active->get_bool()) return fail(ErrorKind::kAuth, "not active");
    return user_of_claims(claims, s_, clock_.wall(), false);
  }

  // GET, or with a token a POST that asks about it (RFC 7662 section 2.1).
  Result<std::string> request(const std::string& url, const std::string& token, SteadyTime until) const {
    Easy easy;
    CURL* curl = easy.handle;
    const int left = milliseconds_left(until);
    if (curl == nullptr || left == 0) return fail(ErrorKind::kTimeout, "no answer in time");
    std::string body, form = "token_type_hint=access_token&token=" + form_value(curl, token);
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);  // a token and our secret go where the configuration says
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(left));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    if (!s_.ca_pem.empty()) {
      curl_blob trusted{const_cast<char*>(s_.ca_pem.data()), s_.ca_pem.size(), CURL_BLOB_NOCOPY};
      curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &trusted);
    } else if (!s_.ca_file.empty()) {
      curl_easy_setopt(curl, CURLOPT_CAINFO, s_.ca_file.c_str());
    }
    if (!token.empty()) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(form.size()));
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form.c_str());
      if (!s_.client_id.empty()) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
        curl_easy_setopt(curl, CURLOPT_USERNAME, form_value(curl, s_.client_id).c_str());  // RFC 6749 section 2.3.1
        curl_easy_setopt(curl, CURLOPT_PASSWORD, form_value(curl, s_.client_secret).c_str());
      }
    }
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
      bool late = code == CURLE_OPERATION_TIMEDOUT;
      return fail(late ? ErrorKind::kTimeout : ErrorKind::kUnreachable,
                  fmt::format("{}: {}", url, curl_easy_strerror(code)));
    }
    if (status != 200) return fail(ErrorKind::kUnreachable, fmt::format("{}: HTTP {}", url, status));
    return body;
  }

  OauthSettings s_;
  Clock& clock_;
  std::mutex mutex_;
  std::string keys_;
  SteadyTime fetched_{};
};

}  // namespace

std::unique_ptr<Backend> make_oauth_backend(OauthSettings settings, Clock& clock) {
  return std::make_unique<OauthBackend>(std::move(settings), clock);
}

}  // namespace sidegate::login
