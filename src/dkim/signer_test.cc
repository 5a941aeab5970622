#include "dkim/signer.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <map>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::dkim::signer_test {
namespace {

const WallTime kNow{std::chrono::seconds(1'763'770'000)};

// The example of RFC 8463, appendix A: two signatures, which sign the same.
const char* kFields =
    "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\nSubject: Is dinner "
    "ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: "
    "<20030712040037.46341.5F8J@football.example.com>\r\n";
const char* kBody = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
const std::vector<std::string> kNames{"from", "to", "subject", "date", "message-id", "from", "subject", "date"};
const char* kEdField =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
    "i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : "
    "from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
const char* kEdSeed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const char* kEdPublic = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const char* kEdSignature = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";
const char* kRsaField =
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n "
    "q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n date : message-id : from : subject : date;\r\n "
    "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
const char* kRsaPublic =
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/"
    "J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+"
    "2kryOTIKT+l/K4w3QIDAQAB";
const char* kRsaSignature =
    "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz"
    "dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=";

// As a receiver does, with what is published. key: what stands in p=.
bool verifies(const std::string& key, const std::string& algorithm, const std::string& text, const std::string& mark) {
  std::string raw = unbase64(key).value_or("");
  const auto* at = reinterpret_cast<const unsigned char*>(raw.data());
  const bool ed = algorithm == "ed25519-sha256";
  EVP_PKEY* public_key = ed ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, at, raw.size())
                            : d2i_PUBKEY(nullptr, &at, static_cast<long>(raw.size()));
  unsigned char hash[32];
  EVP_Digest(text.data(), text.size(), hash, nullptr, EVP_sha256(), nullptr);
  const auto* octets = ed ? hash : reinterpret_cast<const unsigned char*>(text.data());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::string signature = unbase64(mark).value_or("");
  bool good = public_key &&
              EVP_DigestVerifyInit(context, nullptr, ed ? nullptr : EVP_sha256(), nullptr, public_key) == 1 &&
              EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                               octets, ed ? sizeof hash : text.size()) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(public_key);
  return good;
}

BodyHashes hashes_of(std::string_view body) {
  BodyHasher hasher(true, true);
  hasher.push(body);
  hasher.finish();
  return {hasher.simple(), hasher.relaxed()};
}

// A receiver reads the field and tells whether it fits. Tags as they stand in it.
bool holds(const std::string& field, const std::string& header, std::string_view body, const std::string& key) {
  std::string text;
  for (char c : field) {
    if (c != '\r' && c != '\n' && c != '\t' && c != ' ') text += c;
  }
  std::map<std::string, std::string> tags;
  for (std::string_view tag : split(text.substr(text.find(':') + 1), ';')) {
    auto equals = tag.find('=');
    tags[std::string(tag.substr(0, equals))] = tag.substr(equals + 1);
  }
  const Form form = tags["c"].starts_with("simple") ? Form::kSimple : Form::kRelaxed;
  const Form body_form = tags["c"].ends_with("simple") ? Form::kSimple : Form::kRelaxed;
  const BodyHashes hashes = hashes_of(body);
  const Hash& hash = hashes.of(body_form);
  EXPECT_EQ(tags["bh"], base64({reinterpret_cast<const char*>(hash.data()), hash.size()}));
  EXPECT_FALSE(tags.contains("l"));
  std::vector<std::string> names;
  for (std::string_view name : split(tags["h"], ':')) names.emplace_back(name);
  const std::string unsigned_field = field.substr(0, field.rfind("b=") + 2);
  return verifies(key, tags["a"], header_to_sign(header, names, unsigned_field, form), tags["b"]);
}

Signer signer(Algorithm algorithm, const char* selector = "s1") {
  static const auto rsa = std::make_shared<const Key>(Key::generate(Algorithm::kRsa).value());
  static const auto ed = std::make_shared<const Key>(Key::generate(Algorithm::kEd25519).value());
  Signer made;
  made.domain = "example.org";
  made.selector = selector;
  made.key = algorithm == Algorithm::kRsa ? rsa : ed;
  return made;
}

TEST(Rfc8463, OurFormsAreThePublishedOnes) {
  EXPECT_TRUE(
      verifies(kEdPublic, "ed25519-sha256", header_to_sign(kFields, kNames, kEdField, Form::kRelaxed), kEdSignature));
  EXPECT_TRUE(
      verifies(kRsaPublic, "rsa-sha256", header_to_sign(kFields, kNames, kRsaField, Form::kRelaxed), kRsaSignature));
  const Hash hash = hashes_of(kBody).relaxed;
  EXPECT_EQ(base64({reinterpret_cast<const char*>(hash.data()), hash.size()}),
            "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
}

TEST(Rfc8463, OurSignatureIsThePublishedOne) {
  // RFC 8410 section 7: the seed behind a fixed prefix.
  const std::string prefix = "\x30\x2e\x02\x01" + std::string(1, '\0') + "\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
  const std::string pem =
      "-----BEGIN PRIVATE KEY-----\n" + base64(prefix + *unbase64(kEdSeed)) + "\n-----END PRIVATE KEY-----\n";
  auto key = Key::from_pem(pem);
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->public_base64(), kEdPublic);
  EXPECT_EQ(base64(key->sign(header_to_sign(kFields, kNames, kEdField, Form::kRelaxed)).value()), kEdSignature);
}

TEST(Signature, VerifiesInEveryForm) {
  const std::string header = "From: Ann\r\n <ann@example.org>\r\nTO :  b@x.example\r\nSubject: s  s \r\nDate: now\r\n";
  for (Algorithm algorithm : {Algorithm::kRsa, Algorithm::kEd25519}) {
    for (Form header_form : {Form::kSimple, Form::kRelaxed}) {
      for (Form body_form : {Form::kSimple, Form::kRelaxed}) {
        Signer s = signer(algorithm);
        s.header_form = header_form;
        s.body_form = body_form;
        for (const char* body : {"", "\r\n\r\n", "a \t b \r\n\r\n", "no end", kBody}) {
          auto field = signature_field(s, header, hashes_of(body), kNow);
          ASSERT_TRUE(field);
          EXPECT_TRUE(holds(field->substr(0, field->size() - 2), header, body, s.key->public_base64())) << *field;
          EXPECT_FALSE(
              holds(field->substr(0, field->size() - 2), "From: eve@example.org\r\n", body, s.key->public_base64()));
          EXPECT_FALSE(
              holds(field->substr(0, field->size() - 2), header + "Subject: another\r\n", body, s.key->public_base64()))
              << "signed once more than there are";
        }
      }
    }
  }
}

TEST(Signature, HowItLooks) {
  Signer s = signer(Algorithm::kRsa);
  std::string header = "From: a@example.org\r\nTo: b@x.example\r\nDate: now\r\nReceived: x\r\n";
  std::string field = signature_field(s, header, hashes_of(kBody), kNow).value();
  EXPECT_TRUE(field.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1;")) << field;
  EXPECT_NE(field.find("t=1763770000;"), std::string::npos);
  EXPECT_NE(field.find("h=from:from:reply-to:subject:date:date:to:to:cc;"), std::string::npos) << field;
  EXPECT_TRUE(field.ends_with("\r\n"));
  for (std::string_view line : split(field, '\n')) EXPECT_LE(line.size(), 79u) << line;
  s.headers = {"To"};
  field = signature_field(s, header, hashes_of(kBody), kNow).value();
  EXPECT_NE(field.find("h=from:from:to:to;"), std::string::npos) << field;
}

TEST(Signers, WhoSigns) {
  std::vector<Signer> all{signer(Algorithm::kRsa), signer(Algorithm::kEd25519, "ed")};
  all.push_back(signer(Algorithm::kRsa, "own"));
  all.back().domain = "sub.example.org";
  all.push_back(signer(Algorithm::kRsa));
  all.back().domain = "strict.example";
  all.back().subdomains = false;
  all.push_back(signer(Algorithm::kRsa));
  all.back().domain = "xn--bcher-kva.example";
  Signers signers(std::move(all));
  struct {
    const char* header;
    std::size_t count;
    bool stands;
  } cases[] = {
      {"From: Ann <ann@example.org>\r\n", 2, true},
      {"From: ann@EXAMPLE.org\r\n", 2, true},
      {"From: root@nas.example.org\r\n", 2, true},
      {"From: root@sub.example.org\r\n", 1, true},
      {"From: root@a.sub.example.org\r\n", 1, true},
      {"From: x@strict.example\r\n", 1, true},
      {"From: x@a.strict.example\r\n", 0, true},
      {"From: x@notexample.org\r\n", 0, true},
      {"To: ann@example.org\r\n", 0, true},
      {"From: nobody\r\n", 0, true},
      {"From: me@Bücher.example\r\n", 1, true},
      {"From: me@nas.bücher.example\r\n", 1, true},
      {"From: me@-ü.example\r\n", 0, true},
      {"DKIM-Signature: v=1; d=example.org; s=x\r\nFrom: a@example.org\r\n", 0, true},
      {"DKIM-Signature: v=1; d=example.org; s=x\r\nFrom: a@example.org\r\n", 2, false},
      {"DKIM-Signature: v=1; d=other.example; s=x\r\nFrom: a@example.org\r\n", 2, true},
  };
  for (const auto& c : cases) EXPECT_EQ(signers.for_header(c.header, c.stands).size(), c.count) << c.header;
  EXPECT_TRUE(signers.uses(Form::kRelaxed));
  EXPECT_FALSE(signers.uses(Form::kSimple));
}

TEST(Key, WhatIsNone) {
  EXPECT_FALSE(Key::from_pem(""));
  EXPECT_FALSE(Key::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
  EXPECT_FALSE(Key::from_pem(Key::generate(Algorithm::kRsa, 768)->pem()));
  for (Algorithm algorithm : {Algorithm::kRsa, Algorithm::kEd25519}) {
    Key key = Key::generate(algorithm).value();
    auto again = Key::from_pem(key.pem());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->algorithm(), algorithm);
    EXPECT_EQ(again->public_base64(), key.public_base64());
  }
}

TEST(Record, AsItIsPublished) {
  Key rsa = Key::generate(Algorithm::kRsa).value();
  Record record = record_of(rsa, "example.org", "s1");
  EXPECT_EQ(record.name, "s1._domainkey.example.org");
  EXPECT_EQ(record.value, "v=DKIM1; k=rsa; p=" + rsa.public_base64());
  ASSERT_EQ(record.strings().size(), 2u);
  EXPECT_EQ(record.strings()[0].size(), 255u);
  EXPECT_EQ(record.strings()[0] + record.strings()[1], record.value);
  EXPECT_TRUE(record.bind().starts_with("s1._domainkey.example.org. IN TXT ("));
  Record small = record_of(Key::generate(Algorithm::kEd25519).value(), "example.org", "ed");
  EXPECT_EQ(small.bind(), "ed._domainkey.example.org. IN TXT \"" + small.value + "\"");
  for (const char* good : {"s1", "mail.2026", "a-b", "s_1"}) EXPECT_TRUE(is_selector(good)) << good;
  for (const char* bad : {"", ".", "a.", "-a", "a b", "a..b", "a;b"}) EXPECT_FALSE(is_selector(bad)) << bad;
}

}  // namespace
}  // namespace sidegate::dkim::signer_test
