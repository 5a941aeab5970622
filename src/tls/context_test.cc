#include "tls/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <fstream>

#include "test_certificates.h"

namespace sidegate::tls::context_test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct FreeSsl {
  void operator()(SSL* ssl) const {
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // else its session is not resumed
    SSL_free(ssl);
  }
};
using Ssl = std::unique_ptr<SSL, FreeSsl>;

// Both ends in memory.
struct Connection {
  Ssl client, server;

  void join() {
    BIO *a = nullptr, *b = nullptr;
    BIO_new_bio_pair(&a, 64 * 1024, &b, 64 * 1024);
    SSL_set_bio(client.get(), a, a);
    SSL_set_bio(server.get(), b, b);
  }
  bool handshake() {
    for (int i = 0; i < 20; ++i) {
      int a = SSL_do_handshake(client.get());
      int b = SSL_do_handshake(server.get());
      if (a == 1 && b == 1) return exchange();
    }
    return false;
  }
  // An octet each way: the client has then seen the tickets.
  bool exchange() {
    char octet = 0;
    SSL_write(client.get(), "x", 1);
    bool there = SSL_read(server.get(), &octet, 1) == 1;
    SSL_write(server.get(), "y", 1);
    return there && SSL_read(client.get(), &octet, 1) == 1 && octet == 'y';
  }
};

struct TlsTest : testing::Test {
  std::shared_ptr<ServerContext> server(const test::IssuedCertificate& issued) {
    auto made = ServerContext::make({issued.cert_file, issued.key_file});
    EXPECT_TRUE(made) << made.error().text;
    return *made;
  }
  std::shared_ptr<ClientContext> client(PeerPolicy policy) {
    if (policy.ca_file.empty()) policy.ca_file = ca.ca_file();
    auto made = ClientContext::make(policy);
    EXPECT_TRUE(made) << made.error().text;
    return *made;
  }
  Connection connect(ClientContext& from, ServerContext& to, int version = 0, bool extended_master_secret = true) {
    Connection made{Ssl(from.new_ssl()), Ssl(to.new_ssl())};
    if (version != 0) SSL_set_max_proto_version(made.client.get(), version);
    if (!extended_master_secret) SSL_set_options(made.client.get(), SSL_OP_NO_EXTENDED_MASTER_SECRET);
    made.join();
    EXPECT_TRUE(made.handshake()) << last_error();
    return made;
  }
  Verdict verdict(PeerPolicy policy, const test::CertificateWish& wish) {
    auto to = server(ca.issue(wish));
    auto from = client(policy);
    Connection made = connect(*from, *to);
    return judge(made.client.get(), from->policy());
  }

  test::TestCa ca;
};

TEST_F(TlsTest, JudgesInPlainWords) {
  test::TestCa other("Other CA");
  struct Case {
    PeerPolicy policy;
    test::CertificateWish wish;
    std::string why;
  };
  const std::string kName = "mail.example.org";
  const std::vector<Case> cases = {
      {{.name = kName}, {.names = {kName}}, ""},
      {{.name = "MAIL.example.ORG"}, {.names = {kName}}, ""},
      {{.name = "mail.example.org."}, {.names = {kName}}, ""},
      {{.name = kName}, {.names = {"*.example.org"}}, ""},
      {{.name = kName},
       {.names = {"m*.example.org"}},
       "certificate is for m*.example.org; you asked for mail.example.org"},
      {{.name = "a.mail.example.org"},
       {.names = {"*.example.org"}},
       "certificate is for *.example.org; you asked for a.mail.example.org"},
      {{.name = "192.0.2.1"}, {.names = {"192.0.2.1"}}, ""},
      {{.name = "2001:db8::1"}, {.names = {"2001:db8::1", kName}}, ""},
      {{.name = "192.0.2.2"}, {.names = {"192.0.2.1"}}, "certificate is for 192.0.2.1; you asked for 192.0.2.2"},
      {{.name = kName},
       {.names = {"a.example", "b.example"}},
       "certificate is for a.example, b.example; you asked for mail.example.org"},
      {{.name = kName}, {.common_name = kName}, ""},
      {{.name = kName},
       {.common_name = "old.example"},
       "certificate is for old.example; you asked for mail.example.org"},
      {{.name = kName},
       {.names = {kName}, .begins_in_days = -10, .ends_in_days = -3},
       "certificate expired 3 days ago"},
      {{.name = kName}, {.names = {kName}, .begins_in_days = -10, .ends_in_days = -1}, "certificate expired 1 day ago"},
      {{.name = kName},
       {.names = {kName}, .begins_in_days = 2, .ends_in_days = 9},
       "certificate is not valid yet (begins in 2 days; is the clock right?)"},
      {{.name = kName}, {.names = {kName}, .self_signed = true}, "certificate is self-signed"},
      {{.name = kName, .ca_file = other.ca_file()},
       {.names = {kName}},
       "certificate is signed by an unknown CA (CN=Test CA is not among " + other.ca_file() + ")"},
      {{.verify = false, .name = kName}, {.names = {kName}}, "verification is switched off"},
      {{.verify = false, .name = kName},
       {.names = {kName}, .self_signed = true},
       "verification is switched off (certificate is self-signed)"},
      {{}, {.names = {kName}}, "no name was given that the certificate could be checked against"},
  };
  for (const auto& c : cases) {
    Verdict got = verdict(c.policy, c.wish);
    EXPECT_EQ(got.why, c.why) << c.policy.name;
    EXPECT_EQ(got.verified, c.why.empty()) << c.policy.name;
  }
}

TEST_F(TlsTest, DescribesThePeer) {
  Verdict got = verdict({.name = "a.example"}, {.names = {"a.example", "192.0.2.7"}, .common_name = "A"});
  EXPECT_EQ(got.version, "TLSv1.3");
  EXPECT_THAT(got.cipher, StartsWith("TLS_"));
  EXPECT_GE(got.bits, 128);
  EXPECT_EQ(got.subject, "CN=A");
  EXPECT_EQ(got.issuer, "CN=Test CA");
  EXPECT_EQ(got.names, (std::vector<std::string>{"a.example", "192.0.2.7"}));
  EXPECT_EQ(got.days_left, 29);
  EXPECT_EQ(
      verdict({.name = "a.example"}, {.names = {"a.example"}, .begins_in_days = -9, .ends_in_days = -3}).days_left, -4);
}

TEST_F(TlsTest, ComparesPins) {
  auto issued = ca.issue({.names = {"anything.example"}, .self_signed = true});
  auto to = server(issued);
  std::string colons = "SHA256:";
  for (std::size_t i = 7; i < issued.fingerprint.size(); i += 2) {
    colons += (i == 7 ? "" : ":") + issued.fingerprint.substr(i, 2);
  }
  std::ranges::transform(colons, colons.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string zeros = "sha256:" + std::string(64, '0');
  for (const auto& pins :
       std::vector<std::vector<std::string>>{{issued.fingerprint}, {colons}, {zeros, issued.fingerprint}}) {
    auto from = client({.name = "mail.example.org", .fingerprints = pins});
    Connection made = connect(*from, *to);
    Verdict got = judge(made.client.get(), from->policy());
    EXPECT_TRUE(got.verified) << got.why;
    EXPECT_EQ(got.fingerprint, issued.fingerprint);
  }
  auto from = client({.name = "anything.example", .fingerprints = {zeros}});
  Connection made = connect(*from, *to);
  Verdict got = judge(made.client.get(), from->policy());
  EXPECT_FALSE(got.verified);
  EXPECT_EQ(got.why, "certificate's fingerprint is " + issued.fingerprint + "; pinned is " + zeros);
}

TEST_F(TlsTest, ResumesAndJudgesAgain) {
  auto to = server(ca.issue({.names = {"a.example"}}));
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto from = client({.name = "a.example"});
    EXPECT_EQ(SSL_session_reused(connect(*from, *to, version).client.get()), 0);
    for (int i = 0; i < 3; ++i) {
      Connection again = connect(*from, *to, version);
      EXPECT_EQ(SSL_session_reused(again.client.get()), 1) << version << " " << i;
      EXPECT_TRUE(judge(again.client.get(), from->policy()).verified);
      PeerPolicy other = from->policy();
      other.name = "b.example";
      EXPECT_FALSE(judge(again.client.get(), other).verified);
    }
  }
}

TEST_F(TlsTest, AnUnverifiedSessionStaysUnverifiedWhenResumed) {
  auto to = server(ca.issue({.names = {"a.example"}, .self_signed = true}));
  auto from = client({.name = "a.example"});
  connect(*from, *to);
  Connection again = connect(*from, *to);
  EXPECT_EQ(SSL_session_reused(again.client.get()), 1);
  EXPECT_EQ(judge(again.client.get(), from->policy()).why, "certificate is self-signed");
}

TEST_F(TlsTest, BindsTheChannelTheSameOnBothEnds) {
  auto to = server(ca.issue({.names = {"a.example"}}));
  struct Case {
    int version;
    std::string type;
    std::size_t octets;
  };
  for (const auto& [version, type, octets] :
       {Case{TLS1_2_VERSION, "tls-unique", 12}, Case{TLS1_3_VERSION, "tls-exporter", 32}}) {
    auto from = client({.name = "a.example"});
    std::vector<std::string> seen;
    for (int i = 0; i < 2; ++i) {  // the second is resumed
      Connection made = connect(*from, *to, version);
      EXPECT_EQ(SSL_session_reused(made.client.get()), i);
      ChannelBinding ours = channel_binding(made.client.get());
      ChannelBinding theirs = channel_binding(made.server.get());
      EXPECT_EQ(ours.type, type);
      EXPECT_EQ(theirs.type, type);
      EXPECT_EQ(ours.data.size(), octets);
      EXPECT_EQ(ours.data, theirs.data);
      seen.push_back(ours.data);
    }
    EXPECT_NE(seen[0], seen[1]);
  }
  // RFC 7627 section 5.4
  auto from = client({.name = "a.example"});
  Connection made = connect(*from, *to, TLS1_2_VERSION, false);
  EXPECT_EQ(channel_binding(made.client.get()).type, "");
  EXPECT_EQ(channel_binding(nullptr).type, "");
}

// What the client says it wants: read by the server's own name callback.
TEST_F(TlsTest, SendsAServerNameOnlyForNames) {
  auto to = server(ca.issue({.names = {"a.example"}}));
  for (const auto& [name, sni] : {std::pair<std::string, std::string>{"a.example", "a.example"},
                                  {"a.example.", "a.example"},
                                  {"192.0.2.1", ""},
                                  {"2001:db8::1", ""}}) {
    auto from = client({.name = name});
    Connection made = connect(*from, *to);
    const char* asked = SSL_get_servername(made.server.get(), TLSEXT_NAMETYPE_host_name);
    EXPECT_EQ(asked == nullptr ? "" : asked, sni) << name;
  }
}

TEST_F(TlsTest, RefusesOldVersions) {
  auto to = server(ca.issue({.names = {"a.example"}}));
  auto from = client({.name = "a.example"});
  Connection made{Ssl(from->new_ssl()), Ssl(to->new_ssl())};
  SSL_set_min_proto_version(made.client.get(), TLS1_VERSION);
  SSL_set_max_proto_version(made.client.get(), TLS1_1_VERSION);
  SSL_set_security_level(made.client.get(), 0);
  made.join();
  EXPECT_FALSE(made.handshake());
  EXPECT_THAT(last_error(), HasSubstr("no common protocol version"));
  EXPECT_EQ(last_error(), "unknown TLS error");  // emptied
}

TEST_F(TlsTest, NamesTheFileThatIsWrong) {
  auto good = ca.issue({.names = {"a.example"}});
  auto other = ca.issue({.names = {"b.example"}});
  std::string empty = ca.directory() + "/empty.pem";
  std::ofstream(empty).flush();
  std::string locked = ca.directory() + "/locked.pem";
  std::ofstream(locked) << "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGj\n-----END ENCRYPTED PRIVATE KEY-----\n";
  auto server_error = [](const std::string& cert, const std::string& key) {
    auto made = ServerContext::make({cert, key});
    return made ? std::string() : made.error().text;
  };
  EXPECT_EQ(server_error(good.cert_file, good.key_file), "");
  EXPECT_THAT(server_error("/nowhere/cert.pem", good.key_file), StartsWith("certificate /nowhere/cert.pem: "));
  EXPECT_THAT(server_error(good.cert_file, empty), StartsWith("private key " + empty + ": "));
  EXPECT_THAT(server_error(good.cert_file, locked), StartsWith("private key " + locked + ": "));
  EXPECT_THAT(server_error(good.cert_file, other.key_file), HasSubstr(other.key_file));
  auto client_error = [](const std::string& file) {
    auto made = ClientContext::make({.ca_file = file});
    return made ? std::string() : made.error().text;
  };
  EXPECT_THAT(client_error("/nowhere/ca.pem"), StartsWith("CA file /nowhere/ca.pem: "));
  EXPECT_THAT(client_error(empty), StartsWith("CA file " + empty + ": "));
}

TEST_F(TlsTest, SystemAuthoritiesAreTheDefault) {
  auto made = ClientContext::make({.name = "a.example"});
  ASSERT_TRUE(made);
  auto to = server(ca.issue({.names = {"a.example"}}));
  Connection connection = connect(**made, *to);
  EXPECT_THAT(judge(connection.client.get(), (*made)->policy()).why, HasSubstr("is not among the system's CAs"));
}

}  // namespace
}  // namespace sidegate::tls::context_test
