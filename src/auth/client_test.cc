#include "auth/client.h"

#include <gmock/gmock.h>
#include <gsasl.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "auth/mechanisms.h"
#include "base/text.h"

// gsasl takes its client nonces from here, through its own exported symbol: the vectors of the RFCs fix them.
static std::string fixed_nonce;
extern "C" int gsasl_nonce(char* data, size_t length) {
  if (fixed_nonce.size() == length) {
    memcpy(data, fixed_nonce.data(), length);
    return GSASL_OK;
  }
  return gsasl_random(data, length);
}

namespace sidegate::auth::client_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::vector<std::string> kAll = {"LOGIN",       "PLAIN",         "CRAM-MD5",         "DIGEST-MD5",
                                       "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"};

Circumstances verified(bool binding = false) {
  Circumstances c;
  c.tls = c.tls_verified = true;
  c.host = "mail.example.net";
  if (binding) {
    c.binding_type = "tls-exporter";
    c.binding_data = std::string("\x01\x00\xff binding", 11);
  }
  return c;
}
Circumstances clear(InsecureAuth insecure) {
  Circumstances c;
  c.insecure = insecure;
  return c;
}
Circumstances unverified(InsecureAuth insecure, bool binding = false) {
  Circumstances c = verified(binding);
  c.tls_verified = false;
  c.insecure = insecure;
  return c;
}

std::string chosen(const Circumstances& c, const std::vector<std::string>& offered = kAll,
                   const std::vector<std::string>& allowed = {}) {
  return fmt::format("{}", fmt::join(choose(offered, allowed, c, nullptr), " "));
}

TEST(Choose, StrongestFirstWhereTheCircumstancesAllow) {
  const std::string challenge = "SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5";
  const std::string plus = "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS ";
  EXPECT_EQ(chosen(verified(true)), plus + challenge + " PLAIN LOGIN");
  EXPECT_EQ(chosen(verified()), challenge + " PLAIN LOGIN");
  EXPECT_EQ(chosen(clear(InsecureAuth::kNever)), "");
  EXPECT_EQ(chosen(clear(InsecureAuth::kChallenge)), challenge);
  EXPECT_EQ(chosen(clear(InsecureAuth::kAll)), challenge + " PLAIN LOGIN");
  // TLS with a certificate that is not verified is no TLS, as far as secrets go.
  EXPECT_EQ(chosen(unverified(InsecureAuth::kNever)), "");
  EXPECT_EQ(chosen(unverified(InsecureAuth::kNever, true)), "");
  EXPECT_EQ(chosen(unverified(InsecureAuth::kChallenge)), challenge);
  EXPECT_EQ(chosen(unverified(InsecureAuth::kChallenge, true)), plus + challenge);
  EXPECT_EQ(chosen(unverified(InsecureAuth::kAll)), challenge + " PLAIN LOGIN");
}

TEST(Choose, OfferedAndAllowedNarrow) {
  EXPECT_EQ(chosen(verified(), {"login", "Plain", "XOAUTH2"}), "PLAIN LOGIN");
  EXPECT_EQ(chosen(verified(), kAll, {"plain", "cram-md5"}), "CRAM-MD5 PLAIN");
  EXPECT_EQ(chosen(verified(), {"XOAUTH2", "OAUTHBEARER", "GSSAPI"}), "");
  EXPECT_EQ(chosen(verified(), {}), "");
  EXPECT_EQ(chosen(verified(), {"PLAIN", "PLAIN", "LOGIN", "PLAIN"}), "PLAIN LOGIN");
}

TEST(Choose, SaysWhyNot) {
  std::vector<std::string> why;
  choose({"PLAIN", "GSSAPI", "SCRAM-SHA-256-PLUS", "CRAM-MD5"}, {"PLAIN", "SCRAM-SHA-256-PLUS"}, verified(), &why);
  EXPECT_THAT(why, ElementsAre(HasSubstr("GSSAPI: Sidegate does not speak"),
                               HasSubstr("SCRAM-SHA-256-PLUS: it is bound to TLS"),
                               HasSubstr("CRAM-MD5: not among this relay's mechanisms")));
  why.clear();
  choose({"PLAIN", "CRAM-MD5"}, {}, clear(InsecureAuth::kNever), &why);
  EXPECT_THAT(why, ElementsAre(HasSubstr("no TLS; set tls ="), HasSubstr("insecure_auth = \"challenge\"")));
  why.clear();
  choose({"PLAIN"}, {}, unverified(InsecureAuth::kChallenge), &why);
  EXPECT_THAT(why, ElementsAre(HasSubstr("certificate is not verified")));
  why.clear();
  choose({"CRAM-MD5"}, {}, unverified(InsecureAuth::kNever), &why);  // with tls_verify the handshake is refused before
  EXPECT_THAT(why, ElementsAre(HasSubstr("(tls_verify = false) and allow this mechanism there with insecure_auth")));
}

TEST(Choose, NoCommonMechanismShowsAllThree) {
  std::string text = no_common_mechanism({"XOAUTH2", "NTLM"}, {"PLAIN"}, verified());
  EXPECT_THAT(text, HasSubstr("offered XOAUTH2 NTLM (with verified TLS)"));
  EXPECT_THAT(text, HasSubstr("allowed PLAIN"));
  EXPECT_THAT(text, HasSubstr("usable none"));
  EXPECT_THAT(text, HasSubstr("access token"));
  EXPECT_THAT(no_common_mechanism({"PLAIN", "CRAM-MD5", "LOGIN"}, {}, clear(InsecureAuth::kNever)),
              ::testing::AllOf(HasSubstr(". PLAIN, LOGIN: it hands over"), HasSubstr("; CRAM-MD5: this connection")));
  EXPECT_THAT(no_common_mechanism({"PLAIN"}, {}, clear(InsecureAuth::kNever)), HasSubstr("(without TLS)"));
  EXPECT_THAT(no_common_mechanism({}, {}, verified()), HasSubstr("offers no AUTH"));
  EXPECT_THAT(no_common_mechanism({"X\r\nY\x1b[2J"}, {}, verified()), Not(HasSubstr("\x1b")));
}

TEST(Make, GuardsThePassword) {
  const Credentials credentials{"user", "s3cret-pass"};
  for (const char* name : {"PLAIN", "LOGIN"}) {
    for (InsecureAuth insecure : {InsecureAuth::kNever, InsecureAuth::kChallenge}) {
      EXPECT_FALSE(ClientMechanism::make(name, credentials, clear(insecure))) << name;
      EXPECT_FALSE(ClientMechanism::make(name, credentials, unverified(insecure))) << name;
    }
    EXPECT_TRUE(ClientMechanism::make(name, credentials, clear(InsecureAuth::kAll))) << name;
  }
  EXPECT_FALSE(ClientMechanism::make("CRAM-MD5", credentials, clear(InsecureAuth::kNever)));
  EXPECT_FALSE(ClientMechanism::make("SCRAM-SHA-256-PLUS", credentials, verified(false)));
  EXPECT_FALSE(ClientMechanism::make("XOAUTH2", credentials, verified()));
  auto nul = ClientMechanism::make("PLAIN", {"user", std::string("s3cret\0x", 8)}, verified());
  ASSERT_FALSE(nul);
  EXPECT_THAT(nul.error().text, Not(HasSubstr("s3cret")));
}

// --- the vectors of the RFCs

boost::json::value vectors() {
  const char* cases = std::getenv("SIDEGATE_CASES");
  std::ifstream file(std::string(cases != nullptr ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases") +
                     "/vectors/sasl.json");
  if (!file) return nullptr;
  std::stringstream text;
  text << file.rdbuf();
  return boost::json::parse(text.str());
}
std::string text_of(const boost::json::object& o, const char* key) {
  const auto* value = o.if_contains(key);
  return value != nullptr ? std::string(value->as_string()) : std::string();
}

std::string md5(std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), out, &length, EVP_md5(), nullptr);
  return std::string(reinterpret_cast<char*>(out), length);
}
// RFC 2831 section 2.1.2.1, algorithm md5-sess, qop auth. a2: "AUTHENTICATE:uri", for the server's proof ":uri".
std::string digest(const std::string& user, const std::string& realm, const std::string& password,
                   const std::string& nonce, const std::string& cnonce, const std::string& a2) {
  std::string a1 = md5(user + ":" + realm + ":" + password) + ":" + nonce + ":" + cnonce;
  return hex(md5(hex(md5(a1)) + ":" + nonce + ":00000001:" + cnonce + ":auth:" + hex(md5(a2))));
}
std::string quoted(const std::string& text, const std::string& key) {
  auto at = text.find(key + "=\"");
  if (at == std::string::npos) return {};
  at += key.size() + 2;
  return text.substr(at, text.find('"', at) - at);
}

struct Vector {
  Vector(const boost::json::object& o) : object(o) {}
  const boost::json::object& object;
  std::string operator()(const char* key) const { return text_of(object, key); }
};

void try_cram_md5(const Vector& v) {
  auto m = *ClientMechanism::make("CRAM-MD5", {v("user"), v("password")}, verified());
  EXPECT_FALSE((*m->initial()).has_value());
  EXPECT_EQ(base64(*m->step(*unbase64(v("server_challenge_b64")))), v("client_response_b64"));
  EXPECT_TRUE(m->finish());
}

void try_digest_md5(const Vector& v) {
  // The vector proves our own computation, and that proves gsasl's with its nonce.
  std::string challenge = v("server_challenge"), realm = quoted(challenge, "realm"), nonce = quoted(challenge, "nonce");
  std::string uri = v("digest_uri");
  EXPECT_EQ(digest(v("user"), realm, v("password"), nonce, v("cnonce"), "AUTHENTICATE:" + uri), v("response"));
  EXPECT_EQ(digest(v("user"), realm, v("password"), nonce, v("cnonce"), ":" + uri), v("rspauth"));

  auto m = *ClientMechanism::make("DIGEST-MD5", {v("user"), v("password")}, verified());
  EXPECT_FALSE((*m->initial()).has_value());
  std::string response = *m->step(challenge);
  std::string cnonce = quoted(response, "cnonce");
  EXPECT_EQ(quoted(response, "digest-uri"), "smtp/mail.example.net");
  EXPECT_THAT(response, HasSubstr("response=" + digest(v("user"), realm, v("password"), nonce, cnonce,
                                                       "AUTHENTICATE:smtp/mail.example.net")));
  EXPECT_FALSE(m->finish());  // a 235 now would come from a server that has proved nothing
  auto last = m->step("rspauth=" + digest(v("user"), realm, v("password"), nonce, cnonce, ":smtp/mail.example.net"));
  ASSERT_TRUE(last) << last.error().text;
  EXPECT_EQ(*last, "");
  EXPECT_TRUE(m->finish());
}

void try_scram(const Vector& v) {
  fixed_nonce = *unbase64(v("cnonce"));
  auto m = *ClientMechanism::make(v("mechanism"), {v("user"), v("password")}, verified());
  EXPECT_EQ(**m->initial(), v("client_first"));
  EXPECT_EQ(*m->step(v("server_first")), v("client_final"));
  EXPECT_FALSE(m->finish());
  auto last = m->step(v("server_final"));
  ASSERT_TRUE(last) << last.error().text;
  EXPECT_EQ(*last, "");
  EXPECT_TRUE(m->finish());
  fixed_nonce.clear();
}

void try_plain(const Vector& v) {
  if (v("authzid") != "") return;  // we always act as ourselves
  auto m = *ClientMechanism::make("PLAIN", {v("user"), v("password")}, verified());
  EXPECT_EQ(base64(**m->initial()), v("client_initial_b64"));
  EXPECT_TRUE(m->finish());
}

void try_login(const Vector& v) {
  auto m = *ClientMechanism::make("LOGIN", {"me@example.net", "p\xc3\xa4ss"}, verified());
  EXPECT_FALSE((*m->initial()).has_value());
  const auto& prompts = v.object.at("prompts_b64").as_array();
  EXPECT_EQ(*m->step(*unbase64(std::string(prompts[0].as_string()))), "me@example.net");
  EXPECT_FALSE(m->finish());
  EXPECT_EQ(*m->step(*unbase64(std::string(prompts[1].as_string()))), "p\xc3\xa4ss");
  EXPECT_TRUE(m->finish());
}

TEST(Vectors, AllOfThem) {
  boost::json::value all = vectors();
  if (all.is_null()) GTEST_SKIP() << "skipped: no vectors/sasl.json here";
  int tried = 0;
  for (const auto& entry : all.as_array()) {
    Vector v(entry.as_object());
    std::string mechanism = v("mechanism");
    SCOPED_TRACE(mechanism + ", " + v("source"));
    if (find_mechanism(mechanism) == nullptr) continue;
    ++tried;
    if (mechanism == "CRAM-MD5") try_cram_md5(v);
    if (mechanism == "DIGEST-MD5") try_digest_md5(v);
    if (mechanism.starts_with("SCRAM-")) try_scram(v);
    if (mechanism == "PLAIN") try_plain(v);
    if (mechanism == "LOGIN") try_login(v);
  }
  EXPECT_GE(tried, 5);
}

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       out, &length);
  return std::string(reinterpret_cast<char*>(out), length);
}
struct Scram {  // RFC 5802 section 3: proof and server signature for auth_message
  std::string proof, signature;
  Scram(const EVP_MD* hash, const std::string& password, const std::string& salt, int iterations,
        const std::string& message) {
    std::string salted(static_cast<std::size_t>(EVP_MD_get_size(hash)), '\0');
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), iterations,
                      hash, static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data()));
    std::string key = hmac(hash, salted, "Client Key");
    unsigned char stored[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_Digest(key.data(), key.size(), stored, &length, hash, nullptr);
    std::string mask = hmac(hash, std::string_view(reinterpret_cast<char*>(stored), length), message);
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(key[i] ^ mask[i]);
    proof = base64(key);
    signature = base64(hmac(hash, hmac(hash, salted, "Server Key"), message));
  }
};

TEST(Vectors, ScramSha256OfRfc7677) {
  // The RFC's nonce is shorter than gsasl's: its vector proves our own computation, and that proves gsasl's.
  const std::string salt = *unbase64("W22ZaJ0SNY7soEsUEjb6gQ==");
  const std::string nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  auto message = [](const std::string& ours, const std::string& both) {
    return "n=user,r=" + ours + ",r=" + both + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=" + both;
  };
  Scram rfc(EVP_sha256(), "pencil", salt, 4096, message("rOprNGfwEbeRWgbNEkqO", nonce));
  EXPECT_EQ(rfc.proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_EQ(rfc.signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");

  auto m = *ClientMechanism::make("SCRAM-SHA-256", {"user", "pencil"}, verified());
  std::string first = m->initial()->value();
  ASSERT_THAT(first, ::testing::StartsWith("n,,n=user,r="));
  std::string ours = first.substr(12), both = ours + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  Scram own(EVP_sha256(), "pencil", salt, 4096, message(ours, both));
  EXPECT_EQ(*m->step("r=" + both + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), "c=biws,r=" + both + ",p=" + own.proof);
  EXPECT_TRUE(m->step("v=" + own.signature));
  EXPECT_TRUE(m->finish());
}

// --- against gsasl's own server side: every mechanism to its end, and with everything that can be wrong

struct Server {  // one exchange at a server that knows user "tim" with `password`
  Gsasl* context = nullptr;
  Gsasl_session* session = nullptr;
  std::string password, binding_type, binding;
  int code = GSASL_NEEDS_MORE;

  static int callback(Gsasl*, Gsasl_session* s, Gsasl_property property) {
    auto* self = static_cast<Server*>(gsasl_session_hook_get(s));
    auto give = [&](Gsasl_property key, const std::string& value) { return gsasl_property_set(s, key, value.c_str()); };
    switch (property) {
      case GSASL_PASSWORD:
        return give(GSASL_PASSWORD, self->password);
      case GSASL_REALM:
        return give(GSASL_REALM, "example.net");
      case GSASL_CB_TLS_EXPORTER:
        return self->binding_type == "tls-exporter" ? give(property, base64(self->binding)) : GSASL_NO_CALLBACK;
      case GSASL_CB_TLS_UNIQUE:
        return self->binding_type == "tls-unique" ? give(property, base64(self->binding)) : GSASL_NO_CALLBACK;
      case GSASL_VALIDATE_SIMPLE:
        return gsasl_property_fast(s, GSASL_PASSWORD) == self->password ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
      default:
        return GSASL_NO_CALLBACK;
    }
  }
  explicit Server(const std::string& mechanism, std::string pass, const Circumstances& c)
      : password(std::move(pass)), binding_type(c.binding_type), binding(c.binding_data) {
    gsasl_init(&context);
    gsasl_callback_set(context, callback);
    EXPECT_EQ(gsasl_server_start(context, mechanism.c_str(), &session), GSASL_OK);
    gsasl_session_hook_set(session, this);
    gsasl_property_set(session, GSASL_SERVICE, "smtp");
    gsasl_property_set(session, GSASL_HOSTNAME, "mail.example.net");
  }
  ~Server() {
    gsasl_finish(session);
    gsasl_done(context);
  }
  std::string step(std::string_view input) {
    char* out = nullptr;
    std::size_t length = 0;
    std::string copy(input);  // with a NUL behind it
    code = gsasl_step(session, copy.data(), copy.size(), &out, &length);
    std::string answer(out == nullptr ? "" : out, code == GSASL_OK || code == GSASL_NEEDS_MORE ? length : 0);
    gsasl_free(out);
    return answer;
  }
};

// The exchange until one side ends it; `tamper` changes what the server says. Empty: both are content.
std::string exchange(const std::string& mechanism, const std::string& password, const Circumstances& client_side,
                     const Circumstances& server_side, std::function<std::string(std::string)> tamper = nullptr) {
  Server server(mechanism, "tanstaaf", server_side);
  auto m = ClientMechanism::make(mechanism, {"tim", password}, client_side);
  if (!m) return m.error().text;
  auto initial = (*m)->initial();
  if (!initial) return initial.error().text;
  std::string answer = *initial ? server.step(**initial) : server.step("");
  for (int round = 0; round < 10; ++round) {
    if (server.code != GSASL_OK && server.code != GSASL_NEEDS_MORE)
      return std::string("server: ") + gsasl_strerror_name(server.code);
    bool ended = server.code == GSASL_OK;
    if (ended && answer.empty()) break;
    if (tamper) answer = tamper(answer);
    auto response = (*m)->step(answer);
    if (!response) return response.error().text;
    if (ended) break;
    answer = server.step(*response);
  }
  auto end = (*m)->finish();
  return end ? "" : end.error().text;
}

TEST(Exchange, EveryMechanismComesToItsEnd) {
  for (const std::string& mechanism : kAll) {
    if (mechanism == "DIGEST-MD5") continue;  // gsasl's server compares a realm; the vectors prove it
    EXPECT_EQ(exchange(mechanism, "tanstaaf", verified(true), verified(true)), "") << mechanism;
    EXPECT_NE(exchange(mechanism, "wrong", verified(true), verified(true)), "") << mechanism;
  }
  Circumstances unique = verified(true);
  unique.binding_type = "tls-unique";
  EXPECT_EQ(exchange("SCRAM-SHA-1-PLUS", "tanstaaf", unique, unique), "");
}

TEST(Exchange, AnotherTlsConnectionIsNoticed) {
  Circumstances other = verified(true);
  other.binding_data[0] ^= 1;  // somebody sits between, with a TLS connection to each side
  EXPECT_THAT(exchange("SCRAM-SHA-256-PLUS", "tanstaaf", verified(true), other), HasSubstr("server:"));
}

TEST(Exchange, AServerThatCannotProveItselfIsRefused) {
  for (const char* mechanism : {"SCRAM-SHA-1", "SCRAM-SHA-256"}) {
    auto wrong = [](std::string said) {
      if (said.starts_with("v=")) said[2] = said[2] == 'A' ? 'B' : 'A';
      return said;
    };
    EXPECT_THAT(exchange(mechanism, "tanstaaf", verified(), verified(), wrong), HasSubstr("proof is wrong"))
        << mechanism;
    auto error = [](std::string said) { return said.starts_with("v=") ? "e=other-error" : said; };
    EXPECT_NE(exchange(mechanism, "tanstaaf", verified(), verified(), error), "") << mechanism;
    auto costly = [](std::string said) {
      return said.starts_with("r=") ? said.substr(0, said.rfind(',')) + ",i=2000000000" : said;
    };
    EXPECT_THAT(exchange(mechanism, "tanstaaf", verified(), verified(), costly), HasSubstr("hash iterations"))
        << mechanism;
    auto stranger = [](std::string said) { return said.starts_with("r=") ? "r=x" + said.substr(2) : said; };
    EXPECT_NE(exchange(mechanism, "tanstaaf", verified(), verified(), stranger), "") << mechanism;
  }
}

TEST(Exchange, WhatFollowsTheEndIsAnError) {
  auto m = *ClientMechanism::make("CRAM-MD5", {"tim", "tanstaaf"}, verified());
  EXPECT_TRUE(m->step("<1@x>"));
  EXPECT_FALSE(m->step("<2@x>"));
}

TEST(Exchange, RubbishIsAnErrorWithoutSecrets) {
  for (const std::string& mechanism : kAll) {
    for (std::string rubbish :
         {"", "x", "r=", "r=,s=,i=", "realm=\"", "\xff\xff\xff", "nonce=\"a\",qop=\"auth-conf\""}) {
      auto m = *ClientMechanism::make(mechanism, {"tim", "tanstaaf"}, verified(true));
      (void)m->initial();
      for (int i = 0; i < 4; ++i) {
        auto said = m->step(rubbish);
        if (said) continue;
        EXPECT_THAT(said.error().text, Not(HasSubstr("tanstaaf")));
        break;
      }
    }
  }
}

TEST(Binding, TheFlagIsTrue) {
  struct Case {
    std::string mechanism, type, flag;
  };
  const Case cases[] = {{"SCRAM-SHA-256", "", "n,,"},
                        {"SCRAM-SHA-256", "tls-exporter", "n,,"},  // the server may offer a -PLUS: "y" would be a lie
                        {"SCRAM-SHA-256-PLUS", "tls-exporter", "p=tls-exporter,,"},
                        {"SCRAM-SHA-1-PLUS", "tls-unique", "p=tls-unique,,"}};
  for (const Case& c : cases) {
    Circumstances circumstances = verified(!c.type.empty());
    circumstances.binding_type = c.type;
    auto m = *ClientMechanism::make(c.mechanism, {"tim", "tanstaaf"}, circumstances);
    std::string first = m->initial()->value();
    EXPECT_THAT(first, ::testing::StartsWith(c.flag)) << c.mechanism;
  }
}

}  // namespace
}  // namespace sidegate::auth::client_test
