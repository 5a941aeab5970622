#include "login/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <memory>

#include "base/text.h"
#include "login/user_file.h"

namespace sidegate::login {
namespace {

namespace json = boost::json;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

constexpr std::size_t kMaxToken = 16 * 1024;
constexpr std::int64_t kLeeway = 60;  // seconds: clocks differ

std::unexpected<Error> no(std::string why) {
  return fail(ErrorKind::kAuth, std::move(why));
}

std::string_view view(const json::value& value) {
  const json::string& text = value.get_string();
  return {text.data(), text.size()};
}

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? view(*value) : std::string_view();
}

std::optional<json::object> object_of(std::string_view text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 16;
  json::value value = json::parse(text, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return value.get_object();
}

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Key made_of(const char* type, OSSL_PARAM_BLD* build) {
  Key key(nullptr, &EVP_PKEY_free);
  OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
  EVP_PKEY* made = nullptr;
  if (parameters != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context) == 1 &&
      EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, parameters) == 1)
    key.reset(made);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  return key;
}

// RFC 7518 section 6.3.1
Key rsa_key(const json::object& jwk) {
  auto n = unbase64url(text_of(jwk, "n")), e = unbase64url(text_of(jwk, "e"));
  if (!n || !e || n->size() < 256 || n->size() > 1024 || e->empty() || e->size() > 8) return {nullptr, &EVP_PKEY_free};
  Number modulus(BN_bin2bn(octets(*n), static_cast<int>(n->size()), nullptr), &BN_free);
  Number exponent(BN_bin2bn(octets(*e), static_cast<int>(e->size()), nullptr), &BN_free);
  std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> build(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return made_of("RSA", build.get());
}

// RFC 7518 section 6.2.1
Key ec_key(const json::object& jwk) {
  auto x = unbase64url(text_of(jwk, "x")), y = unbase64url(text_of(jwk, "y"));
  if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != 32 || y->size() != 32)
    return {nullptr, &EVP_PKEY_free};
  const std::string point = "\x04" + *x + *y;
  std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> build(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return made_of("EC", build.get());
}

// RFC 7518 section 3.4: R and S beside each other; OpenSSL wants them in DER.
std::string der_signature(const std::string& pair) {
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(), &ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(octets(pair), 32, nullptr);
  BIGNUM* s = BN_bin2bn(octets(pair) + 32, 32, nullptr);
  ECDSA_SIG_set0(signature.get(), r, s);
  unsigned char* der = nullptr;
  int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::string out(size > 0 ? reinterpret_cast<char*>(der) : "", size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(der);
  return out;
}

bool signed_by(EVP_PKEY* key, std::string_view text, const std::string& signature) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(text), text.size()) == 1;
}

bool fits(const json::object& jwk, std::string_view algorithm, std::string_view kid) {
  if (text_of(jwk, "kty") != (algorithm == "RS256" ? "RSA" : "EC")) return false;
  if (!kid.empty() && !text_of(jwk, "kid").empty() && text_of(jwk, "kid") != kid) return false;
  if (!text_of(jwk, "alg").empty() && text_of(jwk, "alg") != algorithm) return false;
  return text_of(jwk, "use").empty() || text_of(jwk, "use") == "sig";
}

bool is_among(const json::value* value, std::string_view wanted) {
  if (value == nullptr) return false;
  if (value->is_string()) return view(*value) == wanted;
  if (!value->is_array()) return false;
  for (const json::value& one : value->get_array()) {
    if (one.is_string() && view(one) == wanted) return true;
  }
  return false;
}

std::optional<std::int64_t> seconds(const json::object& claims, std::string_view key) {
  const json::value* value = claims.if_contains(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (value->is_double() && value->get_double() > 0 && value->get_double() < 1e15)
    return static_cast<std::int64_t>(value->get_double());
  return std::nullopt;
}

}  // namespace

std::optional<std::string> unbase64url(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  plain.append((4 - plain.size() % 4) % 4, '=');
  return unbase64(plain);
}

bool looks_like_jwt(std::string_view token) {
  auto parts = split(token, '.');
  if (parts.size() != 3) return false;
  auto header = unbase64url(parts[0]);
  return header && object_of(*header).has_value();
}

Result<json::object> jwt_claims(std::string_view token, std::string_view jwks) {
  auto parts = split(token, '.');
  if (token.size() > kMaxToken || parts.size() != 3) return no("the token is not a signed one");
  auto header_text = unbase64url(parts[0]), claims_text = unbase64url(parts[1]), signature = unbase64url(parts[2]);
  auto header = header_text ? object_of(*header_text) : std::nullopt;
  auto claims = claims_text ? object_of(*claims_text) : std::nullopt;
  if (!header || !claims || !signature) return no("the token is malformed");
  // The algorithm is the key's, never what the token alone says ("none", or a public key taken for a shared secret).
  const std::string algorithm(text_of(*header, "alg"));
  if (algorithm != "RS256" && algorithm != "ES256") return no("the token's algorithm is not RS256 or ES256");
  if (header->contains("crit"))
    return no("the token wants an extension that we do not know");  // RFC 7515 section 4.1.11
  auto set = object_of(jwks);
  const json::value* keys = set ? set->if_contains("keys") : nullptr;
  if (keys == nullptr || !keys->is_array()) return fail(ErrorKind::kProtocol, "the set of keys is malformed");
  const std::string_view text = token.substr(0, parts[0].size() + 1 + parts[1].size());
  bool tried = false;
  for (const json::value& one : keys->get_array()) {
    if (!one.is_object() || !fits(one.get_object(), algorithm, text_of(*header, "kid"))) continue;
    Key key = algorithm == "RS256" ? rsa_key(one.get_object()) : ec_key(one.get_object());
    if (!key) continue;
    tried = true;
    if (algorithm == "ES256" && signature->size() != 64) continue;
    if (signed_by(key.get(), text, algorithm == "ES256" ? der_signature(*signature) : *signature))
      return std::move(*claims);
  }
  if (!tried) return fail(ErrorKind::kNotFound, "no key for this token");
  return no("the token's signature is wrong");
}

Result<std::string> user_of_claims(const json::object& claims, const OauthSettings& s, WallTime now, bool must_expire) {
  const std::int64_t at = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  auto expires = seconds(claims, "exp"), begins = seconds(claims, "nbf");
  if (must_expire && !expires) return no("the token has no end");
  if (expires && at >= *expires + kLeeway) return no("the token has expired");
  if (begins && at + kLeeway < *begins) return no("the token is not valid yet");
  if (!s.issuer.empty() && text_of(claims, "iss") != s.issuer) return no("the token is of another issuer");
  if (!s.audience.empty() && !is_among(claims.if_contains("aud"), s.audience))
    return no("the token is for somebody else");
  if (!s.scope.empty()) {
    bool has = is_among(claims.if_contains("scope"), s.scope) || is_among(claims.if_contains("scp"), s.scope);
    for (std::string_view word : split(text_of(claims, "scope"), ' ')) has = has || word == s.scope;
    if (!has) return no("the token's scope is another one");
  }
  std::string user = canonical_name(text_of(claims, s.user_claim));
  if (user.empty()) return no("the token has no claim " + s.user_claim);
  // RFC 7662 and OpenID Connect: an address that its provider has not verified is whatever somebody wrote there.
  const json::value* checked = claims.if_contains("email_verified");
  if (s.user_claim == "email" && checked != nullptr && checked->is_bool() && !checked->get_bool())
    return no("the token's address is not verified");
  return user;
}

}  // namespace sidegate::login
