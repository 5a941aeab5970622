// LMTP (RFC 2033): the client's session where the other end delivers, and answers for each recipient.
#include <gtest/gtest.h>

#include "net/run_script.h"
#include "net/script_stream.h"
#include "smtp/client_session.h"

namespace sidegate::smtp::client_lmtp_test {
namespace {

using net::run_script;
using net::ScriptStream;
using namespace std::chrono_literals;

class Whole final : public ContentSource {
 public:
  net::Awaitable<Result<std::string_view>> next() override {
    co_return std::exchange(given_, true) ? std::string_view() : std::string_view(kText);
  }
  void rewind() override { given_ = false; }
  std::uint64_t size() const override { return kText.size(); }
  static constexpr std::string_view kText = "Subject: x\r\n\r\nbody\r\n";

 private:
  bool given_ = false;
};

struct Fixture {
  explicit Fixture(ScriptStream& s, const std::string& keywords = "PIPELINING")
      : session(s, "me", {1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s}) {
    session.speak_lmtp();
    s.expect("LHLO me\r\n").peer_sends("250-mda\r\n250 " + keywords + "\r\n");
    greeted = run_script(session.ehlo()).has_value();
  }
  Transmitted send(std::vector<std::string> to, bool bdat = false) {
    content.rewind();
    Transmission t{.reverse_path = "me@y", .parameters = "", .recipients = {}, .content = &content, .bdat = bdat};
    for (auto& path : to) t.recipients.push_back({std::move(path), ""});
    return run_script(session.send(t));
  }
  ClientSession session;
  Whole content;
  bool greeted = false;
};

std::string finals(const Transmitted& t) {
  std::string text;
  for (const auto& reply : t.finals) text += (text.empty() ? "" : " ") + (reply ? std::to_string(reply->code) : "-");
  if (t.final) text += " final " + std::to_string(t.final->code);
  if (t.broken) text += std::string(" broken:") + name(t.broken->phase);
  if (t.uncertain) text += " uncertain";
  if (!t.usable) text += " unusable";
  return text;
}

const std::string kThree = "MAIL FROM:<me@y>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n";
const std::string kWire = std::string(Whole::kText) + ".\r\n";

TEST(ClientLmtp, OneReplyForEachAcceptedRecipient) {
  struct Case {
    std::string rcpt, last, expected;
  };
  const Case kCases[] = {
      {"250 a\r\n250 b\r\n250 c\r\n", "250 1\r\n452 2 full\r\n550 3\r\n", "250 452 550"},
      {"250 a\r\n550 b\r\n250 c\r\n", "250 1\r\n250 3\r\n", "250 - 250"},
      {"250 a\r\n250 b\r\n250 c\r\n", "250-1\r\n250 1\r\n250 2\r\n250 3\r\n", "250 250 250"},
      {"250 a\r\n250 b\r\n250 c\r\n", "250 1\r\n", "250 - - broken:final uncertain unusable"},
      {"250 a\r\n250 b\r\n250 c\r\n", "250 1\r\n421 bye\r\n", "250 - - broken:final unusable"},
      {"250 a\r\n250 b\r\n250 c\r\n", "250 1\r\n354 what\r\n250 3\r\n", "250 - - broken:final uncertain unusable"},
      {"250 a\r\n250 b\r\n250 c\r\n", "", "- - - broken:final uncertain unusable"},
      {"250 a\r\n250 b\r\n250 c\r\n", "250 1\r\n250 2\r\n250 3\r\n250 4\r\n", "250 250 250 unusable"},
  };
  for (const Case& c : kCases) {
    ScriptStream stream;
    Fixture f(stream);
    ASSERT_TRUE(f.greeted);
    stream.expect(kThree + "DATA\r\n").peer_sends("250 m\r\n" + c.rcpt + "354 go\r\n").expect(kWire);
    if (!c.last.empty()) stream.peer_sends(c.last);
    EXPECT_EQ(finals(f.send({"a@x", "b@x", "c@x"})), c.expected) << c.last;
  }
}

TEST(ClientLmtp, BdatToo) {
  ScriptStream stream;
  Fixture f(stream, "CHUNKING");
  stream.expect("MAIL FROM:<me@y>\r\n").peer_sends("250 m\r\n").expect("RCPT TO:<a@x>\r\n").peer_sends("250 a\r\n");
  stream.expect("RCPT TO:<b@x>\r\n").peer_sends("550 b\r\n").expect("RCPT TO:<c@x>\r\n").peer_sends("250 c\r\n");
  stream.expect("BDAT " + std::to_string(Whole::kText.size()) + " LAST\r\n" + std::string(Whole::kText));
  stream.peer_sends("250 1\r\n452 3\r\n");
  EXPECT_EQ(finals(f.send({"a@x", "b@x", "c@x"}, true)), "250 - 452");
  EXPECT_EQ(stream.problem(), "");
}

TEST(ClientLmtp, AServerThatDoesNotKnowItsBdatAnswersOnce) {
  ScriptStream stream;
  Fixture f(stream, "CHUNKING PIPELINING");
  stream.peer_sends("250 m\r\n250 a\r\n250 b\r\n500 what\r\n");
  EXPECT_EQ(finals(f.send({"a@x", "b@x"}, true)), " final 500 unusable");
}

TEST(ClientLmtp, NobodyAcceptedAnd354EndsTheConnection) {
  ScriptStream stream;
  Fixture f(stream);
  stream.expect("MAIL FROM:<me@y>\r\nRCPT TO:<a@x>\r\nDATA\r\n")
      .peer_sends("250 m\r\n550 a\r\n354 go\r\n")
      .expect(".\r\n");
  EXPECT_EQ(finals(f.send({"a@x"})), " unusable");
  EXPECT_EQ(stream.problem(), "");
}

TEST(ClientLmtp, AnotherMessageFollowsWithoutReset) {
  ScriptStream stream;
  Fixture f(stream);
  for (int i = 0; i < 2; ++i) {
    stream.expect("MAIL FROM:<me@y>\r\nRCPT TO:<a@x>\r\nDATA\r\n").peer_sends("250 m\r\n250 a\r\n354 go\r\n");
    stream.expect(kWire).peer_sends("452 full\r\n");
  }
  EXPECT_EQ(finals(f.send({"a@x"})), "452");
  EXPECT_EQ(finals(f.send({"a@x"})), "452");
  EXPECT_EQ(stream.problem(), "");
}

TEST(ClientLmtp, NoHeloForAServerThatDoesNotKnowLhlo) {
  ScriptStream stream;
  ClientSession session(stream, "me", {1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s});
  session.speak_lmtp();
  stream.expect("LHLO me\r\n").peer_sends("500 what\r\n");
  EXPECT_FALSE(run_script(session.ehlo()));
  EXPECT_EQ(stream.problem(), "");
}

}  // namespace
}  // namespace sidegate::smtp::client_lmtp_test
