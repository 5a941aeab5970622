// The dialogue: order of commands, replies, limits. Content is in server_content_test.cc.
#include "smtp/server_session.h"

#include <gtest/gtest.h>

#include "smtp/dialogue.h"

namespace sidegate::smtp::server_session_test {
namespace {

struct Case {
  const char* why;
  const char* dialogue;
};

const Case kCases[] = {
    {"a plain message",
     "C: EHLO client.example\n"
     "S: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE 52428800\nS: 250-8BITMIME\nS: 250-SMTPUTF8\n"
     "S: 250-ENHANCEDSTATUSCODES\nS: 250-DSN\nS: 250 CHUNKING\n"
     "C: MAIL FROM:<a@b.example>\nS: 250 2.1.0 \n"
     "C: RCPT TO:<c@d.example>\nS: 250 2.1.5 \n"
     "C: DATA\nS: 354 \n"
     "C: Subject: x\nC: \nC: hello\nC: .\nS: 250 2.0.0 queued as 0000000000001\n"
     "C: QUIT\nS: 221 2.0.0 \n"},
    {"HELO", "C: HELO client.example\nS: 250 mx.example\nC: QUIT\nS: 221 2.0.0\n"},
    {"MAIL before hello",
     "C: MAIL FROM:<a@b.example>\nS: 503 5.5.1 \nC: RCPT TO:<a@b.example>\nS: 503 5.5.1 \nC: DATA\nS: 503 5.5.1\n"},
    {"order",
     "C: HELO a\nS: 250 \nC: RCPT TO:<a@b.example>\nS: 503 5.5.1\nC: DATA\nS: 503 5.5.1\n"
     "C: MAIL FROM:<>\nS: 250 2.1.0\nC: MAIL FROM:<>\nS: 503 5.5.1\nC: DATA\nS: 503 5.5.1 Send RCPT\n"
     "C: RCPT TO:<no@b.example>\nS: 550 5.1.1\nC: DATA\nS: 554 5.5.1 No valid\n"
     "C: RCPT TO:<a@b.example>\nS: 250 2.1.5\nC: MAIL FROM:<>\nS: 503 5.5.1\nC: RSET\nS: 250 2.0.0\nC: DATA\nS: 503 "
     "5.5.1\n"},
    {"a second EHLO ends the transaction",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250 2.1.0\nC: HELO b\nS: 250 \nC: RCPT TO:<a@b.example>\nS: 503 5.5.1\n"},
    {"a bad EHLO changes nothing",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250 2.1.0\nC: EHLO\nS: 501 5.5.4\nC: EHLO \x01\nS: 500 5.5.2\nC: RCPT "
     "TO:<a@b.example>\nS: 250 2.1.5\n"},
    {"a name that is none", "C: HELO My PC (2.\nS: 250 \nC: MAIL FROM:<>\nS: 250 2.1.0\n"},
    {"verbs in any case, spaces at the end",
     "C: eHlO a \nS: 250-\nS: 250-\nS: 250-\nS: 250-\nS: 250-\nS: 250-\nS: 250-\nS: 250 C\nC: nOOp  \nS: 250 2.0.0\n"},
    {"anywhere",
     "C: NOOP\nS: 250 2.0.0\nC: NOOP x\nS: 250 2.0.0\nC: RSET\nS: 250 2.0.0\nC: RSET x\nS: 501 5.5.4\nC: VRFY a\nS: "
     "252 2.5.0\n"
     "C: VRFY\nS: 501 5.5.4\nC: HELP\nS: 214 2.0.0\nC: EXPN list\nS: 502 5.5.1\nC: ETRN x\nS: 502 5.5.1\nC: TURN\nS: "
     "502 5.5.1\n"
     "C: AUTH PLAIN\nS: 502 5.5.1\nC: STARTTLS\nS: 502 5.5.1\nC: QUIT x\nS: 501 5.5.4\nC: QUIT\nS: 221 2.0.0\n"},
    {"unknown",
     "C: FOO\nS: 500 5.5.2\nC: \nS: 500 5.5.2\nC:  NOOP\nS: 500 5.5.2\nC: MAILFROM:<a@b.example>\nS: 500 5.5.2\n"},
    {"line ends and controls in commands",
     "C! NOOP\\n\nS: 500 5.5.2 A command ends with CR LF\nC! NO\\0OP\\r\\n\nS: 500 5.5.2\nC! NOOP \\ra\\r\\n\nS: 500 "
     "5.5.2\nC: NOOP a\tb\nS: 500 5.5.2\n"
     "C! NOOP\\r\\r\\n\nS: 500 5.5.2\nC: NOOP\nS: 250 2.0.0\n"},
    {"no command behind a bare LF is obeyed twice",
     "C: HELO a\nS: 250 \nC! MAIL FROM:<a@b.example>\\nRCPT TO:<c@d.example>\\r\\n\nS: 500 5.5.2\nS: 503 5.5.1\n"},
    {"addresses",
     "C: HELO a\nS: 250 \nC: MAIL FROM:a@b.example\nS: 501 5.1.7\nC: MAIL FROM:<a@b.example> X=1\nS: 555 5.5.4\n"
     "C: MAIL FROM:<\xc3\xa4@b.example>\nS: 553 5.6.7\nC: MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8\nS: 250 2.1.0\n"
     "C: RCPT TO:a@b.example\nS: 501 5.1.3\nC: RCPT TO:<\xc3\xa4@b.example>\nS: 250 2.1.5\nC: RCPT TO:<>\nS: 501 "
     "5.1.3\n"},
    {"SIZE",
     "C: HELO a\nS: 250 \nC: MAIL FROM:<> SIZE=52428801\nS: 552 5.3.4\nC: MAIL FROM:<> SIZE=99999999999999999999\nS: "
     "552 5.3.4\n"
     "C: MAIL FROM:<> SIZE=52428800\nS: 250 2.1.0\n"},
    {"a browser", "C: GET / HTTP/1.1\nC: Host: mx.example\nC: \nC: HELO a\nS: 421 4.7.0\n"},
    {"a browser's POST with a dialogue in it",
     "C: POST / HTTP/1.1\nC: HELO a\nC: MAIL FROM:<a@b.example>\nS: 421 4.7.0\n"},
};

TEST(ServerSession, Dialogues) {
  for (const Case& c : kCases) {
    for (std::size_t octets : {std::size_t{65536}, std::size_t{1}}) {
      SCOPED_TRACE(std::string(c.why) + ", " + std::to_string(octets) + " octets a read");
      RecordingReceiver receiver;
      receiver.refused_rcpt = "no@b.example";
      Played played = play(c.dialogue, receiver, test_settings(), octets);
      if (std::string_view(c.why).starts_with("a browser")) {
        EXPECT_TRUE(played.written.ends_with("421 4.7.0 This is an SMTP server\r\n"));
      } else {
        EXPECT_EQ(played.problem, "") << played.written;
      }
      EXPECT_TRUE(played.closed);
      EXPECT_FALSE(receiver.under_way());
    }
  }
}

TEST(ServerSession, NoVersionAnywhere) {
  RecordingReceiver receiver;
  std::string written = play("C: EHLO a\nC: HELP\nC: VRFY x\nC: NOOP\nC: QUIT\n", receiver).written;
  EXPECT_EQ(written.find("idegate"), std::string::npos) << written;
}

TEST(ServerSession, GreetingHelloAndHelpNameTheHost) {
  RecordingReceiver receiver;
  std::string written = play("C: EHLO a\nC: HELP\nC: HELO a\nC: QUIT\n", receiver).written;
  for (const char* before : {"220 ", "250-", "214 2.0.0 ", "250 "})
    EXPECT_NE(written.find(before + std::string("mx.example")), std::string::npos) << before << written;
}

TEST(ServerSession, WhatIsKeptOfAHelloName) {
  const std::pair<std::string, std::string> cases[] = {{"host.example", "host.example"},
                                                       {"My PC \\ 2", "My PC \\ 2"},
                                                       {"k\xc3\xb6ln", "k\xc3\xb6ln"},
                                                       {"k\xf6ln", "k?ln"},
                                                       {std::string(400, 'a'), std::string(252, 'a') + "..."}};
  for (const auto& [said, kept] : cases) {
    RecordingReceiver receiver;
    play("C: EHLO " + said + "\nC: MAIL FROM:<>\n", receiver);
    EXPECT_EQ(receiver.last.helo, kept);
  }
}

TEST(ServerSession, ParametersReachTheReceiver) {
  RecordingReceiver receiver;
  play(
      "C: EHLO client.example\nC: MAIL FROM:<a@b.example> SIZE=9 BODY=8BITMIME RET=HDRS ENVID=e\n"
      "C: RCPT TO:<c@d.example> NOTIFY=DELAY ORCPT=rfc822;x\n",
      receiver);
  EXPECT_EQ(receiver.mail_command.size, 9u);
  EXPECT_EQ(receiver.mail_command.body, mail::BodyType::k8bitMime);
  EXPECT_EQ(receiver.mail_command.ret, mail::Ret::kHeaders);
  EXPECT_EQ(receiver.mail_command.envid, "e");
  EXPECT_TRUE(receiver.rcpt_command.notify.delay);
  EXPECT_EQ(receiver.rcpt_command.orcpt, "rfc822;x");
  EXPECT_EQ(receiver.last.helo, "client.example");
  EXPECT_TRUE(receiver.last.esmtp);
  EXPECT_EQ(receiver.last.listener, "test");
  EXPECT_EQ(receiver.last.peer.address, "192.0.2.1");
}

// RFC 2920 section 3.2: the replies to a group go out in one write.
TEST(ServerSession, RepliesOfAPipelinedGroupAreOneWrite) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.expect_line("220").peer_sends("HELO a\r\n").expect_line("250");
  stream.peer_sends("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
  stream.expect("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
  stream.peer_sends("a\r\n.\r\nMAIL FROM:<>\r\nQUIT\r\n");
  stream.expect_line("250 2.0.0 queued").expect("250 2.1.0 Ok\r\n221 2.0.0 Bye\r\n");
  ServerSession session(stream, receiver, test_settings(), "test");
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  // Reads and writes: greeting; HELO; its reply; the group; its replies; content; 250 at once; the rest.
  EXPECT_EQ(stream.operations(), 8u);
}

TEST(ServerSession, LongCommands) {
  struct {
    const char* why;
    std::string line;
    const char* reply;
  } cases[] = {
      {"512 with CRLF", "NOOP " + std::string(505, 'x'), "250 2.0.0"},
      {"513", "NOOP " + std::string(506, 'x'), "500 5.5.2"},
      {"MAIL takes more", "MAIL FROM:<> X=" + std::string(600, 'x'), "555 5.5.4"},
      {"but not all", "MAIL FROM:<> X=" + std::string(1300, 'x'), "500 5.5.2"},
      {"RCPT takes more", "RCPT TO:<a@b.example> X=" + std::string(1000, 'x'), "555 5.5.4"},
      {"4 KiB", "NOOP " + std::string(4000, 'x'), "500 5.5.2"},
      {"beyond 4 KiB", "NOOP " + std::string(40'000, 'x'), "500 5.5.2"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    RecordingReceiver receiver;
    bool rcpt = c.line.starts_with("RCPT");
    Played played = play("C: HELO a\nS: 250 \n" + std::string(rcpt ? "C: MAIL FROM:<>\nS: 250 2.1.0\n" : "") +
                             "C: " + c.line + "\nS: " + c.reply + "\nC: NOOP\nS: 250 2.0.0\n",
                         receiver);
    EXPECT_EQ(played.problem, "");
  }
  RecordingReceiver receiver;
  Played played = play("C! " + std::string(70'000, 'x') + "\n", receiver);  // never a CRLF
  EXPECT_TRUE(played.closed);
}

TEST(ServerSession, ErrorsAreBounded) {
  RecordingReceiver receiver;
  std::string dialogue;
  for (int i = 0; i < 20; ++i) dialogue += "C: FOO\nS: 500 5.5.2\n";
  Played played = play(dialogue + "S: 421 4.7.0\n", receiver);
  EXPECT_EQ(played.problem, "");
  EXPECT_TRUE(played.closed);
}

TEST(ServerSession, RefusalsBesideAnAcceptedRecipientAreNoAttack) {
  RecordingReceiver receiver;
  receiver.refused_rcpt = "no@b.example";
  std::string group = "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250 2.1.0\n";
  std::string bad;
  for (int i = 0; i < 25; ++i) bad += "C: RCPT TO:<no@b.example>\nS: 550 5.1.1\n";
  EXPECT_EQ(play(group + "C: RCPT TO:<a@b.example>\nS: 250 2.1.5\n" + bad + "C: DATA\nS: 354\n", receiver).problem, "");
  EXPECT_NE(play(group + bad, receiver).problem, "");  // 421 before its end
}

TEST(ServerSession, IdleCommandsAreBoundedAndMailResetsThem) {
  RecordingReceiver receiver;
  std::string idle;
  for (int i = 0; i < 100; ++i) idle += "C: NOOP\nS: 250 2.0.0\n";
  EXPECT_EQ(play(idle + "C: RSET\nS: 421 4.7.0\n", receiver).problem, "");
  std::string message =
      "C: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@b.example>\nS: 250\nC: DATA\nS: 354\nC: .\nS: 250 2.0.0\n";
  EXPECT_EQ(play("C: HELO a\nS: 250 \n" + idle + message + idle + "C: QUIT\nS: 221\n", receiver).problem, "");
  std::string hellos = "C: HELO a\nS: 250 \n";  // the first is none of them
  for (int i = 0; i < 100; ++i) hellos += "C: HELO a\nS: 250 \n";
  EXPECT_EQ(play(hellos + "C: EHLO a\nS: 421 4.7.0\n", receiver).problem, "");
}

TEST(ServerSession, TooManyRecipients) {
  RecordingReceiver receiver;
  auto settings = test_settings();
  settings->max_recipients = 2;
  std::string refused;
  for (int i = 0; i < 30; ++i) refused += "C: RCPT TO:<c@d.example>\nS: 452 4.5.3\n";  // no error of the client's
  EXPECT_EQ(play("C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@b.example>\nS: 250\nC: RCPT "
                 "TO:<b@b.example>\nS: 250\n" +
                     refused + "C: DATA\nS: 354\nC: .\nS: 250 2.0.0\n",
                 receiver, settings)
                .problem,
            "");
}

TEST(ServerSession, TimeOuts) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  script(stream, "C: HELO a\nS: 250 \nC: MAIL FROM:<>\nS: 250\n");
  stream.peer_stalls().expect_line("421 4.4.2");
  ServerSession session(stream, receiver, test_settings(), "test");
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_TRUE(stream.closed());
  EXPECT_EQ(receiver.calls.back(), "abort");
}

// What the log tells of a session, as Postfix counts it.
TEST(ServerSession, CommandsAreCounted) {
  struct Case {
    std::string client;
    std::string commands;
    std::string_view end, last;
  };
  const Case cases[] = {
      {"", "commands=0/0", "lost", "CONNECT"},
      {"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<no@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
       "ehlo=1 mail=1 rcpt=1/2 data=1 quit=1 commands=5/6", "quit", "QUIT"},
      {"HELO a\r\nFOO\r\nGARBAGE x\r\nSTARTTLS\r\n", "helo=1 starttls=0/1 unknown=0/2 commands=1/4", "lost",
       "STARTTLS"},
      {"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nhalf of it",
       "helo=1 mail=1 rcpt=1 data=0/1 commands=3/4", "lost", "DATA"},
      {"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nBDAT 2\r\nx\nBDAT 0 LAST\r\n",
       "helo=1 mail=1 rcpt=1 bdat=0/2 commands=3/5", "lost", "BDAT"},
      {"GET / HTTP/1.1\r\n", "unknown=0/1 commands=0/1", "closed", "UNKNOWN"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.client);
    RecordingReceiver receiver;
    receiver.refused_rcpt = "no@b.example";
    net::ScriptStream stream;
    stream.peer_sends(c.client);
    ServerSession session(stream, receiver, test_settings(), "test");
    net::run_script(session.run());
    EXPECT_EQ(session.commands(), c.commands);
    EXPECT_EQ(session.end(), c.end);
    EXPECT_EQ(session.last_command(), c.last);
  }
}

TEST(ServerSession, RefusedConnection) {
  RecordingReceiver receiver;
  receiver.on_connect = {421, {4, 7, 0}, "Too many connections"};
  net::ScriptStream stream;
  stream.expect("421 4.7.0 Too many connections\r\n").peer_closes();
  ServerSession session(stream, receiver, test_settings(), "test");
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_TRUE(stream.closed());
}

TEST(ServerSession, ShutDownBetweenTransactions) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.expect_line("220").expect_line("421 4.3.2");
  ServerSession session(stream, receiver, test_settings(), "test");
  session.shut_down();
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_TRUE(stream.closed());
}

// --- STARTTLS

std::shared_ptr<const tls::ServerContext> some_tls() {
  // ScriptStream does no cryptography: it only has to be there.
  static int something = 0;
  return {std::shared_ptr<void>(), reinterpret_cast<const tls::ServerContext*>(&something)};
}

// RFC 8689 section 3.
TEST(ServerSession, RequireTlsOnlyInsideTls) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.expect_line("220").peer_sends("EHLO clear.example\r\n");
  for (const char* line : {"250-mx", "250-P", "250-SIZE", "250-8", "250-SMTPUTF8", "250-E", "250-D", "250 C"})
    stream.expect_line(line);
  stream.peer_sends("MAIL FROM:<a@b.example> REQUIRETLS\r\n").expect_line("530 5.7.10");
  stream.peer_sends("MAIL FROM:<a@b.example> REQUIRETLS=YES\r\n").expect_line("501 5.5.4");
  stream.peer_sends("MAIL FROM:<a@b.example>\r\n").expect_line("250 2.1.0").peer_sends("QUIT\r\n").expect_line("221");
  ServerSession session(stream, receiver, test_settings(), "test");
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
}

TEST(ServerSession, StartTlsForgetsEverything) {
  RecordingReceiver receiver;
  auto settings = test_settings();
  settings->offer_starttls = true;
  net::ScriptStream stream;
  stream.expect_line("220").peer_sends("EHLO clear.example\r\n");
  for (const char* line :
       {"250-mx", "250-P", "250-SIZE", "250-STARTTLS", "250-8", "250-SMTPUTF8", "250-E", "250-D", "250 C"}) {
    stream.expect_line(line);
  }
  stream.peer_sends("STARTTLS\r\n").expect_line("220 2.0.0").tls();
  stream.peer_sends("MAIL FROM:<a@b.example>\r\n").expect_line("503 5.5.1");
  stream.peer_sends("EHLO tls.example\r\n");
  for (const char* line :
       {"250-mx", "250-P", "250-SIZE", "250-REQUIRETLS", "250-8", "250-SMTPUTF8", "250-E", "250-D", "250 C"})
    stream.expect_line(line);
  stream.peer_sends("STARTTLS\r\n")
      .expect_line("503 5.5.1")
      .peer_sends("MAIL FROM:<a@b.example> REQUIRETLS\r\n")
      .expect_line("250 2.1.0");
  ServerSession session(stream, receiver, settings, "test", some_tls());
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_EQ(receiver.last.helo, "tls.example");
  EXPECT_TRUE(receiver.last.tls);
  EXPECT_EQ(receiver.last.tls_facts->summary, "TLSv1.3 cipher TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(receiver.last.tls_facts->bits, 256);
}

// Who is silent in the middle of a handshake is no better than who is silent in the dialogue.
TEST(ServerSession, TheHandshakeHasNoMoreTimeThanACommand) {
  for (auto [idle, expected] : {std::pair(Duration(5s), Duration(5s)), std::pair(Duration(5min), Duration(1min))}) {
    RecordingReceiver receiver;
    auto settings = test_settings();
    settings->offer_starttls = true;
    settings->idle_timeout = idle;
    net::ScriptStream stream;
    stream.expect_line("220").peer_sends("STARTTLS\r\n").expect_line("220 2.0.0").tls_fails("half a handshake");
    ServerSession session(stream, receiver, settings, "test", some_tls());
    net::run_script(session.run());
    EXPECT_EQ(stream.deadline(), expected);
  }
}

// Who comes while the server ends is not made to wait for that.
TEST(ServerSession, NoSilenceIsHeardAtShutdown) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.peer_sends("EHLO early.example\r\n");
  ServerSession session(stream, receiver, test_settings(), "test");
  SessionInfo client;
  client.peer = stream.peer();
  client.quiet = 5s;
  session.set_client(client);
  session.shut_down();
  net::run_script(session.run());
  EXPECT_FALSE(session.client().spoke_early);
  EXPECT_NE(stream.written().find("421 4.3.2"), std::string::npos) << stream.written();
}

TEST(ServerSession, PlaintextBehindStartTlsCloses) {
  RecordingReceiver receiver;
  auto settings = test_settings();
  settings->offer_starttls = true;
  net::ScriptStream stream;
  stream.expect_line("220").peer_sends("HELO a\r\n").expect_line("250");
  stream.peer_sends("STARTTLS\r\nMAIL FROM:<evil@b.example>\r\n").expect_line("554 5.5.0").peer_closes();
  ServerSession session(stream, receiver, settings, "test", some_tls());
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_TRUE(stream.closed());
  EXPECT_TRUE(receiver.calls.empty());
}

TEST(ServerSession, IsSmallWhenIdle) {
  EXPECT_LE(sizeof(ServerSession), 744u);
}

}  // namespace
}  // namespace sidegate::smtp::server_session_test
