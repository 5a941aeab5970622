#include "dns/exchangers.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <set>
#include <thread>

#include "dns/message.h"
#include "dns/resolver.h"
#include "dns/scripted_server.h"
#include "net/loop.h"

namespace sidegate::dns::exchangers_test {
namespace {

TEST(Exchangers, AsTheRecordsSay) {
  struct {
    std::vector<std::string> records;
    std::vector<Exchanger> list;
    bool null_mx;
  } cases[] = {
      {{"20 b.example", "10 A.example"}, {{10, "a.example"}, {20, "b.example"}}, false},
      {{"0 ."}, {}, true},                                    // RFC 7505
      {{"0 .", "10 a.example"}, {{10, "a.example"}}, false},  // its section 3: it must be the only one
      {{"10 192.0.2.1", "20 a.example"}, {{20, "a.example"}}, false},
      {{"10 192.0.2.1"}, {}, false},  // a mistake: no mail is refused for it
      {{"x a.example", "a.example", "", "99999 b.example"}, {}, false},
      {{"10 a.example."}, {{10, "a.example"}}, false},
      {{"10 -bad-.example\t"}, {}, false},
  };
  for (const auto& c : cases) {
    auto read = read_exchangers(c.records, 7);
    EXPECT_EQ(read.list, c.list) << c.records.front();
    EXPECT_EQ(read.null_mx, c.null_mx) << c.records.front();
  }
}

TEST(Exchangers, EqualsAreShuffledAndManyAreBounded) {
  std::set<std::string> first;
  for (std::uint32_t random = 1; random < 50; ++random) {
    auto read = read_exchangers({"10 a.example", "10 b.example", "5 c.example", "10 d.example"}, random * 7919);
    ASSERT_EQ(read.list.size(), 4u);
    EXPECT_EQ(read.list[0].host, "c.example");
    first.insert(read.list[1].host);
  }
  EXPECT_EQ(first.size(), 3u);
  std::vector<std::string> many;
  for (int i = 0; i < 500; ++i) many.push_back(std::to_string(500 - i) + " m" + std::to_string(i) + ".example");
  auto read = read_exchangers(many, 1);
  ASSERT_EQ(read.list.size(), kMostExchangers);
  EXPECT_EQ(read.list[0].preference, 1u);
}

TEST(Exchangers, AddressLiterals) {
  EXPECT_EQ(address_of_literal("[192.0.2.1]"), "192.0.2.1");
  EXPECT_EQ(address_of_literal("[IPv6:2001:DB8::1]"), "2001:db8::1");
  for (const char* no :
       {"192.0.2.1", "[2001:db8::1]", "[IPv6:192.0.2.1]", "[192.0.2]", "[]", "[fe80::1%eth0]", "[x]", "["})
    EXPECT_FALSE(address_of_literal(no)) << no;
}

// --- through the resolver

constexpr unsigned kAType = 1, kNsType = 2, kMxType = 15;
constexpr unsigned kNxDomain = 3, kServFail = 2;

struct Asking {
  explicit Asking(ScriptedServer::Script script) : server(std::move(script)) {
    ResolverSettings settings;
    settings.servers = {server.address()};
    settings.hosts = "/nonexistent";
    settings.timeout = Duration(3000);
    resolver = std::make_unique<Resolver>(settings, clock);
  }
  ~Asking() {
    resolver.reset();
    loop.stop();
    thread.join();
  }
  net::Awaitable<void> run(std::string domain, std::promise<Result<Exchangers>>* promise) {
    auto result = co_await resolver->exchangers(loop, std::move(domain), 1);
    promise->set_value(std::move(result));
  }
  Result<Exchangers> ask(std::string domain) {
    std::promise<Result<Exchangers>> promise;
    loop.post([&] { loop.spawn("test", run(std::move(domain), &promise)); });
    return promise.get_future().get();
  }
  ManualClock clock;
  net::Loop loop{0, clock, null_log()};
  ScriptedServer server;
  std::unique_ptr<Resolver> resolver;
  std::thread thread{[this] { loop.run(); }};
};

std::optional<Scripted> no_such(unsigned rcode = kNxDomain) {
  Scripted s;
  s.rcode = rcode;
  return s;
}

TEST(ExchangersOfADomain, ADenialIsBelievedOnlyFromWhoKnowsTheRoot) {
  Asking knows([](const Asked& asked) -> std::optional<Scripted> {
    if (asked.name.empty() && asked.type == kNsType) return Scripted{};
    return no_such();
  });
  EXPECT_EQ(knows.ask("gone.example").error().kind, ErrorKind::kNotFound);
  Asking denies_all([](const Asked&) { return no_such(); });
  EXPECT_EQ(denies_all.ask("gone.example").error().kind, ErrorKind::kUnreachable);
  Asking knows_above([](const Asked& asked) -> std::optional<Scripted> {
    if (asked.name == "example" && asked.type == kNsType) return Scripted{};
    return no_such();
  });
  EXPECT_EQ(knows_above.ask("gone.example").error().kind, ErrorKind::kNotFound);
}

TEST(ExchangersOfADomain, TroubleIsNoDenial) {
  Asking fails([](const Asked&) { return no_such(kServFail); });
  EXPECT_NE(fails.ask("a.example").error().kind, ErrorKind::kNotFound);
  Asking half([](const Asked& asked) -> std::optional<Scripted> {  // MX is denied, addresses are in trouble
    return asked.type == kMxType ? std::optional(Scripted{}) : no_such(kServFail);
  });
  EXPECT_NE(half.ask("a.example").error().kind, ErrorKind::kNotFound);
}

TEST(ExchangersOfADomain, ImplicitAndLiteral) {
  Asking asking([](const Asked& asked) -> std::optional<Scripted> {
    Scripted s;
    if (asked.type == kAType) s.addresses = {"192.0.2.7"};
    return s;
  });
  auto implicit = asking.ask("Host.Example.");
  ASSERT_TRUE(implicit) << implicit.error().text;
  EXPECT_TRUE(implicit->implicit);
  EXPECT_EQ(implicit->list, (std::vector<Exchanger>{{0, "host.example"}}));
  auto literal = asking.ask("[192.0.2.9]");
  ASSERT_TRUE(literal);
  EXPECT_EQ(literal->list, (std::vector<Exchanger>{{0, "192.0.2.9"}}));
  EXPECT_EQ(asking.ask("no domain").error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace sidegate::dns::exchangers_test
