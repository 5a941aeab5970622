#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "net/run_script.h"
#include "net/script_stream.h"
#include "smtp/client_session.h"

namespace sidegate::smtp::client_transaction_test {
namespace {

using net::run_script;
using net::ScriptStream;
using ::testing::HasSubstr;

using namespace std::chrono_literals;
const ClientTimeouts kTimeouts{.greeting = 1s,
                               .helo = 2s,
                               .mail = 3s,
                               .rcpt = 4s,
                               .starttls = 5s,
                               .auth = 6s,
                               .data_init = 7s,
                               .data_block = 8s,
                               .data_done = 9s,
                               .quit = 10s};

class Pieces final : public ContentSource {
 public:
  explicit Pieces(std::vector<std::string> pieces, std::size_t fail_at = SIZE_MAX)
      : pieces_(std::move(pieces)), fail_at_(fail_at) {}
  net::Awaitable<Result<std::string_view>> next() override {
    if (at_ == fail_at_) co_return fail(ErrorKind::kStorage, "cannot read the body");
    if (at_ == pieces_.size()) co_return std::string_view();
    shown_ = pieces_[at_++];  // valid until the next call, and not a moment longer
    co_return std::string_view(shown_);
  }
  void rewind() override { at_ = 0; }
  std::uint64_t size() const override {
    std::uint64_t sum = 0;
    for (const auto& piece : pieces_) sum += piece.size();
    return sum;
  }

 private:
  std::vector<std::string> pieces_;
  std::size_t fail_at_, at_ = 0;
  std::string shown_;
};

const std::string kContent = "Subject: x\r\n\r\n.dot\r\n";
const std::string kWire = "Subject: x\r\n\r\n..dot\r\n.\r\n";
const std::string kChunk = "BDAT 20 LAST\r\n" + kContent;

struct Fixture {
  explicit Fixture(ScriptStream& s, std::string keywords = "PIPELINING") : stream(s), session(s, "me", kTimeouts) {
    stream.expect("EHLO me\r\n").peer_sends(keywords.empty() ? "250 mx\r\n" : "250-mx\r\n250 " + keywords + "\r\n");
    greeted = run_script(session.ehlo()).has_value();
  }
  Transmitted send(std::vector<std::string> to = {"a@x"}, bool bdat = false) {
    Transmission t{
        .reverse_path = "me@y", .parameters = " SIZE=20", .recipients = {}, .content = &content, .bdat = bdat};
    for (auto& path : to) t.recipients.push_back({std::move(path), ""});
    return run_script(session.send(t));
  }
  ScriptStream& stream;
  ClientSession session;
  Pieces content{{"Subject: x\r\n", "\r\n.dot\r\n"}};
  bool greeted = false;
};

const std::string kOne = "MAIL FROM:<me@y> SIZE=20\r\nRCPT TO:<a@x>\r\n";
const std::string kTwo = kOne + "RCPT TO:<b@x>\r\n";

// "250 550* 354 250": codes as they stand in a result, "-" for none.
std::string codes(const Transmitted& t) {
  auto code = [](const std::optional<mail::Reply>& reply) {
    return reply ? std::to_string(reply->code) : std::string("-");
  };
  std::string text = code(t.mail) + " [";
  for (const auto& reply : t.recipients) text += (text.back() == '[' ? "" : " ") + code(reply);
  text += "] " + code(t.data) + " " + code(t.final);
  if (t.broken) text += std::string(" broken:") + name(t.broken->phase) + ":" + sidegate::name(t.broken->error.kind);
  if (t.uncertain) text += " uncertain";
  if (!t.usable) text += " unusable";
  return text;
}

TEST(ClientTransaction, TwoRoundTripsWithPipelining) {
  ScriptStream stream;
  Fixture f(stream);
  stream.expect(kTwo + "DATA\r\n")
      .peer_sends("250 1\r\n250 2\r\n250 3\r\n354 go\r\n")
      .expect(kWire)
      .peer_sends("250 queued\r\n");
  std::size_t before = stream.operations();
  EXPECT_EQ(codes(f.send({"a@x", "b@x"})), "250 [250 250] 354 250");
  EXPECT_EQ(stream.problem(), "");
  EXPECT_EQ(stream.operations() - before, 4u);  // a write and a read for each round trip
}

TEST(ClientTransaction, OneRoundTripWithBdat) {
  ScriptStream stream;
  Fixture f(stream);
  stream.expect(kOne + kChunk).peer_sends("250 1\r\n250 2\r\n250 queued\r\n");
  std::size_t before = stream.operations();
  EXPECT_EQ(codes(f.send({"a@x"}, true)), "250 [250] - 250");
  EXPECT_EQ(stream.problem(), "");
  EXPECT_EQ(stream.operations() - before, 2u);
}

TEST(ClientTransaction, OneAtATimeWithoutPipelining) {
  ScriptStream stream;
  Fixture f(stream, "");
  stream.expect("MAIL FROM:<me@y> SIZE=20\r\n")
      .peer_sends("250 1\r\n")
      .expect("RCPT TO:<a@x>\r\n")
      .peer_sends("250 2\r\n");
  stream.expect("RCPT TO:<b@x>\r\n").peer_sends("550 3\r\n").expect("DATA\r\n").peer_sends("354 go\r\n");
  stream.expect(kWire).peer_sends("250 queued\r\n");
  EXPECT_EQ(codes(f.send({"a@x", "b@x"})), "250 [250 550] 354 250");
  EXPECT_EQ(stream.problem(), "");
}

// What is answered, and what is made of it. `after`: what is written in answer to the first replies.
struct Dialogue {
  std::string replies, after, last, expected;
};

TEST(ClientTransaction, AnswersWithPipelining) {
  const Dialogue dialogues[] = {
      {"250 1\r\n250 2\r\n550 3\r\n354 go\r\n", kWire, "250 ok\r\n", "250 [250 550] 354 250"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "554 no\r\n", "250 [250 250] 354 554"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "451 later\r\n", "250 [250 250] 354 451"},
      {"250 1\r\n250 2\r\n250 3\r\n452 full\r\n", "", "", "250 [250 250] 452 -"},
      {"550 1\r\n503 2\r\n503 3\r\n503 4\r\n", "", "", "550 [- -] 503 -"},
      {"250 1\r\n550 2\r\n550 3\r\n554 4\r\n", "", "", "250 [550 550] 554 -"},
      // RFC 2920 section 3.1: 354 and nobody accepted: the lone dot, and no 250 is believed
      {"250 1\r\n550 2\r\n450 3\r\n354 go\r\n", ".\r\n", "250 ok\r\n", "250 [550 450] 354 -"},
      {"250 1\r\n550 2\r\n450 3\r\n354 go\r\n", ".\r\n", "554 no\r\n", "250 [550 450] 354 -"},
      {"550 1\r\n550 2\r\n450 3\r\n354 go\r\n", ".\r\n", "250 ok\r\n", "550 [- -] 354 -"},
      // recipients of no transaction: they are sent no empty message
      {"550 1\r\n250 2\r\n250 3\r\n354 go\r\n", "", "", "- [- -] - - broken:rcpt:protocol unusable"},
      {"451 1\r\n550 2\r\n250 3\r\n354 go\r\n", "", "", "- [- -] - - broken:rcpt:protocol unusable"},
      // a 421 is the connection's end, wherever it comes
      {"421 bye\r\n", "", "", "- [- -] - - broken:mail:closed unusable"},
      {"250 1\r\n421 bye\r\n", "", "", "250 [- -] - - broken:rcpt:closed unusable"},
      {"250 1\r\n250 2\r\n421 bye\r\n", "", "", "250 [250 -] - - broken:rcpt:closed unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n421 bye\r\n", "", "", "250 [250 250] - - broken:data:closed unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "421 bye\r\n",
       "250 [250 250] 354 - broken:final:closed unusable"},
      // too few
      {"250 1\r\n250 2\r\n", "", "", "250 [250 -] - - broken:rcpt:closed unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "",
       "250 [250 250] 354 - broken:final:closed uncertain unusable"},
      // too many, or out of step
      {"250 1\r\n250 2\r\n250 3\r\n250 4\r\n", "", "", "250 [250 250] - - broken:data:protocol unusable"},
      {"250 1\r\n250 2\r\n354 3\r\n250 4\r\n", "", "", "250 [250 -] - - broken:rcpt:protocol unusable"},
      {"354 1\r\n250 2\r\n250 3\r\n354 4\r\n", "", "", "- [- -] - - broken:mail:protocol unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n250 early\r\n", "", "", "250 [250 250] - - broken:data:protocol unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "354 go\r\n",
       "250 [250 250] 354 - broken:final:protocol uncertain unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "rubbish\r\n",
       "250 [250 250] 354 - broken:final:protocol uncertain unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "221 bye\r\n",
       "250 [250 250] 354 - broken:final:protocol uncertain unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", kWire, "250 ok\r\n250 and more\r\n", "250 [250 250] 354 250 unusable"},
      {"what\r\n", "", "", "- [- -] - - broken:mail:protocol unusable"},
  };
  for (const Dialogue& d : dialogues) {
    for (std::size_t octets : {1 << 20, 1}) {
      if (octets == 1 && (d.replies.ends_with("early\r\n") || d.last.ends_with("more\r\n")))
        continue;  // seen only when it is there
      ScriptStream stream;
      Fixture f(stream);
      stream.deliver_at_most(octets).expect(kTwo + "DATA\r\n").peer_sends(d.replies);
      if (!d.after.empty()) stream.expect(d.after).peer_sends(d.last);
      EXPECT_EQ(codes(f.send({"a@x", "b@x"})), d.expected) << d.replies << d.last;
      if (d.expected.find("protocol") == std::string::npos) EXPECT_EQ(stream.problem(), "") << d.replies;
    }
  }
}

TEST(ClientTransaction, AnswersToBdat) {
  const Dialogue dialogues[] = {
      {"250 1\r\n250 2\r\n550 3\r\n250 ok\r\n", "", "", "250 [250 550] - 250"},
      {"250 1\r\n250 2\r\n250 3\r\n452 full\r\n", "", "", "250 [250 250] - 452"},
      {"250 1\r\n550 2\r\n550 3\r\n250 ok\r\n", "", "", "250 [550 550] - -"},  // nobody was accepted: not believed
      {"550 1\r\n503 2\r\n503 3\r\n503 4\r\n", "", "", "550 [- -] - -"},
      {"451 1\r\n250 2\r\n250 3\r\n250 4\r\n", "", "", "- [- -] - - broken:rcpt:protocol uncertain unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n500 BDAT?\r\n", "", "", "250 [250 250] - 500 unusable"},
      // the message is there already: whatever is missing, it may have been taken
      {"", "", "", "- [- -] - - broken:mail:closed uncertain unusable"},
      {"250 1\r\n250 2\r\n", "", "", "250 [250 -] - - broken:rcpt:closed uncertain unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n", "", "", "250 [250 250] - - broken:final:closed uncertain unusable"},
      {"550 1\r\n", "", "", "550 [- -] - - broken:rcpt:closed unusable"},
      {"250 1\r\n550 2\r\n550 3\r\n", "", "", "250 [550 550] - - broken:final:closed unusable"},
      {"421 bye\r\n", "", "", "- [- -] - - broken:mail:closed unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n421 bye\r\n", "", "", "250 [250 250] - - broken:final:closed unusable"},
      // one reply too many: the 250 read last may belong to a RCPT
      {"250 0\r\n250 1\r\n250 2\r\n250 3\r\n554 no\r\n", "", "",
       "250 [250 250] - - broken:final:protocol uncertain unusable"},
      {"250 1\r\n250 2\r\n250 3\r\n354 go\r\n", "", "", "250 [250 250] - - broken:final:protocol uncertain unusable"},
  };
  for (const Dialogue& d : dialogues) {
    ScriptStream stream;
    Fixture f(stream);
    stream.expect(kTwo + kChunk).peer_sends(d.replies);
    EXPECT_EQ(codes(f.send({"a@x", "b@x"}, true)), d.expected) << d.replies;
  }
}

TEST(ClientTransaction, WithoutPipeliningItStopsWhereItIsHopeless) {
  ScriptStream refused;
  Fixture f(refused, "");
  refused.expect("MAIL FROM:<me@y> SIZE=20\r\n").peer_sends("550 no\r\n");
  EXPECT_EQ(codes(f.send()), "550 [-] - -");
  EXPECT_EQ(refused.problem(), "");

  ScriptStream nobody;
  Fixture g(nobody, "");
  nobody.expect("MAIL FROM:<me@y> SIZE=20\r\n")
      .peer_sends("250 ok\r\n")
      .expect("RCPT TO:<a@x>\r\n")
      .peer_sends("550 no\r\n");
  EXPECT_EQ(codes(g.send()), "250 [550] - -");
  EXPECT_EQ(nobody.problem(), "");
}

TEST(ClientTransaction, AnOpenTransactionIsResetBeforeTheNext) {
  ScriptStream stream;
  Fixture f(stream);
  stream.expect(kOne + "DATA\r\n").peer_sends("250 1\r\n550 2\r\n554 3\r\n");
  stream.expect("RSET\r\n" + kOne + "DATA\r\n")
      .peer_sends("250 0\r\n250 1\r\n250 2\r\n354 go\r\n")
      .expect(kWire)
      .peer_sends("250 ok\r\n");
  stream.expect(kOne + "DATA\r\n").peer_sends("250 1\r\n250 2\r\n354 go\r\n").expect(kWire).peer_sends("250 ok\r\n");
  EXPECT_EQ(codes(f.send()), "250 [550] 554 -");
  EXPECT_EQ(codes(f.send()), "250 [250] 354 250");
  EXPECT_EQ(codes(f.send()), "250 [250] 354 250");  // and no RSET where nothing is open
  EXPECT_EQ(stream.problem(), "");
}

TEST(ClientTransaction, AServerThatSaidGoodbyeBefore) {
  ScriptStream stream;
  stream.expect("EHLO me\r\n").peer_sends("250 mx\r\n421 4.4.2 timeout\r\n");
  ClientSession session(stream, "me", kTimeouts);
  ASSERT_TRUE(run_script(session.ehlo()));
  Pieces content({kContent});
  Transmission t{.reverse_path = "", .parameters = "", .recipients = {{"a@x", ""}}, .content = &content, .bdat = false};
  Transmitted sent = run_script(session.send(t));
  EXPECT_EQ(codes(sent), "- [-] - - broken:mail:closed unusable");
  EXPECT_EQ(sent.broken->reply->code, 421);
}

TEST(ClientTransaction, NullPathAndParameters) {
  ScriptStream stream;
  Fixture f(stream);
  stream.expect("MAIL FROM:<> RET=HDRS\r\nRCPT TO:<a@x> NOTIFY=NEVER\r\nDATA\r\n")
      .peer_sends("250 1\r\n250 2\r\n354 go\r\n");
  stream.expect(kWire).peer_sends("250 ok\r\n");
  Transmission t{.reverse_path = "",
                 .parameters = " RET=HDRS",
                 .recipients = {{"a@x", " NOTIFY=NEVER"}},
                 .content = &f.content,
                 .bdat = false};
  EXPECT_EQ(codes(run_script(f.session.send(t))), "250 [250] 354 250");
  EXPECT_EQ(stream.problem(), "");
}

TEST(ClientTransaction, NothingButLinesBecomesCommands) {
  for (const char* path : {"a@x>\r\nRCPT TO:<evil@y", "a\n@x", "a\r@x"}) {
    ScriptStream stream;
    Fixture f(stream);
    Transmitted sent = f.send({"ok@x", path});
    EXPECT_EQ(codes(sent), "- [- -] - - broken:mail:bad_input");
    EXPECT_EQ(stream.written(), "EHLO me\r\n");
  }
}

TEST(ClientTransaction, ManyRecipientsGoInBatches) {
  ScriptStream stream;
  Fixture f(stream);
  std::vector<std::string> to;
  std::string text = "MAIL FROM:<me@y> SIZE=20\r\n", replies = "250 ok\r\n";
  int commands = 1, batches = 0;
  for (int i = 0; i < 250; ++i) {
    to.push_back(fmt::format("r{}@x", i));
    text += "RCPT TO:<" + to.back() + ">\r\n";
    replies += "250 ok\r\n";
    if (++commands < 100) continue;
    stream.expect(text).peer_sends(replies);
    ++batches;
    text.clear(), replies.clear(), commands = 0;
  }
  stream.expect(text + "DATA\r\n").peer_sends(replies + "354 go\r\n").expect(kWire).peer_sends("250 ok\r\n");
  EXPECT_EQ(batches, 2);
  Transmitted sent = f.send(to);
  EXPECT_TRUE(sent.final && sent.final->positive());
  EXPECT_EQ(stream.problem(), "");
}

TEST(ClientTransaction, LargeContentInPieces) {
  ScriptStream stream;
  Fixture f(stream);
  std::string line = "." + std::string(76, 'x') + "\r\n", header = "Subject: x\r\n\r\n", body, wire = header;
  for (int i = 0; i < 20'000; ++i) body += line, wire += "." + line;
  f.content = Pieces({header, body.substr(0, 256 << 10), body.substr(256 << 10)});
  stream.expect(kOne + "DATA\r\n")
      .peer_sends("250 1\r\n250 2\r\n354 go\r\n")
      .expect(wire + ".\r\n")
      .peer_sends("250 ok\r\n");
  std::size_t before = stream.operations();
  EXPECT_EQ(codes(f.send()), "250 [250] 354 250");
  EXPECT_EQ(stream.problem(), "");
  std::size_t writes = stream.operations() - before - 3;
  EXPECT_GE(writes, wire.size() / (80 << 10));
  EXPECT_LE(writes, wire.size() / (64 << 10) + 2);
}

TEST(ClientTransaction, ContentWithoutALastLineEnd) {
  for (bool bdat : {false, true}) {
    ScriptStream stream;
    Fixture f(stream);
    f.content = Pieces({"a: b\r\n\r\nc"});
    stream.expect(kOne + (bdat ? "BDAT 9 LAST\r\na: b\r\n\r\nc" : "DATA\r\n"));
    stream.peer_sends(bdat ? "250 1\r\n250 2\r\n250 ok\r\n" : "250 1\r\n250 2\r\n354 go\r\n");
    if (!bdat) stream.expect("a: b\r\n\r\nc\r\n.\r\n").peer_sends("250 ok\r\n");
    EXPECT_TRUE(f.send({"a@x"}, bdat).final->positive());
    EXPECT_EQ(stream.problem(), "");
  }
}

TEST(ClientTransaction, AMessageWeCannotReadIsNotSentInHalf) {
  ScriptStream stream;
  Fixture f(stream);
  f.content = Pieces({"Subject: x\r\n", "\r\nbody\r\n"}, 1);
  stream.expect(kOne + "DATA\r\n").peer_sends("250 1\r\n250 2\r\n354 go\r\n");
  EXPECT_EQ(codes(f.send()), "250 [250] 354 - broken:content:storage unusable");
  EXPECT_EQ(stream.written().find("\r\n.\r\n"), std::string::npos);

  ScriptStream whole;  // with BDAT nothing was written yet: the connection is as good as before
  Fixture g(whole);
  g.content = Pieces({"Subject: x\r\n", "\r\nbody\r\n"}, 1);
  EXPECT_EQ(codes(g.send({"a@x"}, true)), "- [-] - - broken:content:storage");
  EXPECT_EQ(whole.written(), "EHLO me\r\n");
}

TEST(ClientTransaction, Deadlines) {
  ScriptStream stream;
  Fixture f(stream);
  stream.expect(kOne + "DATA\r\n").peer_sends("250 1\r\n250 2\r\n354 go\r\n").expect(kWire).peer_sends("250 ok\r\n");
  std::size_t before = stream.deadlines().size();
  f.send();
  std::vector<Duration> set(stream.deadlines().begin() + static_cast<std::ptrdiff_t>(before), stream.deadlines().end());
  EXPECT_EQ(set, (std::vector<Duration>{3s, 3s, 4s, 7s, 8s, 9s}));
}

TEST(ClientTransaction, Transcript) {
  ScriptStream stream;
  Fixture f(stream);
  std::string seen;
  f.session.set_transcript(
      [&](char direction, std::string_view line) { seen += fmt::format("{}: {}\n", direction, line); });
  stream.expect(kOne + "DATA\r\n")
      .peer_sends("250 1\r\n250 2\r\n354 go\r\n")
      .expect(kWire)
      .peer_sends("250 o\x1bk\r\n");
  f.send();
  EXPECT_EQ(seen,
            "C: MAIL FROM:<me@y> SIZE=20\nC: RCPT TO:<a@x>\nC: DATA\nS: 250 1\nS: 250 2\nS: 354 go\n"
            "C: (20 octets of message)\nC: .\nS: 250 o\\x1bk\n");
}

// An error at every read and write. Never delivered without the peer's word, and uncertain exactly when all was
// written.
void check_faults(bool bdat) {
  std::size_t runs = net::repeat_with_errors([bdat](ScriptStream& stream, const net::Fault* fault) {
    Fixture f(stream);
    if (bdat) {
      stream.expect(kTwo + kChunk)
          .peer_sends("250 1\r\n")
          .peer_sends("550 2\r\n")
          .peer_sends("250 3\r\n")
          .peer_sends("250 ok\r\n");
    } else {
      stream.expect(kTwo + "DATA\r\n")
          .peer_sends("250 1\r\n")
          .peer_sends("550 2\r\n")
          .peer_sends("250 3\r\n")
          .peer_sends("354 go\r\n");
      stream.expect(kWire).peer_sends("250 ok\r\n");
    }
    if (!f.greeted) return;
    Transmitted sent = f.send({"a@x", "b@x"}, bdat);
    bool written = stream.written().find(bdat ? kChunk : kWire) != std::string::npos;
    if (fault == nullptr) {
      EXPECT_EQ(codes(sent), bdat ? "250 [550 250] - 250" : "250 [550 250] 354 250");
      return;
    }
    SCOPED_TRACE(fmt::format("{} at operation {}", sidegate::name(fault->kind), fault->at));
    EXPECT_FALSE(sent.final);  // every fault comes before the last reply was read
    EXPECT_TRUE(sent.broken);
    EXPECT_FALSE(sent.usable);
    EXPECT_EQ(sent.uncertain, written);
  });
  EXPECT_GT(runs, 10u);
}
TEST(ClientTransaction, ErrorsAtEveryStepWithData) {
  check_faults(false);
}
TEST(ClientTransaction, ErrorsAtEveryStepWithBdat) {
  check_faults(true);
}

}  // namespace
}  // namespace sidegate::smtp::client_transaction_test
