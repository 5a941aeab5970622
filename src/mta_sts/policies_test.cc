#include "mta_sts/policies.h"

#include <gtest/gtest.h>
#include <csignal>

#include <future>
#include <map>

#include "dns/scripted_server.h"
#include "mta_sts/test_https.h"

namespace sidegate::mta_sts::policies_test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPolicy = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmax_age: 86400\r\n";

struct StsPolicies : testing::Test {
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    ca = new test::TestCa;
    ::setenv("SSL_CERT_FILE", ca->ca_file().c_str(), 1);
  }
  static void TearDownTestSuite() {
    ::unsetenv("SSL_CERT_FILE");
    delete ca;
  }
  inline static test::TestCa* ca = nullptr;

  StsPolicies() : StsPolicies({.names = {"mta-sts.example.org"}}) {}
  explicit StsPolicies(const test::CertificateWish& wish) : https(ca->issue(wish)) {
    https.say(http(kPolicy));
    resolver = std::make_unique<dns::Resolver>(
        dns::ResolverSettings{.hosts = "/nowhere", .servers = {names.address()}, .timeout = Duration(2000)}, clock);
    make();
  }
  ~StsPolicies() override {
    loop.stop();
    thread.join();
    policies.reset();
    resolver.reset();
  }
  void make(Duration patience = 20s) {
    PolicySettings settings;
    settings.fetch = {.limit = 20s, .port = https.port};
    settings.patience = patience;
    policies = std::make_unique<Policies>(*resolver, clock, null_log(), settings);
    policies->set_keep([this](const std::string& domain, std::string row) {
      std::lock_guard lock(mutex);
      row.empty() ? void(kept.erase(domain)) : void(kept[domain] = row);
    });
  }
  std::optional<dns::Scripted> answer(const dns::Asked& asked) {
    std::lock_guard lock(mutex);
    if (asked.name == "_mta-sts.example.org" && asked.type == 16 && !record.empty())
      return dns::Scripted{{record}, 0, 0};
    if (asked.name == "mta-sts.example.org" && asked.type == 1) return dns::Scripted{{"127.0.0.1"}, 0, 0};
    return dns::Scripted{{}, asked.name == "mta-sts.example.org" ? 0u : 3u, 0};
  }
  void set_record(std::string text) {
    std::lock_guard lock(mutex);
    record = std::move(text);
    clock.advance(2min);  // what was not there is remembered for one
  }
  net::Awaitable<void> ask(std::string domain, std::promise<InForce>* promise) {
    InForce found = co_await policies->find(loop, std::move(domain));
    promise->set_value(std::move(found));
  }
  InForce find(std::string domain = "example.org") {
    std::promise<InForce> promise;
    loop.spawn("find", ask(std::move(domain), &promise));
    return promise.get_future().get();
  }
  std::string failure() {
    InForce found = find();
    EXPECT_FALSE(found.policy);
    return found.trouble ? name(found.trouble->failure) : "";
  }

  ManualClock clock;
  net::Loop loop{0, clock, null_log()};
  std::mutex mutex;
  std::string record = "v=STSv1; id=1";
  std::map<std::string, std::string> kept;
  dns::ScriptedServer names{[this](const dns::Asked& asked) { return answer(asked); }};
  TestHttps https;
  std::unique_ptr<dns::Resolver> resolver;
  std::unique_ptr<Policies> policies;
  std::thread thread{[this] { loop.run(); }};
};

TEST_F(StsPolicies, FetchedOnceAndKept) {
  InForce found = find("Example.org.");
  ASSERT_TRUE(found.enforced()) << (found.trouble ? found.trouble->text : "");
  EXPECT_EQ(found.id, "1");
  EXPECT_FALSE(found.trouble);
  EXPECT_TRUE(find().enforced());
  EXPECT_EQ(https.connections, 1);
  // Another id: fetched anew, at once.
  set_record("v=STSv1; id=2");
  https.say(http("version: STSv1\nmode: testing\nmx: other.example.org\nmax_age: 86400\n"));
  found = find();
  ASSERT_TRUE(found.policy);
  EXPECT_EQ(found.policy->mode, Mode::kTesting);
  EXPECT_EQ(found.id, "2");
  EXPECT_EQ(https.connections, 2);
}

TEST_F(StsPolicies, WithoutARecordNobodyIsAsked) {
  set_record("");
  EXPECT_FALSE(find().policy);
  EXPECT_FALSE(find().trouble);
  for (const char* domain : {"localhost", "[127.0.0.1]", "other.example", "a..b", ""})
    EXPECT_FALSE(find(domain).policy);
  EXPECT_EQ(https.connections, 0);
}

// RFC 8461 section 5.1: what was there holds for as long as it says.
TEST_F(StsPolicies, WhatVanishesStaysInForce) {
  ASSERT_TRUE(find().enforced());
  https.say(http("", "404 Not Found"));
  set_record("v=STSv1; id=2");
  InForce found = find();
  EXPECT_TRUE(found.enforced());
  EXPECT_EQ(found.id, "1");
  ASSERT_TRUE(found.trouble);
  EXPECT_EQ(found.trouble->failure, Failure::kFetch);
  set_record("");
  EXPECT_TRUE(find().enforced());
  clock.advance(24h);
  EXPECT_FALSE(find().policy);
}

TEST_F(StsPolicies, AFirstFetchThatFailsIsNoPolicyAndIsNotRepeatedAtOnce) {
  https.say(http("", "404 Not Found"));
  EXPECT_EQ(failure(), "sts-policy-fetch-error");
  EXPECT_EQ(failure(), "sts-policy-fetch-error");
  set_record("v=STSv1; id=2");
  EXPECT_EQ(failure(), "sts-policy-fetch-error");
  EXPECT_EQ(https.connections, 1);
  clock.advance(5min);
  https.say(http(kPolicy));
  EXPECT_TRUE(find().enforced());
  EXPECT_FALSE(find().trouble);
  EXPECT_EQ(https.connections, 2);
}

TEST_F(StsPolicies, WhatIsNoAnswer) {
  const std::string large(kLargestPolicy + 1, 'x');
  const struct {
    std::string answer, failure;
  } cases[] = {
      {http("", "301 Moved Permanently", "Location: https://mta-sts.example.org/.well-known/mta-sts.txt\r\n"),
       "sts-policy-fetch-error"},
      {http(kPolicy, "203 Other"), "sts-policy-fetch-error"},
      {"HTTP/1.1 garbage\r\n\r\n", "sts-policy-fetch-error"},
      {http(kPolicy, "200 OK", "Content-Type: text/html\r\n"), "sts-policy-invalid"},
      {http(kPolicy, "200 OK", ""), "sts-policy-invalid"},
      {http(large), "sts-policy-invalid"},
      {"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + large, "sts-policy-invalid"},
      {http("version: STSv1\n"), "sts-policy-invalid"},
  };
  for (const auto& c : cases) {
    https.say(c.answer);
    EXPECT_EQ(failure(), c.failure) << c.answer.substr(0, 60);
    clock.advance(5min);
  }
  https.say(http(kPolicy, "200 OK", "Content-Type: Text/Plain ; charset=utf-8\r\n"));
  EXPECT_TRUE(find().enforced());
}

TEST_F(StsPolicies, NobodyWaitsForWhoDoesNotAnswer) {
  policies.reset();
  make(100ms);
  https.say("");
  EXPECT_EQ(failure(), "sts-policy-fetch-error");
  clock.advance(1s);
  EXPECT_EQ(failure(), "sts-policy-fetch-error");  // and not even as long as the first one
  EXPECT_EQ(https.connections, 1);
}

TEST_F(StsPolicies, OverARestart) {
  ASSERT_TRUE(find().enforced());
  ASSERT_EQ(kept.size(), 1u);
  policies.reset();
  make();
  EXPECT_TRUE(policies->restore("example.org", kept["example.org"]));
  EXPECT_FALSE(policies->restore("other.example", "nonsense"));
  EXPECT_TRUE(find().enforced());
  EXPECT_EQ(https.connections, 1);
}

TEST_F(StsPolicies, FetchedAgainLongBeforeItExpires) {
  ASSERT_TRUE(find().enforced());
  clock.advance(13h);
  set_record("");  // RFC 8461 section 10.2: whatever the record says
  const WallTime fetched = policies->known("example.org").fetched;
  policies->refresh(loop);
  for (int i = 0; i < 2000 && policies->known("example.org").fetched == fetched; ++i) ::usleep(10'000);
  InForce known = policies->known("example.org");
  EXPECT_GT(known.fetched, fetched);
  EXPECT_EQ(known.id, "1");
  EXPECT_EQ(https.connections, 2);
}

TEST_F(StsPolicies, NowhereButWhereItMay) {
  policies->set_allowed([](const std::string& address) { return address != "127.0.0.1"; });
  EXPECT_EQ(failure(), "sts-policy-fetch-error");
  EXPECT_EQ(https.connections, 0);
}

TEST_F(StsPolicies, EndsWhileSomebodyWaits) {
  https.say("");
  std::promise<InForce> promise;
  loop.spawn("find", ask("example.org", &promise));
  while (https.connections == 0) ::usleep(1000);
  loop.stop();
}

struct AnotherName : StsPolicies {
  AnotherName() : StsPolicies({.names = {"example.org", "*.other.example"}, .common_name = "mta-sts.example.org"}) {}
};
TEST_F(AnotherName, IsNoCertificateForIt) {
  EXPECT_EQ(failure(), "sts-webpki-invalid");
}
struct CommonNameAlone : StsPolicies {
  CommonNameAlone() : StsPolicies({.names = {}, .common_name = "mta-sts.example.org"}) {}
};
TEST_F(CommonNameAlone, IsNoCertificateForIt) {
  EXPECT_EQ(failure(), "sts-webpki-invalid");
}
struct Wildcard : StsPolicies {
  Wildcard() : StsPolicies({.names = {"*.example.org"}}) {}
};
TEST_F(Wildcard, IsACertificateForIt) {
  EXPECT_TRUE(find().enforced());
}
struct Expired : StsPolicies {
  Expired() : StsPolicies({.names = {"mta-sts.example.org"}, .begins_in_days = -9, .ends_in_days = -2}) {}
};
TEST_F(Expired, IsNoCertificate) {
  EXPECT_EQ(failure(), "sts-webpki-invalid");
}
struct SelfSigned : StsPolicies {
  SelfSigned() : StsPolicies({.names = {"mta-sts.example.org"}, .self_signed = true}) {}
};
TEST_F(SelfSigned, IsNoCertificate) {
  EXPECT_EQ(failure(), "sts-webpki-invalid");
}

}  // namespace
}  // namespace sidegate::mta_sts::policies_test
