#include "auth/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/client.h"
#include "base/text.h"

namespace sidegate::auth::server_test {
namespace {

using Kind = ServerStep::Kind;
using ::testing::HasSubstr;
using ::testing::Not;

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       out, &length);
  return std::string(reinterpret_cast<char*>(out), length);
}

std::string exclusive_or(std::string a, const std::string& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<char>(a[i] ^ b[i]);
  return a;
}

// What the RFCs print: the proof opens to a key whose hash is our stored key, and the signature is made with our server
// key.
void expect_keys_of_rfc(ScramHash which, const EVP_MD* hash, const char* salt, const std::string& message,
                        const char* proof, const char* signature) {
  auto keys = scram_keys(which, "pencil", *unbase64(salt), 4096);
  ASSERT_TRUE(keys);
  std::string client_key = exclusive_or(*unbase64(proof), hmac(hash, keys->stored_key, message));
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(client_key.data(), client_key.size(), out, &length, hash, nullptr);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(out), length), keys->stored_key);
  EXPECT_EQ(base64(hmac(hash, keys->server_key, message)), signature);
}

TEST(ScramKeys, OfRfc5802) {
  expect_keys_of_rfc(
      ScramHash::kSha1, EVP_sha1(), "QSXCR+Q6sek8bf92",
      "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,"
      "i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
      "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

TEST(ScramKeys, OfRfc7677) {
  expect_keys_of_rfc(ScramHash::kSha256, EVP_sha256(), "W22ZaJ0SNY7soEsUEjb6gQ==",
                     "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                     "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(ScramKeys, PasswordsArePrepared) {
  EXPECT_EQ(*scram_keys(ScramHash::kSha1, "I\xc2\xadX", "salt", 10), *scram_keys(ScramHash::kSha1, "IX", "salt", 10));
  EXPECT_FALSE(scram_keys(ScramHash::kSha1, "a\x07", "salt", 10));
  EXPECT_FALSE(scram_keys(ScramHash::kSha1, std::string_view("a\0b", 3), "salt", 10));
  EXPECT_EQ(saslprep("\xe2\x85\xa8"), "IX");  // RFC 4013 section 3
  EXPECT_EQ(saslprep("\x07"), std::nullopt);
}

TEST(FakeSecret, IsStableAndOpensToNobody) {
  EXPECT_EQ(fake_secret("key", "ghost", 4096).sha256, fake_secret("key", "ghost", 4096).sha256);
  EXPECT_NE(fake_secret("key", "ghost", 4096).sha256->salt, fake_secret("key", "other", 4096).sha256->salt);
  EXPECT_NE(fake_secret("key", "ghost", 4096).sha256->salt, fake_secret("yek", "ghost", 4096).sha256->salt);
  EXPECT_EQ(fake_secret("key", "ghost", 4096).sha1->stored_key.size(), 20u);
}

Secret secret_of(const std::string& password) {
  Secret secret;
  secret.sha1 = *scram_keys(ScramHash::kSha1, password, "salt of sixteen.", 4096);
  secret.sha256 = *scram_keys(ScramHash::kSha256, password, "salt of sixteen.", 4096);
  secret.password = password;
  return secret;
}

ServerCircumstances bound(bool tls13 = true) {
  return {.binding_type = tls13 ? "tls-exporter" : "tls-unique", .binding_data = "the binding"};
}

Circumstances client_circumstances(const ServerCircumstances& server) {
  Circumstances c;
  c.tls = c.tls_verified = true;
  c.binding_type = server.binding_type;
  c.binding_data = server.binding_data;
  return c;
}

// libgsasl as client against our server: to the end, or to the failure.
ServerStep dialogue(const std::string& mechanism, const std::string& user, const std::string& password,
                    const Secret& stored, ServerCircumstances server, Circumstances client) {
  auto ours = make_server_mechanism(mechanism, std::move(server));
  auto theirs = ClientMechanism::make(mechanism, {user, password}, client);
  if (!ours || !theirs) return {.text = "not usable"};
  auto initial = (*theirs)->initial();
  ServerStep step = ours->begin(initial && *initial ? std::optional<std::string_view>(**initial) : std::nullopt);
  for (int i = 0; i < 10; ++i) {
    if (step.kind == Kind::kSecret) {
      step = ours->secret(stored);
    } else if (step.kind == Kind::kPassword) {
      step = ours->verified(step.password == stored.password ? std::optional(step.user) : std::nullopt);
    } else if (step.kind == Kind::kChallenge) {
      auto answer = (*theirs)->step(step.text);
      if (!answer) return {.text = "the client gives up: " + answer.error().text};
      step = ours->response(*answer);
    } else {
      break;
    }
  }
  if (step.kind == Kind::kDone) EXPECT_TRUE((*theirs)->finish());
  return step;
}

TEST(Server, EveryMechanismWithLibgsaslAsClient) {
  const Secret stored = secret_of("p\xc3\xa4 ss, =word");
  for (const char* name :
       {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}) {
    for (bool tls13 : {true, false}) {
      SCOPED_TRACE(name);
      ServerCircumstances server = bound(tls13);
      Circumstances client = client_circumstances(server);
      ServerStep good = dialogue(name, "me@example.net", "p\xc3\xa4 ss, =word", stored, server, client);
      EXPECT_EQ(good.kind, Kind::kDone) << good.text;
      EXPECT_EQ(good.user, "me@example.net");
      ServerStep wrong = dialogue(name, "me@example.net", "another", stored, server, client);
      EXPECT_EQ(wrong.kind, Kind::kFailed);
      EXPECT_FALSE(wrong.malformed);
      EXPECT_EQ(wrong.text, "wrong user or password");
      ServerStep unknown = dialogue(name, "ghost", "another", fake_secret("key", "ghost", 4096), server, client);
      EXPECT_EQ(unknown.text, wrong.text);
    }
  }
}

TEST(Server, ANameWithCommaAndEqualsSign) {
  const Secret stored = secret_of("pass");
  for (const char* name : {"SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"}) {
    ServerStep step = dialogue(name, "a,b=c", "pass", stored, bound(), client_circumstances(bound()));
    EXPECT_EQ(step.kind, Kind::kDone) << step.text;
    EXPECT_EQ(step.user, "a,b=c");
  }
}

TEST(Server, ABindingToAnotherConnectionFails) {
  const Secret stored = secret_of("pass");
  ServerCircumstances other = bound();
  other.binding_data = "somebody between";
  for (const char* name : {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}) {
    ServerStep step = dialogue(name, "me", "pass", stored, other, client_circumstances(bound()));
    EXPECT_EQ(step.kind, Kind::kFailed) << step.text;
    EXPECT_THAT(step.text, Not(HasSubstr("gives up")));
    step = dialogue(name, "me", "pass", stored, bound(false), client_circumstances(bound(true)));
    EXPECT_THAT(step.text, HasSubstr("not bound"));
    EXPECT_EQ(make_server_mechanism(name, {}), nullptr);
  }
}

TEST(Server, ADowngradeIsSeen) {  // RFC 5802 section 6
  auto first = [](const std::string& mechanism, const std::string& message, ServerCircumstances c) {
    return make_server_mechanism(mechanism, std::move(c))->begin(message);
  };
  EXPECT_EQ(first("SCRAM-SHA-256", "y,,n=me,r=abcdefgh", bound()).kind, Kind::kFailed);
  EXPECT_EQ(first("SCRAM-SHA-256", "y,,n=me,r=abcdefgh", {}).kind, Kind::kSecret);
  EXPECT_EQ(first("SCRAM-SHA-256", "p=tls-exporter,,n=me,r=abcdefgh", bound()).kind, Kind::kFailed);
  EXPECT_EQ(first("SCRAM-SHA-256-PLUS", "n,,n=me,r=abcdefgh", bound()).kind, Kind::kFailed);
  EXPECT_EQ(first("SCRAM-SHA-256", "n,a=other,n=me,r=abcdefgh", {}).kind, Kind::kFailed);
  EXPECT_EQ(first("SCRAM-SHA-256", "n,a=me,n=me,r=abcdefgh", {}).kind, Kind::kSecret);
}

TEST(Server, ScramIsNotReplayedOrReordered) {
  auto m = make_server_mechanism("SCRAM-SHA-256", {});
  EXPECT_EQ(m->begin(std::nullopt).kind, Kind::kChallenge);
  EXPECT_EQ(m->response("n,,n=me,r=abcdefgh").kind, Kind::kSecret);
  EXPECT_EQ(m->response("n,,n=me,r=abcdefgh").kind, Kind::kFailed);  // before the secret is there
  EXPECT_EQ(m->verified("root").kind, Kind::kFailed);
  auto fresh = make_server_mechanism("SCRAM-SHA-256", {});
  EXPECT_EQ(fresh->secret(secret_of("x")).kind, Kind::kFailed);
  auto other = make_server_mechanism("SCRAM-SHA-256", {});
  other->begin("n,,n=me,r=abcdefgh");
  ServerStep challenge = other->secret(secret_of("x"));
  EXPECT_THAT(challenge.text, HasSubstr("r=abcdefgh"));
  EXPECT_EQ(other->response("c=biws,r=abcdefghi,p=AAAA").kind, Kind::kFailed);  // not our nonce
}

TEST(Server, PlainAsTheRfcsHaveIt) {
  struct Row {
    std::string message;
    Kind kind;
    bool malformed;
  };
  auto octets = [](std::string_view text) {
    std::string out(text);
    std::ranges::replace(out, '|', '\0');
    return out;
  };
  const Row rows[] = {
      {octets("|tim|tanstaaftanstaaf"), Kind::kPassword, false},
      {octets("tim|tim|secret"), Kind::kPassword, false},
      {octets("other|tim|secret"), Kind::kFailed, false},
      {octets("|tim|"), Kind::kFailed, false},
      {octets("||secret"), Kind::kFailed, false},
      {octets("|tim"), Kind::kFailed, true},
      {octets("|tim|a|b"), Kind::kFailed, true},
      {"", Kind::kFailed, true},
      {octets("|t\nim|secret"), Kind::kFailed, false},
      {octets("|t\xffim|secret"), Kind::kFailed, false},
      {octets("|tim|p\xffss"), Kind::kPassword, false},
      {octets("|") + std::string(256, 'u') + octets("|x"), Kind::kFailed, false},
      {octets("|u|") + std::string(5000, 'u'), Kind::kFailed, false},
  };
  for (const Row& row : rows) {
    ServerStep step = make_server_mechanism("plain", {})->begin(row.message);
    EXPECT_EQ(step.kind, row.kind) << printable(row.message, 60);
    EXPECT_EQ(step.malformed, row.malformed) << printable(row.message, 60);
    EXPECT_THAT(step.text, Not(HasSubstr("secret")));
  }
  ServerStep step = make_server_mechanism("PLAIN", {})->begin(octets("|tim|tanstaaftanstaaf"));
  EXPECT_EQ(step.user, "tim");
  EXPECT_EQ(step.password, "tanstaaftanstaaf");
}

TEST(Server, LoginWithAndWithoutInitialResponse) {
  auto m = make_server_mechanism("LOGIN", {});
  EXPECT_EQ(m->begin(std::nullopt).text, "Username:");
  EXPECT_EQ(m->response("me").text, "Password:");
  ServerStep step = m->response("pw");
  EXPECT_EQ(step.kind, Kind::kPassword);
  EXPECT_EQ(step.user, "me");
  EXPECT_EQ(m->verified("ME").user, "ME");
  auto initial = make_server_mechanism("LOGIN", {});
  EXPECT_EQ(initial->begin("me").text, "Password:");
  EXPECT_EQ(initial->response("").kind, Kind::kFailed);
}

TEST(Server, CramTakesNoInitialResponse) {
  EXPECT_TRUE(make_server_mechanism("CRAM-MD5", {})->begin("x").malformed);
  auto m = make_server_mechanism("CRAM-MD5", {});
  EXPECT_EQ(m->begin(std::nullopt).kind, Kind::kChallenge);
  EXPECT_EQ(m->response("me").kind, Kind::kFailed);
}

// RFC 2195 section 2: the digest that we would expect for its challenge, computed as we compute it.
TEST(Server, CramChallengesDiffer) {
  auto a = make_server_mechanism("CRAM-MD5", {})->begin(std::nullopt).text;
  auto b = make_server_mechanism("CRAM-MD5", {})->begin(std::nullopt).text;
  EXPECT_NE(a, b);
  EXPECT_TRUE(a.starts_with("<") && a.ends_with(">"));
}

TEST(Server, TokensAreHandedOut) {
  auto m = make_server_mechanism("OAUTHBEARER", {});  // RFC 7628 section 4.1
  ServerStep step =
      m->begin(*unbase64("bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGO"
                         "WRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"));
  EXPECT_EQ(step.kind, Kind::kToken);
  EXPECT_EQ(step.user, "user@example.com");
  EXPECT_EQ(step.password, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
  ServerStep refused = m->verified(std::nullopt);  // RFC 7628 section 3.2.2: an error message first, then the failure
  EXPECT_EQ(refused.kind, Kind::kChallenge);
  EXPECT_THAT(refused.text, HasSubstr("invalid_token"));
  EXPECT_EQ(m->response("\x01").kind, Kind::kFailed);

  auto google = make_server_mechanism("XOAUTH2", {});
  step = google->begin(
      "user=someuser@example.com\x01"
      "auth=Bearer ya29.vF9\x01\x01");
  EXPECT_EQ(step.kind, Kind::kToken);
  EXPECT_EQ(step.user, "someuser@example.com");
  EXPECT_EQ(google->verified("someuser@example.com").kind, Kind::kDone);

  EXPECT_EQ(make_server_mechanism("OAUTHBEARER", {})
                ->begin("n,,\x01"
                        "auth=Bearer t\x01\x01")
                .user,
            "");
  EXPECT_EQ(make_server_mechanism("OAUTHBEARER", {})
                ->begin("n,a=a=2Cb,\x01"
                        "auth=bearer t\x01\x01")
                .user,
            "a,b");
  for (const char* bad : {"", "n,a=x",
                          "p=tls-exporter,a=x,\x01"
                          "auth=Bearer t\x01\x01",
                          "n,b=x,\x01"
                          "auth=Bearer t\x01\x01",
                          "n,a=x=,\x01"
                          "auth=Bearer t\x01\x01",
                          "n,a=x,\x01host=h\x01\x01"}) {
    EXPECT_TRUE(make_server_mechanism("OAUTHBEARER", {})->begin(bad).malformed) << bad;
  }
  EXPECT_EQ(make_server_mechanism("OAUTHBEARER", {})
                ->begin("n,a=x,\x01"
                        "auth=Basic t\x01\x01")
                .kind,
            Kind::kChallenge);
}

TEST(Server, ExternalIsWhomTheCertificateNames) {
  EXPECT_EQ(make_server_mechanism("EXTERNAL", {}), nullptr);
  ServerCircumstances c{.external = "me@example.net"};
  EXPECT_EQ(make_server_mechanism("EXTERNAL", c)->begin("").user, "me@example.net");
  EXPECT_EQ(make_server_mechanism("EXTERNAL", c)->begin("me@example.net").kind, Kind::kDone);
  EXPECT_EQ(make_server_mechanism("EXTERNAL", c)->begin("you@example.net").kind, Kind::kFailed);
  EXPECT_EQ(make_server_mechanism("EXTERNAL", c)->begin(std::nullopt).kind, Kind::kChallenge);
}

TEST(Server, UnknownNames) {
  for (const char* name : {"", "GSSAPI", "DIGEST-MD5", "SCRAM-SHA-512", "PLAIN "})
    EXPECT_EQ(make_server_mechanism(name, {}), nullptr);
}

}  // namespace
}  // namespace sidegate::auth::server_test
