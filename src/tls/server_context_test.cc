// What a server shows to whom: certificates by name, tickets over renewals, clients' certificates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <fstream>
#include <sstream>

#include "test_certificates.h"
#include "tls/context.h"
#include "tls/ticket_keys.h"

namespace sidegate::tls::server_context_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string content(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Free {
  void operator()(SSL* ssl) const {
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
  }
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Ssl = std::unique_ptr<SSL, Free>;
using Session = std::unique_ptr<SSL_SESSION, Free>;

// A plain OpenSSL client and one of our servers, joined in memory.
struct Meeting {
  std::unique_ptr<SSL_CTX, Free> context{SSL_CTX_new(TLS_client_method())};
  Ssl client, server;
  bool done = false;

  explicit Meeting(const ServerContext& to) : server(to.new_ssl()) {}
  Meeting& shows(const test::IssuedCertificate& own) {
    SSL_CTX_use_certificate_file(context.get(), own.cert_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context.get(), own.key_file.c_str(), SSL_FILETYPE_PEM);
    return *this;
  }
  Meeting& shake(const char* name = nullptr, SSL_SESSION* before = nullptr, int most = 0) {
    client.reset(SSL_new(context.get()));
    SSL_set_connect_state(client.get());
    if (name != nullptr) SSL_set_tlsext_host_name(client.get(), name);
    if (before != nullptr) SSL_set_session(client.get(), before);
    if (most != 0) SSL_set_max_proto_version(client.get(), most);
    BIO *a = nullptr, *b = nullptr;
    BIO_new_bio_pair(&a, 64 * 1024, &b, 64 * 1024);
    SSL_set_bio(client.get(), a, a);
    SSL_set_bio(server.get(), b, b);
    for (int i = 0; i < 20 && !done; ++i) {
      int here = SSL_do_handshake(client.get()), there = SSL_do_handshake(server.get());
      done = here == 1 && there == 1;
    }
    char octet = 0;  // tickets come behind the handshake
    if (done) SSL_write(server.get(), "y", 1), SSL_read(client.get(), &octet, 1);
    return *this;
  }
  std::string shown() const {
    X509* cert = SSL_get1_peer_certificate(client.get());
    char name[256] = "";
    if (cert != nullptr) X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    X509_free(cert);
    return name;
  }
  Session session() const { return Session(SSL_get1_session(client.get())); }
};

struct ServerContextTest : testing::Test {
  test::TestCa ca;
  Identity identity(std::vector<std::string> names, std::string common_name) {
    auto issued = ca.issue({.names = std::move(names), .common_name = std::move(common_name)});
    // As the parent hands it over: content, and names of files that cannot be opened here.
    return {"/root/" + issued.cert_file, "/root/" + issued.key_file, content(issued.cert_file),
            content(issued.key_file)};
  }
  std::shared_ptr<ServerContext> serve(ServerSettings settings, std::shared_ptr<TicketKeys> tickets = nullptr) {
    auto made = ServerContext::serve(settings, std::move(tickets));
    EXPECT_TRUE(made) << made.error().text;
    return *made;
  }
};

TEST_F(ServerContextTest, ShowsTheCertificateThatIsAskedFor) {
  auto server = serve({.identities = {identity({"a.example", "www.a.example"}, "first"),
                                      identity({"b.example"}, "second"), identity({"*.c.example"}, "wild")}});
  struct {
    const char *asked, *shown;
  } cases[] = {{"a.example", "first"},     {"www.a.example", "first"},   {"b.example", "second"},
               {"B.EXAMPLE", "second"},    {"x.c.example", "wild"},      {"c.example", "first"},
               {"x.y.c.example", "first"}, {"unknown.example", "first"}, {nullptr, "first"}};
  for (const auto& c : cases) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      Meeting meeting(*server);
      meeting.shake(c.asked, nullptr, version);
      ASSERT_TRUE(meeting.done) << last_error();
      EXPECT_EQ(meeting.shown(), c.shown) << (c.asked ? c.asked : "no name");
    }
  }
  EXPECT_EQ(server->certificates().size(), 3u);
  EXPECT_EQ(server->certificates()[1].names, (std::vector<std::string>{"b.example"}));
  EXPECT_EQ(days_left(server->certificates()[0], system_clock().wall()), 29);
}

TEST_F(ServerContextTest, NamesWhatIsWrong) {
  Identity good = identity({"a.example"}, "a"), other = identity({"b.example"}, "b");
  auto failure = [](const Identity& one) {
    auto made = ServerContext::serve({.identities = {one}});
    return made ? std::string("no error") : made.error().text;
  };
  EXPECT_THAT(failure({"/x/cert.pem", "/x/key.pem", good.cert_pem, other.key_pem}),
              HasSubstr("private key /x/key.pem does not belong to the certificate /x/cert.pem"));
  EXPECT_THAT(failure({"/x/cert.pem", "/x/key.pem", "rubbish", good.key_pem}),
              HasSubstr("certificate /x/cert.pem: it holds no certificate in PEM form"));
  EXPECT_THAT(failure({"/x/cert.pem", "/x/key.pem", good.cert_pem, "rubbish"}), HasSubstr("private key /x/key.pem"));
  EXPECT_FALSE(ServerContext::serve({}));
  EXPECT_THAT(ServerContext::serve({.identities = {good}, .ciphers = "NONSENSE"}).error().text, HasSubstr("NONSENSE"));
}

TEST_F(ServerContextTest, TheLowestVersionIsASetting) {
  auto server = serve({.identities = {identity({"a.example"}, "a")}, .minimum = Version::kTls13});
  EXPECT_FALSE(Meeting(*server).shake(nullptr, nullptr, TLS1_2_VERSION).done);
  EXPECT_TRUE(Meeting(*server).shake().done);
  for (int old : {TLS1_VERSION, TLS1_1_VERSION})
    EXPECT_FALSE(Meeting(*serve({.identities = {identity({"a.example"}, "a")}})).shake(nullptr, nullptr, old).done);
}

TEST_F(ServerContextTest, SessionsOutliveACertificateButNotTheirKeys) {
  ManualClock clock;
  auto tickets = std::make_shared<TicketKeys>(clock, std::chrono::hours(6));
  auto before = serve({.identities = {identity({"a.example"}, "old")}}, tickets);
  auto after = serve({.identities = {identity({"a.example"}, "new")}}, tickets);
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Meeting first(*before);
    first.shake(nullptr, nullptr, version);
    ASSERT_TRUE(first.done);
    Session kept = first.session();
    first.client.reset();
    struct {
      Duration later;
      bool resumed;
    } cases[] = {{std::chrono::hours(0), true}, {std::chrono::hours(7), true}, {std::chrono::hours(6), false}};
    for (const auto& c : cases) {
      clock.advance(c.later);
      // A TLS 1.3 ticket is used once by a client; a copy stands for another of the same day.
      Session copy(SSL_SESSION_dup(kept.get()));
      Meeting again(*after);
      again.shake(nullptr, copy.get(), version);
      ASSERT_TRUE(again.done);
      EXPECT_EQ(SSL_session_reused(again.client.get()) == 1, c.resumed) << c.later.count();
    }
  }
}

TEST_F(ServerContextTest, AClientsCertificateIsJudged) {
  test::TestCa other("Other CA");
  ServerSettings settings{.identities = {identity({"a.example"}, "a")}};
  settings.client_ca_file = ca.ca_file();
  settings.client_ca_pem = content(ca.ca_file());
  auto server = serve(settings);
  auto mine = ca.issue({.names = {"taro.example.org"}});
  auto strange = other.issue({.names = {"taro.example.org"}});
  auto past = ca.issue({.names = {"taro.example.org"}, .begins_in_days = -30, .ends_in_days = -1});
  struct {
    const test::IssuedCertificate* shows;
    bool verified;
  } cases[] = {{&mine, true}, {&strange, false}, {&past, false}, {nullptr, false}};
  for (const auto& c : cases) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      Meeting meeting(*server);
      if (c.shows != nullptr) meeting.shows(*c.shows);
      meeting.shake(nullptr, nullptr, version);
      ASSERT_TRUE(meeting.done) << last_error();  // whoever shows what: the handshake goes on
      Verdict verdict = describe(meeting.server.get());
      EXPECT_EQ(verdict.verified, c.verified) << verdict.why;
      EXPECT_EQ(verdict.fingerprint, c.shows != nullptr ? c.shows->fingerprint : "");
      if (c.verified) {
        EXPECT_THAT(verdict.names, ElementsAre("taro.example.org"));
      } else {
        EXPECT_THAT(verdict.names, IsEmpty());
      }
    }
  }
  // A session made where another CA, or none, was asked is not taken for a login here.
  auto tickets = std::make_shared<TicketKeys>(system_clock());
  ServerSettings lax = settings;
  lax.client_ca_file = other.ca_file();
  lax.client_ca_pem = content(other.ca_file());
  Meeting there(*serve(lax, tickets));
  there.shows(strange).shake();
  ASSERT_TRUE(there.done);
  EXPECT_TRUE(describe(there.server.get()).verified);
  Session kept = there.session();
  there.client.reset();
  Meeting here(*serve(settings, tickets));
  here.shake(nullptr, kept.get());
  ASSERT_TRUE(here.done);
  EXPECT_EQ(SSL_session_reused(here.client.get()), 0);
  EXPECT_FALSE(describe(here.server.get()).verified);
}

TEST_F(ServerContextTest, SignsItsOwn) {
  for (const char* name : {"mail.example.org", "192.0.2.1"}) {
    auto pem = self_signed(name, 100);
    ASSERT_TRUE(pem) << pem.error().text;
    auto server = serve({.identities = {{"own", "own", *pem, *pem}}});
    const CertificateFacts& facts = server->certificates().front();
    EXPECT_THAT(facts.names, ElementsAre(name));
    EXPECT_TRUE(facts.self_signed);
    EXPECT_EQ(facts.key, "ECDSA 256");
    EXPECT_EQ(days_left(facts, system_clock().wall()), 99);
    EXPECT_TRUE(Meeting(*server).shake().done);
    Status verified = verifies({"own", "own", *pem, *pem}, name);
    ASSERT_FALSE(verified);
    EXPECT_THAT(verified.error().text, HasSubstr("does not verify"));
  }
}

TEST_F(ServerContextTest, VerifiesAsAClientWould) {
  setenv("SSL_CERT_FILE", ca.ca_file().c_str(), 1);
  Identity own = identity({"a.example"}, "a");
  EXPECT_TRUE(verifies(own, "a.example"));
  EXPECT_THAT(verifies(own, "localhost").error().text, HasSubstr("not for localhost"));
  unsetenv("SSL_CERT_FILE");
  EXPECT_FALSE(verifies(own, "a.example"));
}

}  // namespace
}  // namespace sidegate::tls::server_context_test
