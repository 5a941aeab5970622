#include "dns/lookup_thread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>

#include "dns/scripted_server.h"

namespace sidegate::dns::lookup_thread_test {
namespace {

using Names = std::vector<std::string>;
constexpr unsigned kA = 1, kAaaa = 28;

ResolverSettings settings_for(const ScriptedServer& server, int timeout_ms = 4000) {
  ResolverSettings settings;
  settings.servers = {server.address()};
  settings.timeout = Duration(timeout_ms);
  return settings;
}

Answer ask(LookupThread& thread, std::string name) {
  std::promise<Answer> promise;
  auto future = promise.get_future();
  thread.ask(std::move(name), [&promise](Answer answer) { promise.set_value(std::move(answer)); });
  return future.get();
}

TEST(LookupThread, BothFamiliesInterleaved) {
  ScriptedServer server([](const Asked& asked) {
    return Scripted{asked.type == kA ? Names{"192.0.2.1", "192.0.2.2"} : Names{"2001:db8::1"}, 0, 33};
  });
  LookupThread thread(settings_for(server));
  Answer answer = ask(thread, "relay.example");
  EXPECT_EQ(answer.verdict, Verdict::kFound);
  ASSERT_EQ(answer.list.size(), 3u);
  EXPECT_EQ(answer.list[0], "2001:db8::1");
  EXPECT_LE(answer.ttl, 33u);
  EXPECT_GE(answer.ttl, 15u);
}

TEST(LookupThread, Verdicts) {
  ScriptedServer server([](const Asked& asked) -> std::optional<Scripted> {
    if (asked.name == "none.example") return Scripted{{}, 3};
    if (asked.name == "empty.example") return Scripted{};
    if (asked.name == "broken.example") return Scripted{{}, 2};
    if (asked.name == "refused.example") return Scripted{{}, 5};
    if (asked.name == "four.example") return Scripted{asked.type == kA ? Names{"192.0.2.4"} : Names{}};
    if (asked.name == "alias.example")
      return Scripted{asked.type == kA ? Names{"192.0.2.5"} : Names{}, 0, 60, false, "real.example"};
    if (asked.name == "real.example") return Scripted{asked.type == kA ? Names{"192.0.2.5"} : Names{}};
    if (asked.name == "odd.example")
      return asked.type == kA ? Scripted{{"192.0.2.6"}} : Scripted{{}, 3};  // RFC 4074 section 4.2
    if (asked.name == "host.test" || asked.name == "host.home.arpa")
      return Scripted{asked.type == kA ? Names{"192.0.2.7"} : Names{}};
    return std::nullopt;
  });
  struct Case {
    const char* name;
    Verdict verdict;
    Names list;
  } cases[] = {
      {"none.example", Verdict::kNoName, {}},
      {"empty.example", Verdict::kNoData, {}},
      {"broken.example", Verdict::kFailed, {}},
      {"refused.example", Verdict::kFailed, {}},
      {"four.example", Verdict::kFound, {"192.0.2.4"}},
      {"alias.example", Verdict::kFound, {"192.0.2.5"}},
      {"odd.example", Verdict::kFound, {"192.0.2.6"}},
      {"host.test", Verdict::kFound, {"192.0.2.7"}},
      {"host.home.arpa", Verdict::kFound, {"192.0.2.7"}},
  };
  LookupThread thread(settings_for(server));
  for (const auto& c : cases) {
    Answer answer = ask(thread, c.name);
    EXPECT_EQ(answer.verdict, c.verdict) << c.name << " " << answer.why;
    EXPECT_EQ(answer.list, c.list) << c.name;
  }
}

TEST(LookupThread, AForwarderThatDropsEdnsStopsNothing) {
  ScriptedServer server([](const Asked& asked) -> std::optional<Scripted> {
    if (asked.edns) return std::nullopt;
    return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}};
  });
  LookupThread thread(settings_for(server, 4000));
  EXPECT_EQ(ask(thread, "one.example").list, Names{"192.0.2.1"});
  EXPECT_EQ(ask(thread, "two.example").list, Names{"192.0.2.1"});
  // It is known now: the second name was asked for in the plain way alone.
  for (const Asked& asked : server.asked()) EXPECT_FALSE(asked.name == "two.example" && asked.edns);
}

TEST(LookupThread, AForwarderThatRefusesEdnsStopsNothing) {
  ScriptedServer server([](const Asked& asked) {
    return asked.edns ? Scripted{{}, 1} : Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}};
  });
  LookupThread thread(settings_for(server, 8000));
  EXPECT_EQ(ask(thread, "one.example").list, Names{"192.0.2.1"});
}

TEST(LookupThread, TruncatedWithoutTcpGivesWhatThereIs) {
  ScriptedServer server([](const Asked& asked) {
    Scripted scripted{asked.type == kA ? Names{"192.0.2.1", "192.0.2.2"} : Names{}};
    scripted.truncated = asked.type == kA;
    return scripted;
  });
  LookupThread thread(settings_for(server, 8000));
  EXPECT_EQ(ask(thread, "many.example").list.size(), 2u);
}

TEST(LookupThread, AFamilyThatIsNeverAnsweredIsNotWaitedForLong) {
  ScriptedServer server([](const Asked& asked) -> std::optional<Scripted> {
    if (asked.type == kAaaa) return std::nullopt;
    return Scripted{{"192.0.2.1"}, 0, 3600};
  });
  LookupThread thread(settings_for(server, 60'000));
  Answer answer = ask(thread, "one.example");
  EXPECT_EQ(answer.list, Names{"192.0.2.1"});
  EXPECT_LE(answer.ttl, 60u);  // and asked for again soon
}

TEST(LookupThread, SilenceEndsAtTheTimeOut) {
  ScriptedServer server([](const Asked&) { return std::nullopt; });
  LookupThread thread(settings_for(server, 300));
  Answer answer = ask(thread, "one.example");
  EXPECT_EQ(answer.verdict, Verdict::kSilent);
  EXPECT_NE(answer.why.find(server.address()), std::string::npos);
}

TEST(LookupThread, NobodyThereFailsAtOnce) {
  ResolverSettings settings;
  {
    ScriptedServer gone([](const Asked&) { return std::nullopt; });
    settings.servers = {gone.address()};
  }
  settings.timeout = Duration(10'000);  // the plain question begins after a quarter of it
  auto start = std::chrono::steady_clock::now();
  LookupThread thread(settings);
  EXPECT_EQ(ask(thread, "one.example").verdict, Verdict::kSilent);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(9500));
}

TEST(LookupThread, TheSecondServerIsAsked) {
  ScriptedServer silent([](const Asked&) { return std::nullopt; });
  ScriptedServer good([](const Asked& asked) { return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}}; });
  ResolverSettings settings = settings_for(silent, 8000);
  settings.servers.push_back(good.address());
  LookupThread thread(settings);
  EXPECT_EQ(ask(thread, "one.example").list, Names{"192.0.2.1"});
}

TEST(LookupThread, ServiceReturnsWithTheServer) {
  std::atomic<bool> up = false;
  ScriptedServer server([&up](const Asked& asked) -> std::optional<Scripted> {
    if (!up) return std::nullopt;
    return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{}};
  });
  LookupThread thread(settings_for(server, 400));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(thread, "one.example").verdict, Verdict::kSilent);
  up = true;
  Names found;
  for (int i = 0; i < 100 && found.empty(); ++i)
    found = ask(thread, "one.example").list;  // 400 ms may be short for one
  EXPECT_EQ(found, Names{"192.0.2.1"});
}

TEST(LookupThread, ManyAtOnce) {
  ScriptedServer server(
      [](const Asked& asked) { return Scripted{asked.type == kA ? Names{"192.0.2.1"} : Names{"2001:db8::1"}}; });
  LookupThread thread(settings_for(server, 20'000));
  std::vector<std::promise<Answer>> promises(200);
  for (std::size_t i = 0; i < promises.size(); ++i) {
    thread.ask("host" + std::to_string(i) + ".example",
               [&promise = promises[i]](Answer answer) { promise.set_value(std::move(answer)); });
  }
  for (auto& promise : promises) EXPECT_EQ(promise.get_future().get().list.size(), 2u);
}

TEST(LookupThread, EndsWhileOneIsUnderWay) {
  ScriptedServer server([](const Asked&) { return std::nullopt; });
  std::promise<Answer> promise;
  {
    LookupThread thread(settings_for(server, 60'000));
    thread.ask("one.example", [&promise](Answer answer) { promise.set_value(std::move(answer)); });
  }
  EXPECT_EQ(promise.get_future().get().verdict, Verdict::kSilent);
}

TEST(LookupThread, ResolvConfIsReadAgainWhenItChanges) {
  // Port 53 of loopback addresses cannot be had in a test, so what is seen is where the questions would have gone.
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("resolv_" + std::to_string(::getpid()));
  std::ofstream(path) << "nameserver 127.77.0.1\n";
  ResolverSettings settings;
  settings.resolv_conf = path;
  settings.timeout = Duration(300);
  LookupThread thread(settings);
  EXPECT_NE(ask(thread, "one.example").why.find("127.77.0.1"), std::string::npos);
  std::ofstream(path) << "nameserver 127.77.0.22\n";
  EXPECT_NE(ask(thread, "one.example").why.find("127.77.0.22"), std::string::npos);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace sidegate::dns::lookup_thread_test
