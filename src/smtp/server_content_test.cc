// DATA and BDAT: what ends a message, what is refused in it, and that nothing is kept or claimed when the peer is lost.
#include <gtest/gtest.h>

#include "smtp/dialogue.h"

namespace sidegate::smtp::server_content_test {
namespace {

const std::string kOpen =
    "C: HELO a\nS: 250 \nC: MAIL FROM:<a@b.example>\nS: 250 2.1.0\nC: RCPT TO:<c@d.example>\nS: 250 2.1.5\n";

struct Case {
  const char* why;
  const char* content;  // "C" lines
  const char* reply;
  const char* kept;  // nullptr: nothing
};

const Case kData[] = {
    {"usual", "C: a\nC: .\n", "250 2.0.0", "a\r\n"},
    {"empty", "C: .\n", "250 2.0.0", ""},
    {"dots", "C: ..\nC: ..a\nC: .b\nC: .\n", "250 2.0.0", ".\r\n.a\r\nb\r\n"},
    {"LF.LF", "C! a\\n.\\nMAIL FROM:<evil@b.example>\\r\\n\nC: .\n", "554 5.6.0 Bare LF", nullptr},
    {"CR.CR", "C! a\\r.\\rMAIL FROM:<evil@b.example>\\r\\n\nC: .\n", "554 5.6.0 Bare CR", nullptr},
    {"LF.CRLF", "C! a\\n.\\r\\nMAIL FROM:<evil@b.example>\\r\\n\nC: .\n", "554 5.6.0 Bare LF", nullptr},
    {"CRLF.LF", "C! a\\r\\n.\\nMAIL FROM:<evil@b.example>\\r\\n\nC: .\n", "554 5.6.0 Bare LF", nullptr},
    {"CRLF.CR", "C! a\\r\\n.\\rMAIL FROM:<evil@b.example>\\r\\n\nC: .\n", "554 5.6.0 Bare CR", nullptr},
    {"CRLF.NUL CRLF", "C! a\\r\\n.\\0\\r\\nMAIL FROM:<evil@b.example>\\r\\n\nC: .\n", "554 5.6.0 NUL", nullptr},
    {"CRLF NUL.CRLF", "C! a\\r\\n\\0.\\r\\nMAIL FROM:<evil@b.example>\\r\\n\nC: .\n", "554 5.6.0 NUL", nullptr},
};

TEST(ServerContent, Data) {
  for (const Case& c : kData) {
    for (std::size_t octets : {std::size_t{65536}, std::size_t{1}, std::size_t{3}}) {
      SCOPED_TRACE(c.why);
      RecordingReceiver receiver;
      Played played = play(kOpen + "C: DATA\nS: 354\n" + c.content + "S: " + c.reply + "\nC: NOOP\nS: 250 2.0.0 Ok\n",
                           receiver, test_settings(), octets);
      EXPECT_EQ(played.problem, "");
      EXPECT_EQ(receiver.kept, c.kept ? std::vector<std::string>{c.kept} : std::vector<std::string>{});
      EXPECT_EQ(receiver.calls.back(), c.kept ? "end" : "abort");
    }
  }
}

TEST(ServerContent, LongLines) {
  std::string line = "C: " + std::string(1200, 'x') + "\nC: .\n";
  auto refuse = test_settings();
  refuse->long_lines = LongLines::kRefuse;
  RecordingReceiver receiver;
  EXPECT_EQ(play(kOpen + "C: DATA\nS: 354\n" + line + "S: 500 5.6.0\nC: NOOP\nS: 250\n", receiver, refuse).problem, "");
  EXPECT_TRUE(receiver.kept.empty());
  EXPECT_EQ(play(kOpen + "C: DATA\nS: 354\n" + line + "S: 250 2.0.0\n", receiver).problem, "");
  EXPECT_EQ(receiver.facts.longest_line, 1200u);
  std::string longer = "C: " + std::string(66'000, 'x') + "\nC: .\n";
  EXPECT_EQ(play(kOpen + "C: DATA\nS: 354\n" + longer + "S: 500 5.6.0\n", receiver).problem, "");
}

TEST(ServerContent, TooLarge) {
  auto settings = test_settings();
  settings->max_message_size = 100;
  std::string line = "C: " + std::string(48, 'x') + "\n";  // 50 octets
  RecordingReceiver receiver;
  EXPECT_EQ(play(kOpen + "C: DATA\nS: 354\n" + line + line + "C: .\nS: 250 2.0.0\n", receiver, settings).problem, "");
  EXPECT_EQ(play(kOpen + "C: DATA\nS: 354\n" + line + line + "C: x\nC: .\nS: 552 5.3.4\nC: NOOP\nS: 250\n", receiver,
                 settings)
                .problem,
            "");
  EXPECT_EQ(receiver.kept.size(), 1u);
  // Stuffed dots are not counted (RFC 1870 section 3).
  std::string dotted = "C: .." + std::string(47, 'x') + "\n";
  EXPECT_EQ(play(kOpen + "C: DATA\nS: 354\n" + dotted + dotted + "C: .\nS: 250 2.0.0\n", receiver, settings).problem,
            "");
}

TEST(ServerContent, RefusedBegin) {
  RecordingReceiver receiver;
  receiver.on_begin = {451, {4, 3, 0}, "Local trouble"};
  EXPECT_EQ(play(kOpen + "C: DATA\nS: 451 4.3.0\nC: NOOP\nS: 250\nC: RCPT TO:<c@d.example>\nS: 503 5.5.1\n", receiver)
                .problem,
            "");
}

TEST(ServerContent, RefusedEnd) {
  RecordingReceiver receiver;
  receiver.on_end = {452, {4, 3, 1}, "Full"};
  EXPECT_EQ(
      play(kOpen + "C: DATA\nS: 354\nC: a\nC: .\nS: 452 4.3.1\nC: MAIL FROM:<>\nS: 250 2.1.0\n", receiver).problem, "");
  EXPECT_TRUE(receiver.kept.empty());
}

// --- BDAT (RFC 3030)

const Case kBdat[] = {
    {"one chunk", "C! BDAT 3 LAST\\r\\na\\r\\n\n", "250 2.0.0 queued", "a\r\n"},
    {"no CRLF at the end", "C! BDAT 3 LAST\\r\\nabc\n", "250 2.0.0 queued", "abc"},
    {"two", "C! BDAT 2\\r\\na\\r\nS: 250 2.0.0 2 octets\nC! BDAT 4 LAST\\r\\n\\nb\\r\\n\n", "250 2.0.0 queued",
     "a\r\nb\r\n"},
    {"then BDAT 0 LAST", "C! BDAT 3\\r\\na\\r\\n\nS: 250 2.0.0\nC: BDAT 0 LAST\n", "250 2.0.0 queued", "a\r\n"},
    {"BDAT 0 LAST alone", "C: BDAT 0 LAST\n", "250 2.0.0 queued", ""},
    {"dots mean nothing", "C! BDAT 8 LAST\\r\\n..\\r\\n.\\r\\na\n", "250 2.0.0 queued", "..\r\n.\r\na"},
    {"bare LF", "C! BDAT 4 LAST\\r\\na\\nbc\n", "554 5.6.0 Bare LF", nullptr},
    {"bare CR over the border", "C! BDAT 2\\r\\na\\r\nS: 250\nC! BDAT 2 LAST\\r\\nbc\n", "554 5.6.0 Bare CR", nullptr},
    {"CR at the end", "C! BDAT 2 LAST\\r\\na\\r\n", "554 5.6.0 Bare CR", nullptr},
    {"NUL", "C! BDAT 2 LAST\\r\\na\\0\n", "554 5.6.0 NUL", nullptr},
    {"a dialogue in the octets", "C! BDAT 35 LAST\\r\\n\\r\\n.\\r\\nMAIL FROM:<evil@b.example>\\r\\n..\n",
     "250 2.0.0 queued", "\r\n.\r\nMAIL FROM:<evil@b.example>\r\n.."},
};

TEST(ServerContent, Bdat) {
  for (const Case& c : kBdat) {
    for (std::size_t octets : {std::size_t{65536}, std::size_t{1}}) {
      SCOPED_TRACE(c.why);
      RecordingReceiver receiver;
      Played played =
          play(kOpen + c.content + "S: " + c.reply + "\nC: NOOP\nS: 250 2.0.0 Ok\n", receiver, test_settings(), octets);
      EXPECT_EQ(played.problem, "");
      EXPECT_EQ(receiver.kept, c.kept ? std::vector<std::string>{c.kept} : std::vector<std::string>{});
    }
  }
}

const Case kBdatOrder[] = {
    {"before hello", "C! BDAT 5 LAST\\r\\nQUIT\\n\nS: 503 5.5.1\nC: NOOP\n", "250 2.0.0 Ok", nullptr},
    {"before MAIL", "C: HELO a\nS: 250 \nC! BDAT 6 LAST\\r\\nQUIT\\r\\n\nS: 503 5.5.1\nC: NOOP\n", "250 2.0.0 Ok",
     nullptr},
    {"before RCPT",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250\nC! BDAT 6 LAST\\r\\nQUIT\\r\\n\nS: 503 5.5.1\nC: NOOP\n",
     "250 2.0.0 Ok", nullptr},
    {"no valid recipient",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<no@b.example>\nS: 550 5.1.1\nC! BDAT 6 "
     "LAST\\r\\nQUIT\\r\\n\nS: 554 5.5.1\nC: NOOP\n",
     "250 2.0.0 Ok", nullptr},
    {"all in one go, refused",
     "C: HELO a\nC: MAIL FROM:<>\nC: RCPT TO:<no@b.example>\nC! BDAT 6\\r\\nQUIT\\r\\nBDAT 6 "
     "LAST\\r\\nQUIT\\r\\nNOOP\\r\\n\n"
     "S: 250 \nS: 250\nS: 550 5.1.1\nS: 554 5.5.1\nS: 503 5.5.1\n",
     "250 2.0.0 Ok", nullptr},
    {"a fault in the first chunk; the second is swallowed too",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@b.example>\nS: 250\nC! BDAT 6\\r\\nQUI\\nT\\nBDAT 6 "
     "LAST\\r\\nQUIT\\r\\nNOOP\\r\\n\n"
     "S: 554 5.6.0\nS: 503 5.5.1\n",
     "250 2.0.0 Ok", nullptr},
    {"DATA, MAIL and RCPT between chunks",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@b.example>\nS: 250\nC! BDAT 1\\r\\na\nS: 250 "
     "2.0.0\nC: DATA\nS: 503 5.5.1\n"
     "C: MAIL FROM:<>\nS: 503 5.5.1\nC: RCPT TO:<a@b.example>\nS: 503 5.5.1\nC! BDAT 1 LAST\\r\\nb\nS: 250 2.0.0 "
     "queued\nC: NOOP\n",
     "250 2.0.0 Ok", "ab"},
    {"RSET between chunks",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@b.example>\nS: 250\nC! BDAT 1\\r\\na\nS: 250 "
     "2.0.0\nC: RSET\nS: 250 2.0.0 Ok\n"
     "C! BDAT 1 LAST\\r\\nb\nS: 503 5.5.1\nC: NOOP\n",
     "250 2.0.0 Ok", nullptr},
};

TEST(ServerContent, BdatOrder) {
  for (const Case& c : kBdatOrder) {
    for (std::size_t octets : {std::size_t{65536}, std::size_t{1}}) {
      SCOPED_TRACE(c.why);
      RecordingReceiver receiver;
      receiver.refused_rcpt = "no@b.example";
      Played played = play(std::string(c.content) + "S: " + c.reply + "\n", receiver, test_settings(), octets);
      EXPECT_EQ(played.problem, "") << played.written;
      EXPECT_EQ(receiver.kept, c.kept ? std::vector<std::string>{c.kept} : std::vector<std::string>{});
    }
  }
}

TEST(ServerContent, BdatSizes) {
  RecordingReceiver receiver;
  auto settings = test_settings();
  settings->max_message_size = 10;
  // Announced too large: swallowed, then refused.
  EXPECT_EQ(
      play(kOpen + "C! BDAT 11 LAST\\r\\n12345678901\nS: 552 5.3.4\nC: NOOP\nS: 250\n", receiver, settings).problem,
      "");
  EXPECT_EQ(play(kOpen + "C! BDAT 6\\r\\n123456\nS: 250\nC! BDAT 6 LAST\\r\\n123456\nS: 552 5.3.4\nC: NOOP\nS: 250\n",
                 receiver, settings)
                .problem,
            "");
  EXPECT_TRUE(receiver.kept.empty());
  // What no number holds, or nobody would read for nothing: where it ends is unknown, so the connection does.
  for (const char* size :
       {"99999999999999999999999 LAST", "-1", "x", "18446744073709551615 LAST", "18446744073709551615"}) {
    Played played = play(kOpen + "C: BDAT " + size + "\n", receiver, settings);
    EXPECT_TRUE(played.written.find("\r\n501 5.5.4") != std::string::npos ||
                played.written.find("\r\n552 5.3.4") != std::string::npos);
    EXPECT_TRUE(played.closed);
  }
  Played played = play(kOpen + "C! BDAT 6 LAST\\nQUIT\\r\\n\n", receiver);  // LF alone: neither obeyed nor skipped
  EXPECT_EQ(played.written.find("221"), std::string::npos);
  EXPECT_TRUE(receiver.kept.empty());
}

TEST(ServerContent, BdatRepliesAreCollected) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.expect_line("220").peer_sends("HELO a\r\n").expect_line("250");
  stream.peer_sends("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 3 LAST\r\na\r\n");
  stream.expect("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 queued as 0000000000001\r\n");
  ServerSession session(stream, receiver, test_settings(), "test");
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_EQ(stream.operations(), 6u);  // greeting, HELO, its reply, the group, its replies, the end
}

// For the log: every refusal in a transaction, with the addresses it was about.
TEST(ServerContent, RefusalsAreTold) {
  RecordingReceiver receiver;
  receiver.refused_rcpt = "no@b.example";
  play(
      "C: HELO a\nC: MAIL FROM:x\nC: MAIL FROM:<> SIZE=99999999999\nC: MAIL FROM:<a@b.example>\nC: RCPT TO:y\n"
      "C: RCPT TO:<no@b.example>\nC: DATA\nC: RCPT TO:<c@d.example>\nC! BDAT 2\\r\\na\\nNOOP\\r\\n\n",
      receiver);
  EXPECT_EQ(receiver.refusals,
            (std::vector<std::string>{
                "MAIL from=x to= 501 5.1.7 The sender must stand in angle brackets: MAIL FROM:<address>",
                "MAIL from= to= 552 5.3.4 Message is larger than 52428800 octets",
                "RCPT from=a@b.example to=y 501 5.1.3 The recipient must stand in angle brackets: RCPT TO:<address>",
                "RCPT from=a@b.example to=no@b.example 550 5.1.1 No such user",
                "DATA from=a@b.example to= 554 5.5.1 No valid recipients",
                "BDAT from=a@b.example to= 554 5.6.0 Bare LF in content (RFC 5321 section 2.3.8)",
            }));
}

// --- The peer is lost: at every step, and nothing is kept or claimed that is not so.

const char* const kWhole[] = {
    "C: HELO a\nS: 250 \nC: MAIL FROM:<a@b.example>\nS: 250\nC: RCPT TO:<c@d.example>\nS: 250\nC: DATA\nS: 354\nC: "
    "one\nC: two\n"
    "C: .\nS: 250 2.0.0 queued\nC: QUIT\nS: 221\n",
    "C: HELO a\nS: 250 \nC: MAIL FROM:<a@b.example>\nS: 250\nC: RCPT TO:<c@d.example>\nS: 250\nC! BDAT "
    "5\\r\\none\\r\\n\nS: 250\n"
    "C! BDAT 5 LAST\\r\\ntwo\\r\\n\nS: 250 2.0.0 queued\nC: QUIT\nS: 221\n",
    "C: HELO a\nC: MAIL FROM:<a@b.example>\nC: RCPT TO:<c@d.example>\nC! BDAT 10 LAST\\r\\none\\r\\ntwo\\r\\n\nS: 250 "
    "\nS: 250\nS: 250\n"
    "S: 250 2.0.0 queued\nC: QUIT\nS: 221\n",
};

TEST(ServerContent, AnErrorAtEveryStep) {
  for (const char* whole : kWhole) {
    for (std::size_t octets : {std::size_t{65536}, std::size_t{4}}) {
      std::size_t kept_runs = 0;
      std::size_t runs = net::repeat_with_errors([&](net::ScriptStream& stream, const net::Fault* fault) {
        RecordingReceiver receiver;
        stream.deliver_at_most(octets);
        script(stream, whole);
        ServerSession session(stream, receiver, test_settings(), "test");
        net::run_script(session.run());
        if (!fault) {
          EXPECT_EQ(stream.problem(), "");
        }
        EXPECT_TRUE(stream.closed());
        EXPECT_FALSE(receiver.under_way());
        EXPECT_LE(receiver.kept.size(), 1u);
        for (const auto& message : receiver.kept) EXPECT_EQ(message, "one\r\ntwo\r\n");
        bool claimed = stream.written().find("queued") != std::string::npos;
        if (claimed) {
          EXPECT_EQ(receiver.kept.size(), 1u);  // never claimed and not kept
        }
        kept_runs += receiver.kept.size();
      });
      EXPECT_GT(runs, 10u);
      EXPECT_GT(kept_runs, 1u);
      EXPECT_LT(kept_runs, runs);
    }
  }
}

TEST(ServerContent, ShutDownInTheMiddle) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  script(stream, kOpen + "C: DATA\nS: 354\n");
  stream.peer_closes();
  ServerSession session(stream, receiver, test_settings(), "test");
  net::run_script(session.run());
  EXPECT_TRUE(receiver.kept.empty());
  EXPECT_EQ(receiver.calls.back(), "abort");
}

}  // namespace
}  // namespace sidegate::smtp::server_content_test
