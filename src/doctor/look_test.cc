#include "doctor/look.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "doctor/judge_port.h"
#include "net/socket.h"
#include "smtp/recording_receiver.h"
#include "smtp/server_session.h"
#include "test_certificates.h"

namespace sidegate::doctor::look_test {
namespace {

// A careless server: takes every recipient, and after STARTTLS still has what was said before.
struct Careless {
  bool injectable = true;
  int closes_after = 1000;  // commands
};

net::Awaitable<void> play(std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context,
                          Careless how, std::vector<std::string>* seen) {
  stream->expires_after(std::chrono::seconds(20));
  std::string out = "220 mx.example ESMTP\r\n";
  std::string kept;  // what was said in the clear behind STARTTLS
  for (int i = 0; i < how.closes_after; ++i) {
    Status written = co_await stream->write(out);
    if (!written) co_return;
    std::string command = std::exchange(kept, {});
    if (command.empty()) {
      Result<std::string_view> line = co_await stream->read_line(4096, 65536);
      if (!line) co_return;
      command = *line;
    }
    seen->push_back(command);
    std::string verb = upper(command.substr(0, 4));
    if (verb == "STAR") {
      if (stream->has_buffered_line()) {
        Result<std::string_view> more = co_await stream->read_line(4096, 65536);
        if (more && how.injectable) kept = *more;
      }
      stream->drop_buffered();
      out = "220 go\r\n";
      written = co_await stream->write(out);
      Status secured = co_await stream->start_tls_server(context);
      if (!secured) co_return;
      out.clear();
    } else {
      out = verb == "EHLO"
                ? (stream->is_tls() ? "250 mx.example\r\n" : "250-mx.example\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
            : verb == "AUTH"                                    ? "334 \r\n"
            : verb == "VRFY" && command.ends_with("postmaster") ? "250 <postmaster@mx.example>\r\n"
            : verb == "VRFY"                                    ? "550 unknown\r\n"
            : verb == "QUIT"                                    ? "221 bye\r\n"
                                                                : "250 ok\r\n";
    }
  }
}

struct LookRun : ::testing::Test {
  test::TestCa ca;
  std::vector<std::string> seen;
  PortSeen result;

  net::Awaitable<void> look_and_stop(net::Loop& loop, Place place, LookOptions options) {
    result = co_await look(loop, std::move(place), std::move(options));
    loop.stop();
  }

  using OnStream =
      std::function<net::Awaitable<void>(std::unique_ptr<net::Stream>, std::shared_ptr<tls::ServerContext>)>;
  void run(OnStream serve, Place place = {}, bool listening = true) {
    auto issued = ca.issue({.names = {"mx.example"}});
    auto context = *tls::ServerContext::make({issued.cert_file, issued.key_file});
    net::Loop loop(0, system_clock(), null_log());
    auto fds = *net::bind_listener({"127.0.0.1", 0}, 1);
    place.port = static_cast<std::uint16_t>(net::bound_port(fds[0]));
    net::Acceptor acceptor(loop, fds[0], [&](std::unique_ptr<net::Stream> stream) {
      loop.spawn("peer", serve(std::move(stream), context));
    });
    if (listening)
      acceptor.start();
    else
      place.port = 1;
    place.name = "mx.example";
    place.address = "127.0.0.1";
    LookOptions options;
    options.hostname.clear();
    options.our_domain = "mx.example";
    options.ca_file = ca.ca_file();
    options.patience = Duration(10'000);
    loop.spawn("look", look_and_stop(loop, std::move(place), std::move(options)));
    loop.run();
    acceptor.stop();
    for (const std::string& line : seen) EXPECT_FALSE(istarts_with(line, "DATA") || istarts_with(line, "BDAT")) << line;
  }
  std::set<std::string> wrong() const {
    std::set<std::string> names;
    for (const Finding& f : judge(result))
      if (f.mark == Mark::kWrong) names.insert(f.check);
    return names;
  }
};

TEST_F(LookRun, ACarelessServer) {
  run([this](std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context) {
    return play(std::move(stream), std::move(context), {}, &seen);
  });
  EXPECT_EQ(wrong(),
            (std::set<std::string>{"vrfy", "expn", "etrn", "plaintext_auth", "starttls_injection", "open_relay"}));
  EXPECT_EQ(result.injected, Injected::kBelieved);
  EXPECT_TRUE(result.verdict && result.verdict->verified);
  EXPECT_TRUE(std::ranges::all_of(result.tricks, [](const TrickTried& t) { return t.recipient.good(); }));
  EXPECT_THAT(seen, ::testing::Contains("EHLO [127.0.0.1]"));
  EXPECT_THAT(seen, ::testing::Contains("RCPT TO:<relay-check%example.org@mx.example>"));
  EXPECT_THAT(seen, ::testing::Contains("RCPT TO:<example.org!relay-check@[127.0.0.1]>"));
}

TEST_F(LookRun, WhatIsForgottenIsNotBelieved) {
  run([this](std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context) {
    return play(std::move(stream), std::move(context), {.injectable = false}, &seen);
  });
  EXPECT_EQ(result.injected, Injected::kForgotten);
}

TEST_F(LookRun, AServerThatHangsUpIsLookedAtAsFarAsItGoes) {
  run([this](std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context) {
    return play(std::move(stream), std::move(context), {.closes_after = 4}, &seen);
  });
  EXPECT_TRUE(result.tricks_cut_short);
  EXPECT_LT(seen.size(), 200u);
}

TEST_F(LookRun, NothingThere) {
  run({}, {}, false);
  EXPECT_EQ(result.unreachable, ErrorKind::kRefused);
  EXPECT_EQ(wrong(), (std::set<std::string>{"connect"}));
}

// Our own session, with a receiver that relays for nobody.
net::Awaitable<void> serve_well(std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context,
                                smtp::RecordingReceiver* receiver) {
  auto settings = std::make_shared<smtp::ServerSettings>();
  settings->hostname = "mx.example";
  settings->offer_starttls = true;
  smtp::ServerSession session(*stream, *receiver, settings, "in", context);
  co_await session.run();
}

TEST_F(LookRun, OurOwnSession) {
  smtp::RecordingReceiver receiver;
  receiver.on_rcpt = mail::Reply(554, {5, 7, 1}, "Relay access denied");
  run([&](std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context) {
    return serve_well(std::move(stream), std::move(context), &receiver);
  });
  EXPECT_EQ(wrong(), (std::set<std::string>{"local_recipient"}));  // this one takes nobody at all
  EXPECT_EQ(result.injected, Injected::kRefused);
  std::string versions;
  for (const VersionTried& v : result.versions) versions += v.taken ? v.version + " " : "";
  EXPECT_EQ(versions, "TLSv1.2 TLSv1.3 ");
  EXPECT_FALSE(result.tricks_cut_short);
  EXPECT_GE(result.tricks.size(), 20u);
}

net::Awaitable<void> refuse(std::unique_ptr<net::Stream> stream) {
  stream->expires_after(std::chrono::seconds(20));
  const std::string words = "421 4.7.0 Too many connections\r\n";
  (void)co_await stream->write(words);
  (void)co_await stream->read_line(4096, 65536);
}

TEST_F(LookRun, WhoHasEnoughOfUsHasSaidNothingOfTls) {
  smtp::RecordingReceiver receiver;
  int connections = 0;
  run([&](std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context) {
    return ++connections <= 2 ? serve_well(std::move(stream), std::move(context), &receiver)
                              : refuse(std::move(stream));
  });
  ASSERT_EQ(result.versions.size(), 1u);
  EXPECT_EQ(result.versions[0].version, "TLSv1.3");
  EXPECT_TRUE(result.versions[0].taken);
}

// What a listener hears from whom it takes for a proxy.
TEST_F(LookRun, AsAProxyThatKnowsNoClient) {
  std::string first;
  auto serve = [&](std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext>) {
    return [](std::unique_ptr<net::Stream> from, std::string* out) -> net::Awaitable<void> {
      from->expires_after(std::chrono::seconds(20));
      auto line = co_await from->read_line(4096, 65536);
      if (line && out->empty()) *out = *line;
    }(std::move(stream), &first);
  };
  Place place;
  place.proxy = true;
  run(serve, place);
  EXPECT_EQ(first, "PROXY UNKNOWN");
}

}  // namespace
}  // namespace sidegate::doctor::look_test
