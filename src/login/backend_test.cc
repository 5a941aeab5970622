// What back ends say, and what is made of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "base/text.h"
#include "login/backend.h"
#include "login/dovecot_answer.h"
#include "login/jwt.h"
#include "login/ldap_name.h"

namespace sidegate::login::backend_test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(DovecotAnswer, Lines) {
  EXPECT_EQ(**dovecot_answer("OK\t1\tuser=Me@example.org\toriginal_user=x", "me"), "me@example.org");
  EXPECT_EQ(**dovecot_answer("OK\t1", "Me"), "me");
  EXPECT_EQ(**dovecot_answer("FAIL\t1\tuser=me\tuser_disabled", "me"), std::nullopt);
  EXPECT_FALSE(*dovecot_answer("FAIL\t1\tuser=me\ttemp", "me"));
  EXPECT_FALSE(*dovecot_answer("CONT\t1\t", "me"));
  EXPECT_FALSE(*dovecot_answer("OK\t1\tuser=a b", "me"));
  for (const char* other : {"", "OK", "OK\t2\tuser=me", "SPID\t1", "NOTFOUND\t1"})
    EXPECT_EQ(dovecot_answer(other, "me"), std::nullopt);
}

TEST(LdapName, NothingGetsOutOfItsPlace) {
  EXPECT_EQ(filled("uid=%u,ou=p", "a,b=c", dn_escaped), "uid=a\\,b\\=c,ou=p");
  EXPECT_EQ(filled("uid=%n,dc=%d", "me@example.org", dn_escaped), "uid=me,dc=example.org");
  EXPECT_EQ(filled("(uid=%u)", "*)(uid=*", filter_escaped), "(uid=\\2a\\29\\28uid=\\2a)");
  EXPECT_EQ(dn_escaped(" #a\\ "), "\\ #a\\\\\\ ");
  EXPECT_EQ(dn_escaped("#a"), "\\#a");
  EXPECT_EQ(filled("100%%%", "x", dn_escaped), "100%%");
}

// --- servers on a Unix socket

class FakeServer {
 public:
  // Sends greeting, reads until something is there, sends the answer (none: says nothing and keeps the connection).
  FakeServer(std::string greeting, std::string answer) {
    path = "/tmp/sidegate-login-" + std::to_string(getpid()) + "-" + std::to_string(++count);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    unlink(path.c_str());
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 5), 0);
    thread_ = std::thread([this, greeting, answer] {
      int peer = accept(fd_, nullptr, nullptr);
      if (peer < 0) return;
      (void)!write(peer, greeting.data(), greeting.size());
      char some[4096];
      for (;;) {
        ssize_t n = read(peer, some, sizeof some);
        if (n <= 0) break;
        asked.append(some, static_cast<std::size_t>(n));
        bool whole = greeting.empty() || asked.find("AUTH\t") != std::string::npos;
        if (whole && !answer.empty()) {
          (void)!write(peer, answer.data(), answer.size());
          if (answer == "close") break;
        }
      }
      close(peer);
    });
  }
  ~FakeServer() {
    shutdown(fd_, SHUT_RDWR);
    close(fd_);
    thread_.join();
    unlink(path.c_str());
  }
  void end() {}
  std::string path, asked;

 private:
  static inline int count = 0;
  int fd_;
  std::thread thread_;
};

SteadyTime soon(Duration d) {
  return SteadyTime(std::chrono::steady_clock::now()) + d;
}

const char* kGreeting = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n";

TEST(DovecotBackend, AsksAndUnderstands) {
  FakeServer server(kGreeting, "OK\t1\tuser=me\n");
  auto verdict = make_dovecot_backend(server.path)->password("Me", "pass", soon(20s));
  ASSERT_TRUE(verdict) << verdict.error().text;
  EXPECT_EQ(*verdict, "me");
}

TEST(DovecotBackend, TroubleIsNoVerdict) {
  EXPECT_FALSE(make_dovecot_backend("/nonexistent/auth")->password("me", "pass", soon(5s)));
  FakeServer silent("", "");
  auto verdict = make_dovecot_backend(silent.path)->password("me", "pass", soon(50ms));
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().kind, ErrorKind::kTimeout);
  FakeServer other("VERSION\t9\t0\nDONE\n", "OK\t1\n");
  EXPECT_FALSE(make_dovecot_backend(other.path)->password("me", "pass", soon(20s)));
}

TEST(SaslauthdBackend, CountedStrings) {
  {
    FakeServer server("", std::string("\0\2OK", 4));
    auto verdict = make_saslauthd_backend(server.path)->password("Me", "pass", soon(20s));
    ASSERT_TRUE(verdict) << verdict.error().text;
    EXPECT_EQ(*verdict, "me");
  }
  {
    FakeServer server("", std::string("\0\2NO", 4));
    auto verdict = make_saslauthd_backend(server.path)->password("me", "pass", soon(20s));
    ASSERT_TRUE(verdict);
    EXPECT_EQ(*verdict, std::nullopt);
  }
  FakeServer server("", std::string("\xff\xff", 2));
  EXPECT_FALSE(make_saslauthd_backend(server.path)->password("me", "pass", soon(20s)));
}

// --- signed tokens

std::string url64(std::string_view octets) {
  std::string text = base64(octets);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string number_of(EVP_PKEY* key, const char* name, int size) {
  BIGNUM* n = nullptr;
  EVP_PKEY_get_bn_param(key, name, &n);
  std::string out(static_cast<std::size_t>(size ? size : BN_num_bytes(n)), '\0');
  BN_bn2binpad(n, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()));
  BN_free(n);
  return out;
}

struct Signer {
  EVP_PKEY* key;
  std::string alg, kid;
  explicit Signer(bool rsa, std::string k)
      : key(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")), alg(rsa ? "RS256" : "ES256"), kid(std::move(k)) {}
  ~Signer() { EVP_PKEY_free(key); }
  std::string jwk() const {
    if (alg == "RS256")
      return R"({"kty":"RSA","kid":")" + kid + R"(","n":")" + url64(number_of(key, OSSL_PKEY_PARAM_RSA_N, 0)) +
             R"(","e":")" + url64(number_of(key, OSSL_PKEY_PARAM_RSA_E, 0)) + "\"}";
    return R"({"kty":"EC","crv":"P-256","kid":")" + kid + R"(","x":")" +
           url64(number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, 32)) + R"(","y":")" +
           url64(number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32)) + "\"}";
  }
  std::string sign(const std::string& claims, std::string header = "") const {
    if (header.empty()) header = R"({"alg":")" + alg + R"(","kid":")" + kid + "\"}";
    std::string text = url64(header) + "." + url64(claims);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
    std::size_t size = 0;
    auto octets = reinterpret_cast<const unsigned char*>(text.data());
    EVP_DigestSign(context, nullptr, &size, octets, text.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, octets, text.size());
    signature.resize(size);
    EVP_MD_CTX_free(context);
    if (alg == "ES256") {
      auto der = reinterpret_cast<const unsigned char*>(signature.data());
      ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(signature.size()));
      std::string out(64, '\0');
      BN_bn2binpad(ECDSA_SIG_get0_r(pair), reinterpret_cast<unsigned char*>(out.data()), 32);
      BN_bn2binpad(ECDSA_SIG_get0_s(pair), reinterpret_cast<unsigned char*>(out.data()) + 32, 32);
      ECDSA_SIG_free(pair);
      signature = out;
    }
    return text + "." + url64(signature);
  }
};

TEST(Jwt, SignaturesOfBothKinds) {
  Signer rsa(true, "one"), ec(false, "two"), stranger(false, "two");
  const std::string jwks = R"({"keys":[)" + rsa.jwk() + "," + ec.jwk() + "]}";
  for (const Signer* signer : {&rsa, &ec}) {
    auto claims = jwt_claims(signer->sign(R"({"email":"me@example.org"})"), jwks);
    ASSERT_TRUE(claims) << claims.error().text;
    EXPECT_EQ(claims->at("email").as_string(), "me@example.org");
  }
  EXPECT_EQ(jwt_claims(stranger.sign("{}"), jwks).error().kind, ErrorKind::kAuth);
  Signer unknown(true, "three");
  EXPECT_EQ(jwt_claims(unknown.sign("{}"), jwks).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(jwt_claims(rsa.sign("{}", R"({"alg":"none","kid":"one"})"), jwks));
  EXPECT_FALSE(jwt_claims(rsa.sign("{}", R"({"alg":"HS256","kid":"one"})"), jwks));
  EXPECT_FALSE(jwt_claims(rsa.sign("{}", R"({"alg":"RS256","kid":"one","crit":["x"]})"), jwks));
  std::string changed = rsa.sign(R"({"email":"me@example.org"})");
  changed[changed.find('.') + 12] ^= 1;
  EXPECT_FALSE(jwt_claims(changed, jwks));
  for (const char* bad : {"", "a.b", "a.b.c.d", "..", "e30.e30."}) EXPECT_FALSE(jwt_claims(bad, jwks)) << bad;
  EXPECT_FALSE(jwt_claims(rsa.sign("{}"), "[]"));
  EXPECT_TRUE(looks_like_jwt(rsa.sign("{}")));
  EXPECT_FALSE(looks_like_jwt("ya29.a0AfB.c"));
}

TEST(Claims, AllThatIsAskedMustBeSaid) {
  const WallTime now{1'000'000s};
  OauthSettings s;
  s.issuer = "https://id.example";
  s.audience = "mail";
  s.scope = "smtp";
  auto user = [&](const std::string& text, bool must_expire = true) {
    return user_of_claims(boost::json::parse(text).as_object(), s, now, must_expire);
  };
  const std::string good =
      R"("iss":"https://id.example","aud":["x","mail"],"scope":"openid smtp","email":"Me@example.org")";
  EXPECT_EQ(user("{" + good + R"(,"exp":1000100})").value_or(""), "me@example.org");
  EXPECT_FALSE(user("{" + good + "}"));
  EXPECT_TRUE(user("{" + good + "}", false));
  EXPECT_FALSE(user("{" + good + R"(,"exp":999900})"));
  EXPECT_TRUE(user("{" + good + R"(,"exp":999990})"));  // clocks differ
  EXPECT_FALSE(user("{" + good + R"(,"exp":1000100,"nbf":1000090})"));
  EXPECT_FALSE(user("{" + good + R"(,"exp":1000100,"email_verified":false})"));
  for (const char* without : {"https://id.example", "mail", "smtp", "Me@example.org"}) {
    std::string text = good;
    text.replace(text.find(without), strlen(without), "");
    EXPECT_FALSE(user("{" + text + R"(,"exp":1000100})")) << without;
  }
}

}  // namespace
}  // namespace sidegate::login::backend_test
