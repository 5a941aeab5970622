#include "net/script_stream.h"

#include <gtest/gtest.h>

#include "net/run_script.h"

namespace sidegate::net::script_stream_test {
namespace {

// A little client: greeting, EHLO, STARTTLS, secret, reply.
Awaitable<std::string> dialogue(Stream& stream) {
  stream.expires_after(Duration(300));
  auto greeting = co_await stream.read_line(512, 4096);
  if (!greeting) co_return name(greeting.error().kind);
  std::string hello = "EHLO me\r\n";
  if (Status sent = co_await stream.write(hello); !sent) co_return name(sent.error().kind);
  auto answer = co_await stream.read_line(512, 4096);
  if (!answer) co_return name(answer.error().kind);
  if (Status up = co_await stream.start_tls_client(nullptr); !up) co_return name(up.error().kind);
  if (Status sent = co_await stream.write2("SECRET", "\r\n"); !sent) co_return name(sent.error().kind);
  auto last = co_await stream.read_line(512, 4096);
  co_return last ? std::string(*last) : name(last.error().kind);
}

void play(ScriptStream& stream) {
  stream.peer_sends("220 hi\r\n")
      .expect_line("EHLO")
      .peer_sends("250 ok\r\n")
      .tls()
      .expect("SECRET\r\n")
      .peer_sends("235 in\r\n");
}

TEST(ScriptStream, PlaysAScript) {
  for (std::size_t chunk : {1, 3, 1000}) {
    ScriptStream stream;
    play(stream);
    stream.deliver_at_most(chunk);
    EXPECT_EQ(run_script(dialogue(stream)), "235 in");
    EXPECT_EQ(stream.problem(), "");
    EXPECT_EQ(stream.written(), "EHLO me\r\nSECRET\r\n");
    EXPECT_EQ(stream.written_in_clear(), "EHLO me\r\n");
    EXPECT_TRUE(stream.verdict().verified);
    EXPECT_EQ(stream.deadline(), Duration(300));
  }
}

TEST(ScriptStream, SaysWhereTheDialogueDiffers) {
  struct Case {
    std::function<void(ScriptStream&)> script;
    std::string result, problem;
  };
  const std::vector<Case> cases = {
      {[](ScriptStream& s) { s.peer_sends("220\r\n").expect("HELO me\r\n").peer_sends("250\r\n"); }, "timeout",
       "expected: \"HELO me\\x0d\\x0a\" is written; written: \"EHLO me\\x0d\\x0a\""},
      {[](ScriptStream& s) { s.expect("QUIT\r\n"); }, "timeout",
       "read while the peer waits: \"QUIT\\x0d\\x0a\" is written; written: \"\""},
      {[](ScriptStream& s) { s.peer_sends("220\r\n").expect_line("EHLO").peer_sends("250\r\n"); }, "tls",
       "a TLS handshake after the script's end"},
      {[](ScriptStream& s) { s.peer_sends("220\r\n250\r\ninjected"); }, "protocol", ""},
      {[](ScriptStream& s) { s.peer_sends("220\r\n").peer_sends("250\r\n").tls_fails("no"); }, "tls", ""},
      {[](ScriptStream& s) { s.peer_stalls(); }, "timeout", ""},
      {[](ScriptStream& s) { s.peer_closes(); }, "closed", ""},
      {[](ScriptStream& s) {}, "closed", ""},
      {[](ScriptStream& s) { s.peer_sends("220\r\n").peer_closes().peer_sends("never"); }, "closed", ""},
  };
  for (const auto& c : cases) {
    ScriptStream stream;
    c.script(stream);
    EXPECT_EQ(run_script(dialogue(stream)), c.result);
    EXPECT_EQ(stream.problem(), c.problem);
  }
}

TEST(ScriptStream, ComplainsOfLeftOvers) {
  ScriptStream unread;
  unread.peer_sends("220\r\n").peer_closes();
  EXPECT_EQ(unread.problem(), "not reached: the peer sends \"220\\x0d\\x0a\"");
  ScriptStream unexpected;
  unexpected.expect("A");
  run_script(unexpected.write("AB"));
  EXPECT_EQ(unexpected.problem(), "nobody expects \"B\"");
}

TEST(ScriptStream, RepeatsWithAnErrorAtEveryStep) {
  std::vector<std::string> results;
  std::size_t runs = repeat_with_errors([&](ScriptStream& stream, const Fault* fault) {
    play(stream);
    std::string result = run_script(dialogue(stream));
    EXPECT_EQ(result, fault == nullptr ? "235 in" : name(fault->kind));
    results.push_back(result);
  });
  EXPECT_EQ(runs, 1u + 2 * 6);  // read, write, read, handshake, write, read
  EXPECT_EQ(results.size(), runs);
}

Awaitable<void> for_ever() {
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>([](auto handler) {},
                                                                                     boost::asio::use_awaitable);
}
Awaitable<int> throwing() {
  throw std::runtime_error("bug");
  co_return 1;
}

TEST(RunScript, TellsOfEndlessWaitsAndExceptions) {
  EXPECT_THROW(run_script(for_ever()), std::logic_error);
  EXPECT_THROW(run_script(throwing()), std::runtime_error);
}

TEST(ScriptStream, CancelEndsTheNextRead) {
  ScriptStream stream;
  stream.peer_sends("220 hi\r\n");
  stream.cancel();
  EXPECT_EQ(run_script(dialogue(stream)), "closed");
}

TEST(ScriptStream, LooksDeadWhenThePeerSpeaksOrCloses) {
  ScriptStream idle, speaking, closed, ended;
  idle.expect("QUIT\r\n");
  speaking.peer_sends("421 bye\r\n");
  closed.peer_closes();
  EXPECT_FALSE(idle.looks_dead());
  EXPECT_TRUE(speaking.looks_dead());
  EXPECT_TRUE(closed.looks_dead());
  EXPECT_TRUE(ended.looks_dead());
}

}  // namespace
}  // namespace sidegate::net::script_stream_test
