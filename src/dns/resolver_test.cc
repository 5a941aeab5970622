#include "dns/resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include "dns/scripted_server.h"

namespace sidegate::dns::resolver_test {
namespace {

using Names = std::vector<std::string>;
using namespace std::chrono_literals;
constexpr unsigned kA = 1;

unsigned threads_of_this_process() {
  auto all = std::filesystem::directory_iterator("/proc/self/task");
  return static_cast<unsigned>(std::distance(begin(all), end(all)));
}

struct ResolverTest : testing::Test {
  ManualClock clock;
  net::Loop loop{0, clock, null_log()};
  std::filesystem::path hosts = std::filesystem::temp_directory_path() / ("hosts_" + std::to_string(::getpid()));
  std::function<std::optional<Scripted>(const Asked&)> script;
  std::mutex mutex;
  ScriptedServer server{[this](const Asked& asked) {
    std::lock_guard lock(mutex);
    return script(asked);
  }};
  ResolverSettings settings;
  std::unique_ptr<Resolver> resolver;
  std::thread thread{[this] { loop.run(); }};

  ResolverTest() {
    say([](const Asked&) { return std::nullopt; });
    settings.servers = {server.address()};
    settings.timeout = Duration(400);
    settings.hosts = hosts;
    resolver = std::make_unique<Resolver>(settings, clock);
  }
  ~ResolverTest() override {
    resolver.reset();
    loop.stop();
    thread.join();
    std::filesystem::remove(hosts);
  }
  void say(std::function<std::optional<Scripted>(const Asked&)> next) {
    std::lock_guard lock(mutex);
    script = std::move(next);
  }

  net::Awaitable<void> resolve(std::string host, std::promise<Result<Addresses>>* promise) {
    auto result = co_await resolver->addresses(loop, std::move(host));
    EXPECT_TRUE(loop.on_this_thread());
    promise->set_value(std::move(result));
  }
  // Several types of question by one road.
  static net::Awaitable<void> answer(std::function<net::Awaitable<Result<Records>>()> question,
                                     std::promise<Result<Records>>* promise) {
    auto result = co_await question();
    promise->set_value(std::move(result));
  }
  Result<Records> ask_for(std::function<net::Awaitable<Result<Records>>()> question) {
    std::promise<Result<Records>> promise;
    loop.spawn("records", answer(std::move(question), &promise));
    return promise.get_future().get();
  }
  Result<Addresses> addresses(std::string host) {
    std::promise<Result<Addresses>> promise;
    loop.spawn("resolve", resolve(std::move(host), &promise));
    return promise.get_future().get();
  }
};

TEST_F(ResolverTest, RecordsOfOneTypeAndWhatIsNotThere) {
  std::ofstream(hosts) << "192.0.2.9 relay.example relay\n";
  say([](const Asked& asked) -> std::optional<Scripted> {
    if (asked.name == "one.example" && asked.type == kA) return Scripted{{"192.0.2.1"}};
    if (asked.name == "silent.example") return std::nullopt;
    return Scripted{{}, 3};
  });
  auto records = [this](std::string name) {
    return ask_for([=, this] { return resolver->records(loop, name, RecordType::kA, 400ms); });
  };
  EXPECT_EQ(*records("One.example."), Names{"192.0.2.1"});
  EXPECT_EQ(records("none.example").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(records("silent.example").error().kind, ErrorKind::kTimeout);
  EXPECT_EQ(*records("relay"), Names{"192.0.2.9"});
  EXPECT_EQ(*ask_for([this] { return resolver->names(loop, "192.0.2.9", 400ms); }), Names{"relay.example"});
  EXPECT_EQ(ask_for([this] { return resolver->names(loop, "192.0.2.1", 400ms); }).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(ask_for([this] { return resolver->names(loop, "unix", 400ms); }).error().kind, ErrorKind::kNotFound);
  // Answered once, that there is none too; and nothing of another type was asked for.
  const std::size_t asked = server.asked().size();
  EXPECT_EQ(records("none.example").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(*records("one.example"), Names{"192.0.2.1"});
  EXPECT_EQ(server.asked().size(), asked);
  for (const Asked& one : server.asked())
    EXPECT_TRUE(one.type == kA || one.name == "1.2.0.192.in-addr.arpa") << one.name;
}

TEST_F(ResolverTest, LiteralsAndThisHostCostNothing) {
  std::ofstream(hosts) << "192.0.2.9 relay.example relay\n2001:db8::9 relay.example\n";
  unsigned threads = threads_of_this_process();
  EXPECT_EQ(addresses("192.0.2.1")->list, Names{"192.0.2.1"});
  EXPECT_EQ(addresses("[2001:DB8::1]")->list, Names{"2001:db8::1"});
  EXPECT_EQ(addresses("LocalHost.")->list, (Names{"::1", "127.0.0.1"}));
  EXPECT_EQ(addresses("Relay.example")->list, (Names{"2001:db8::9", "192.0.2.9"}));
  EXPECT_EQ(addresses("relay")->list, Names{"192.0.2.9"});
  EXPECT_EQ(threads_of_this_process(), threads);
  EXPECT_TRUE(server.asked().empty());
}

TEST_F(ResolverTest, WhatIsNoNameIsNotAskedFor) {
  for (std::string host : {"", ".", "a..b", "a b", "a\r\nb", "[192.0.2.1", "-"}) {
    auto result = addresses(host);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kNotFound);
  }
  EXPECT_TRUE(server.asked().empty());
}

TEST_F(ResolverTest, InternationalisedNamesAreAskedForInAscii) {
  say([](const Asked& asked) -> std::optional<Scripted> {
    if (asked.name == "xn--bcher-kva.example" && asked.type == kA) return Scripted{{"192.0.2.1"}};
    return Scripted{{}, 3};
  });
  EXPECT_EQ(addresses("Bücher.example")->list, Names{"192.0.2.1"});
  EXPECT_EQ(*ask_for([this] { return resolver->records(loop, "BÜCHER.example.", RecordType::kA, 400ms); }),
            Names{"192.0.2.1"});
  for (const Asked& one : server.asked()) EXPECT_EQ(one.name, "xn--bcher-kva.example");
  EXPECT_EQ(addresses("-ü.example").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(ask_for([this] { return resolver->records(loop, "\xff.example", RecordType::kA, 400ms); }).error().kind,
            ErrorKind::kNotFound);
}

TEST_F(ResolverTest, AnswersAreKeptForTheirTtl) {
  say([](const Asked& asked) { return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}, 0, 60}; });
  EXPECT_EQ(addresses("one.example")->list, Names{"192.0.2.1"});
  std::size_t asked = server.asked().size();
  say([](const Asked&) { return std::nullopt; });
  clock.advance(50s);
  auto kept = addresses("ONE.example.");
  EXPECT_EQ(kept->list, Names{"192.0.2.1"});
  EXPECT_FALSE(kept->stale);
  EXPECT_EQ(server.asked().size(), asked);
}

TEST_F(ResolverTest, TheLastGoodAnswerServesForADay) {
  say([](const Asked& asked) { return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}, 0, 0}; });
  EXPECT_TRUE(addresses("one.example"));
  say([](const Asked&) { return Scripted{{}, 2}; });
  clock.advance(23h);
  auto stale = addresses("one.example");
  ASSERT_TRUE(stale) << stale.error().text;
  EXPECT_TRUE(stale->stale);
  EXPECT_EQ(stale->list, Names{"192.0.2.1"});
  clock.advance(2h);
  auto failed = addresses("one.example");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::kUnreachable);
  EXPECT_NE(failed.error().text.find("SERVFAIL"), std::string::npos) << failed.error().text;
}

TEST_F(ResolverTest, NxdomainIsBelieved) {
  say([](const Asked& asked) { return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}, 0, 0}; });
  EXPECT_TRUE(addresses("one.example"));
  say([](const Asked&) { return Scripted{{}, 3}; });
  clock.advance(1s);
  auto gone = addresses("one.example");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::kNotFound);
}

TEST_F(ResolverTest, SilenceIsATimeOut) {
  auto result = addresses("one.example");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kTimeout);
}

TEST_F(ResolverTest, ManyWhoWantOneNameAskOnce) {
  std::atomic<bool> go = false;
  say([&go](const Asked& asked) -> std::optional<Scripted> {
    if (!go) return std::nullopt;
    return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}};
  });
  std::vector<std::promise<Result<Addresses>>> promises(50);
  for (auto& promise : promises) loop.spawn("resolve", resolve("one.example", &promise));
  go = true;
  for (auto& promise : promises) promise.get_future().wait();
  EXPECT_LT(server.asked().size(), 20u);
}

TEST_F(ResolverTest, EndsWhileSomebodyWaits) {
  settings.timeout = Duration(60'000);
  resolver = std::make_unique<Resolver>(settings, clock);
  std::promise<Result<Addresses>> promise;
  std::promise<void> begun;
  loop.spawn("resolve", resolve("one.example", &promise));
  loop.post([&begun] { begun.set_value(); });
  begun.get_future().wait();
  resolver.reset();
  EXPECT_FALSE(promise.get_future().get());
}

}  // namespace
}  // namespace sidegate::dns::resolver_test
