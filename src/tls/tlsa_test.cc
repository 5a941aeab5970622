#include "tls/tlsa.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fstream>
#include <sstream>

#include "base/text.h"
#include "test_certificates.h"
#include "tls/certificate.h"
#include "tls/context.h"

namespace sidegate::tls::tlsa_test {
namespace {

std::string octets(std::size_t n) {
  return std::string(n, 'x');
}

TEST(Tlsa, TextAndBack) {
  const std::string text = "3 1 1 00ff10ab";
  auto record = parse_tlsa(text);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->data, std::string("\0\xff\x10\xab", 4));
  EXPECT_EQ(text_of(*record), text);
  EXPECT_EQ(parse_tlsa("3 1 1 00FF10AB"), record);
  EXPECT_TRUE(parse_tlsa("2 0 0 "));
  for (const char* bad : {"", "3", "3 1 1", "3 1 256 00", "3 1 1 0", "3 1 1 0g", "x 1 1 00", "3 1 1 00 00"})
    EXPECT_FALSE(parse_tlsa(bad)) << bad;
}

// RFC 7672 section 3.1: which of them mail can use.
TEST(Tlsa, Usable) {
  struct {
    Tlsa record;
    bool usable;
  } cases[] = {
      {{3, 1, 1, octets(32)}, true},  {{3, 0, 1, octets(32)}, true},    {{2, 0, 1, octets(32)}, true},
      {{2, 1, 2, octets(64)}, true},  {{0, 0, 1, octets(32)}, false},   {{1, 1, 1, octets(32)}, false},
      {{4, 1, 1, octets(32)}, false}, {{255, 1, 1, octets(32)}, false}, {{3, 2, 1, octets(32)}, false},
      {{3, 1, 3, octets(32)}, false}, {{3, 1, 1, octets(31)}, false},   {{3, 1, 1, octets(64)}, false},
      {{3, 1, 2, octets(32)}, false}, {{3, 1, 1, ""}, false},           {{3, 0, 0, "no DER"}, false},
      {{3, 1, 0, ""}, false},
  };
  for (const auto& c : cases) EXPECT_EQ(is_usable(c.record), c.usable) << text_of(c.record);
}

TEST(Tlsa, NamesAsPostfixReadsThem) {
  struct {
    const char *name, *pattern;
    bool fits;
  } cases[] = {
      {"mx.example.org", "mx.example.org", true},
      {"MX.example.org.", "mx.EXAMPLE.org", true},
      {"mx.example.org", "example.org", false},
      {"mx.example.org", ".example.org", true},
      {"a.mx.example.org", ".example.org", true},
      {"example.org", ".example.org", false},
      {"badexample.org", ".example.org", false},
      {"*.example.org", "mx.example.org", true},
      {"*.example.org", "a.mx.example.org", false},
      {"*.example.org", "example.org", false},
      {"*.example.org", ".example.org", true},
      {"m*.example.org", "mx.example.org", false},
      {"*.org", "example.org", false},
      {"*.*.example.org", "a.b.example.org", false},
      {"", "example.org", false},
      {"mx.example.org", "", false},
      {"*", "org", false},
  };
  for (const auto& c : cases) EXPECT_EQ(name_fits(c.name, c.pattern), c.fits) << c.name << " " << c.pattern;
}

// --- handshakes

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, FreeSsl>;

std::string file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string digest(std::string_view data) {
  unsigned char out[32];
  EVP_Digest(data.data(), data.size(), out, nullptr, EVP_sha256(), nullptr);
  return {reinterpret_cast<char*>(out), sizeof out};
}

struct Published {
  std::string certificate, key;  // digests
};
Published published(const std::string& path) {
  auto list = read_certificates(file(path), path);
  X509* cert = list->front().get();
  unsigned char *der = nullptr, *key = nullptr;
  const int size = i2d_X509(cert, &der), key_size = i2d_PUBKEY(X509_get0_pubkey(cert), &key);
  Published out{digest({reinterpret_cast<char*>(der), static_cast<std::size_t>(size)}),
                digest({reinterpret_cast<char*>(key), static_cast<std::size_t>(key_size)})};
  OPENSSL_free(der);
  OPENSSL_free(key);
  return out;
}

Verdict meet(const std::string& chain_file, const std::string& key_file, PeerPolicy policy) {
  auto to = ServerContext::make({chain_file, key_file});
  auto from = ClientContext::make(std::move(policy));
  if (!to || !from) return {};
  Ssl client((*from)->new_ssl()), server((*to)->new_ssl());
  if (!client || !server) return {};
  BIO *a = nullptr, *b = nullptr;
  BIO_new_bio_pair(&a, 64 * 1024, &b, 64 * 1024);
  SSL_set_bio(client.get(), a, a);
  SSL_set_bio(server.get(), b, b);
  for (int i = 0; i < 20; ++i) {
    const int a_done = SSL_do_handshake(client.get()), b_done = SSL_do_handshake(server.get());
    if (a_done == 1 && b_done == 1) break;
  }
  return judge(client.get(), (*from)->policy());
}

TEST(Dane, TheKeyAloneDecides) {
  test::TestCa ca;
  const auto good = ca.issue({.names = {"mx.example.org"}});
  const auto old =
      ca.issue({.names = {"other.example"}, .begins_in_days = -9, .ends_in_days = -2, .self_signed = true});
  const Published of_good = published(good.cert_file), of_old = published(old.cert_file);
  struct {
    const test::IssuedCertificate& shown;
    std::vector<Tlsa> records;
    bool verified;
  } cases[] = {
      {good, {{3, 1, 1, of_good.key}}, true},
      {good, {{3, 0, 1, of_good.certificate}}, true},
      {good, {{3, 1, 1, of_old.key}, {3, 1, 1, of_good.key}}, true},  // a key that is being changed
      {old, {{3, 1, 1, of_old.key}}, true},                           // RFC 7672 section 3.1.1: no names, no dates
      {good, {{3, 1, 1, of_old.key}}, false},
      {good, {{3, 0, 1, of_good.key}}, false},
      {good, {{2, 1, 1, of_good.key}}, false},
  };
  for (const auto& c : cases) {
    const Verdict got = meet(c.shown.cert_file, c.shown.key_file,
                             {.name = "mx.example.org", .names = {"mx.example.org"}, .tlsa = c.records});
    EXPECT_EQ(got.verified, c.verified) << text_of(c.records.front()) << ": " << got.why;
    EXPECT_EQ(got.by, c.verified ? "dane-ee" : "");
    EXPECT_EQ(got.fault, c.verified ? Fault::kNone : Fault::kTlsa);
  }
}

TEST(Dane, AnAuthorityAndTheName) {
  test::TestCa ca;
  const Published root = published(ca.ca_file());
  for (const auto& [names, verified, fault] :
       {std::tuple(std::vector<std::string>{"mx.example.org"}, true, Fault::kNone),
        std::tuple(std::vector<std::string>{"example.org"}, true, Fault::kNone),  // the domain mail is for will do
        std::tuple(std::vector<std::string>{"elsewhere.example"}, false, Fault::kName)}) {
    const auto issued = ca.issue({.names = names});
    // RFC 7671 section 5.2.2: the server sends the anchor too.
    const std::string chain = ca.directory() + "/chain.pem";
    std::ofstream(chain) << file(issued.cert_file) << file(ca.ca_file());
    const Verdict got = meet(
        chain, issued.key_file,
        {.name = "mx.example.org", .names = {"mx.example.org", "example.org"}, .tlsa = {{2, 0, 1, root.certificate}}});
    EXPECT_EQ(got.verified, verified) << names.front() << ": " << got.why;
    EXPECT_EQ(got.by, verified ? "dane-ta" : "");
    EXPECT_EQ(got.fault, fault) << got.why;
  }
  const auto issued = ca.issue({.names = {"mx.example.org"}, .begins_in_days = -9, .ends_in_days = -2});
  const std::string chain = ca.directory() + "/chain.pem";
  std::ofstream(chain) << file(issued.cert_file) << file(ca.ca_file());
  const Verdict got =
      meet(chain, issued.key_file,
           {.name = "mx.example.org", .names = {"mx.example.org"}, .tlsa = {{2, 0, 1, root.certificate}}});
  EXPECT_FALSE(got.verified);
  EXPECT_EQ(got.fault, Fault::kExpired) << got.why;
}

TEST(Names, OneOfSeveral) {
  test::TestCa ca;
  const auto issued = ca.issue({.names = {"mx1.example.org", "*.mail.example.net"}});
  for (const auto& [names, verified] : {std::pair(std::vector<std::string>{"mx1.example.org"}, true),
                                        std::pair(std::vector<std::string>{".example.org"}, true),
                                        std::pair(std::vector<std::string>{"example.org", "a.mail.example.net"}, true),
                                        std::pair(std::vector<std::string>{"example.org"}, false)}) {
    const Verdict got =
        meet(issued.cert_file, issued.key_file, {.name = "mx1.example.org", .ca_file = ca.ca_file(), .names = names});
    EXPECT_EQ(got.verified, verified) << got.why;
    EXPECT_EQ(got.fault, verified ? Fault::kNone : Fault::kName);
    EXPECT_EQ(got.by, verified ? "pkix" : "");
  }
}

}  // namespace
}  // namespace sidegate::tls::tlsa_test
