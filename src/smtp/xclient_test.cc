#include "smtp/xclient.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "net/run_script.h"
#include "smtp/recording_receiver.h"
#include "smtp/server_session.h"

namespace sidegate::smtp::xclient_test {
namespace {

TEST(Xclient, Attributes) {
  struct {
    const char* arguments;
    const char *name, *reverse, *address, *helo;
    unsigned port;
    bool esmtp;
  } cases[] = {
      {"NAME=mx.example ADDR=192.0.2.9", "mx.example", "mx.example", "192.0.2.9", "old", 0, true},
      {"name=mx.example addr=ipv6:2001:DB8::9 port=77", "mx.example", "mx.example", "2001:db8::9", "old", 77, true},
      {"ADDR=2001:db8::9", "", "", "2001:db8::9", "old", 0, true},
      {"ADDR=IPV6:::ffff:192.0.2.9", "", "", "192.0.2.9", "old", 0, true},
      {"NAME=[UNAVAILABLE] REVERSE_NAME=pool.example ADDR=192.0.2.9", "", "pool.example", "192.0.2.9", "old", 0, true},
      {"NAME=[tempunavail]", "", "", "192.0.2.1", "old", 5000, true},
      {"HELO=new+2Bname PROTO=SMTP", "was.example", "was.example", "192.0.2.1", "new+name", 5000, false},
      {"PORT=[UNAVAILABLE]", "was.example", "was.example", "192.0.2.1", "old", 0, true},
      {"DESTADDR=198.51.100.1 DESTPORT=25", "was.example", "was.example", "192.0.2.1", "old", 5000, true},
      {"ADDR=[UNAVAILABLE]", "", "", "192.0.2.1", "old", 0, true},
  };
  for (const auto& c : cases) {
    auto command = parse_xclient(c.arguments, false);
    ASSERT_TRUE(command) << c.arguments << ": " << command.error().line();
    SessionInfo session;
    session.peer = {.address = "192.0.2.1", .port = 5000, .loopback = true};
    session.client_name = session.client_ptr = "was.example";
    session.helo = "old";
    session.esmtp = true;
    session.user = "ann";
    apply_xclient(*command, session);
    EXPECT_EQ(session.client_name, c.name) << c.arguments;
    EXPECT_EQ(session.client_ptr, c.reverse) << c.arguments;
    EXPECT_EQ(session.peer.address, c.address) << c.arguments;
    EXPECT_EQ(session.peer.port, c.port) << c.arguments;
    EXPECT_EQ(session.helo, c.helo) << c.arguments;
    EXPECT_EQ(session.esmtp, c.esmtp) << c.arguments;
    EXPECT_FALSE(session.peer.loopback) << c.arguments;
    EXPECT_NE(session.peer.told, net::Told::kSocket) << c.arguments;
    EXPECT_EQ(session.user, "") << c.arguments;
  }
}

TEST(Xclient, Mistakes) {
  for (const char* arguments : {"",
                                "NAME",
                                "NAME=",
                                "COLOUR=blue",
                                "ADDR=",
                                "ADDR=192.0.2.256",
                                "ADDR=mx.example",
                                "ADDR=fe80::1%eth0",
                                "NAME=a..b",
                                "NAME=+0D+0A",
                                "HELO=x+0Ay",
                                "HELO=x+",
                                "HELO=x+4",
                                "HELO=x+zz",
                                "HELO=+FF",
                                "PORT=65536",
                                "PORT=x",
                                "PROTO=LMTP",
                                "LOGIN=ann",
                                "\xc3\xa9=x",
                                "XCLIENT=x"}) {
    auto command = parse_xclient(arguments, false);
    ASSERT_FALSE(command) << arguments;
    EXPECT_EQ(command.error().code, 501) << arguments;
    EXPECT_TRUE(is_ascii(command.error().line())) << arguments;
  }
  EXPECT_EQ(parse_xclient("LOGIN=ann+40example.org", true)->login, "ann@example.org");
}

struct Played {
  std::string written;
  RecordingReceiver receiver;
};

void play(Played& played, const std::string& client, bool listed, bool auth = false) {
  net::ScriptStream stream;
  stream.peer_sends(client);
  auto settings = std::make_shared<ServerSettings>();
  settings->hostname = "mx.example";
  settings->offer_auth = auth;
  ServerSession session(stream, played.receiver, settings, "in");
  SessionInfo known;
  known.peer = stream.peer();
  known.may_xclient = listed;
  session.set_client(known);
  net::run_script(session.run());
  played.written = stream.written();
}

const std::string kMail = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";

TEST(Xclient, InASession) {
  Played p;
  play(p,
       "EHLO front\r\nXCLIENT ADDR=198.51.100.7 NAME=far.example LOGIN=ann\r\nXCLIENT ADDR=198.51.100.7 "
       "NAME=far.example\r\n"
       "MAIL FROM:<a@b.example>\r\nEHLO far\r\n" +
           kMail + "XCLIENT ADDR=192.0.2.5\r\nQUIT\r\n",
       true);
  EXPECT_EQ(p.receiver.last.peer.address, "198.51.100.7");
  EXPECT_EQ(p.receiver.last.client_name, "far.example");
  EXPECT_EQ(p.receiver.last.helo, "far");
  EXPECT_FALSE(p.receiver.last.may_xclient);
  EXPECT_EQ(p.written.find("250-XCLIENT NAME ADDR"), p.written.rfind("250-XCLIENT")) << p.written;  // offered once
  EXPECT_NE(p.written.find("250-XCLIENT NAME ADDR"), std::string::npos) << p.written;
  EXPECT_EQ(p.written.find("REVERSE_NAME LOGIN"), std::string::npos) << p.written;
  EXPECT_NE(p.written.find("501 5.5.4 Not an attribute of XCLIENT here: LOGIN\r\n220 mx.example ESMTP\r\n503 5.5.1"),
            std::string::npos)
      << p.written;
  // Not in the middle of a transaction.
  EXPECT_NE(p.written.find("250 2.1.5 Ok\r\n503 5.5.1"), std::string::npos) << p.written;
}

// A front that has named its client passes on what that one says.
TEST(Xclient, NotForTheClientBehindTheFront) {
  struct {
    const char* said;
    bool taken;
  } cases[] = {
      // nginx: XCLIENT, then the client's own words, with its HELO or without
      {"EHLO nginx\r\nXCLIENT ADDR=198.51.100.7 NAME=[UNAVAILABLE]\r\nEHLO far\r\nXCLIENT ADDR=10.0.0.1\r\n", false},
      {"EHLO nginx\r\nXCLIENT ADDR=198.51.100.7 LOGIN=eve NAME=x.example\r\nXCLIENT LOGIN=boss\r\n", false},
      {"EHLO nginx\r\nXCLIENT ADDR=198.51.100.7\r\nEHLO far\r\nRSET\r\nXCLIENT LOGIN=boss\r\n", false},
      {"EHLO nginx\r\nXCLIENT ADDR=198.51.100.7\r\nNONSENSE\r\nXCLIENT LOGIN=boss\r\n", false},
      {"EHLO nginx\r\nXCLIENT ADDR=198.51.100.7\r\nNOOP\r\nXCLIENT LOGIN=boss\r\n", false},
      {"EHLO nginx\r\nXCLIENT ADDR=198.51.100.7\r\nQUIT now\r\nXCLIENT LOGIN=boss\r\n", false},
      // a listed front that says nothing of its client
      {"EHLO nginx\r\nMAIL FROM:<a@b.example>\r\nRSET\r\nXCLIENT LOGIN=boss\r\n", false},
      {"EHLO nginx\r\nAUTH PLAIN AGEAYg==\r\nXCLIENT LOGIN=boss\r\n", false},
      {"NONSENSE\r\nXCLIENT LOGIN=boss\r\n", false},
      // one statement in several commands, and a first greeting of its own
      {"XCLIENT ADDR=198.51.100.7\r\nXCLIENT LOGIN=boss HELO=far\r\nXCLIENT NAME=far.example\r\n", true},
      {"EHLO front\r\nEHLO again\r\nNOOP\r\nXCLIENT NAME=far.example LOGIN=boss\r\nXCLIENT ADDR=198.51.100.7\r\n",
       true},
      {"XCLIENT ADDR=nonsense\r\nXCLIENT ADDR=198.51.100.7 LOGIN=boss NAME=far.example\r\n", true},
  };
  for (const auto& c : cases) {
    Played p;
    play(p, std::string(c.said) + "EHLO far\r\n" + kMail + "QUIT\r\n", true, true);
    EXPECT_EQ(p.receiver.last.user == "boss", c.taken) << c.said << p.written;
    EXPECT_NE(p.receiver.last.peer.address, "10.0.0.1") << c.said;
    if (!c.taken) {
      EXPECT_TRUE(p.written.find("550 5.7.0") != std::string::npos || p.written.find("501 5.5.4") != std::string::npos)
          << c.said << p.written;
    } else {
      EXPECT_EQ(p.receiver.last.peer.address, "198.51.100.7") << c.said;
      EXPECT_EQ(p.receiver.last.client_name, "far.example") << c.said;
    }
  }
}

TEST(Xclient, OneCommandMayHoldAll) {
  const std::string label(60, 'a'), name = label + "." + label + "." + label + ".example";
  std::string helo;
  for (int i = 0; i < 250; ++i) helo += "+41";
  Played p;
  play(p,
       "XCLIENT NAME=" + name + " REVERSE_NAME=" + name + " ADDR=IPV6:2001:db8::1 PORT=77 PROTO=ESMTP HELO=" + helo +
           " LOGIN=" + helo + " DESTADDR=IPV6:2001:db8::2 DESTPORT=25\r\n" + kMail + "QUIT\r\n",
       true, true);
  EXPECT_EQ(p.receiver.last.user, std::string(250, 'A')) << p.written;
}

TEST(Xclient, ItsHeloGreets) {
  Played p;
  play(p, "EHLO front\r\nXCLIENT ADDR=198.51.100.7 HELO=far PROTO=SMTP\r\n" + kMail + "QUIT\r\n", true);
  EXPECT_EQ(p.receiver.last.helo, "far");
  EXPECT_FALSE(p.receiver.last.esmtp);
}

TEST(Xclient, LoginsWhereUsersMayLogIn) {
  Played p;
  play(p, "XCLIENT ADDR=198.51.100.7 LOGIN=ann HELO=x\r\n" + kMail + "QUIT\r\n", true, true);
  EXPECT_EQ(p.receiver.last.user, "ann");
  EXPECT_EQ(p.receiver.last.mechanism, "XCLIENT");
}

// RFC 3207 section 4.2: all that was said before TLS is forgotten, by whoever counts logins too.
TEST(Xclient, TlsForgetsItsLogin) {
  RecordingReceiver receiver;
  auto settings = std::make_shared<ServerSettings>();
  settings->hostname = "mx.example";
  settings->offer_auth = settings->offer_starttls = true;
  static int something = 0;  // ScriptStream does no cryptography: it only has to be there
  net::ScriptStream stream;
  stream.expect_line("220").peer_sends("XCLIENT ADDR=198.51.100.7 LOGIN=ann\r\n").expect_line("220");
  stream.peer_sends("STARTTLS\r\n").expect_line("220 2.0.0").tls();
  ServerSession session(stream, receiver, settings, "in",
                        {std::shared_ptr<void>(), reinterpret_cast<const tls::ServerContext*>(&something)});
  SessionInfo known;
  known.peer = stream.peer();
  known.may_xclient = true;
  session.set_client(known);
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_EQ(receiver.logins, (std::vector<std::string>{"ann", ""}));
  EXPECT_EQ(session.client().user, "");
  EXPECT_EQ(session.client().mechanism, "");
}

TEST(Xclient, OnlyForWhoIsListed) {
  Played p;
  play(p, "EHLO x\r\nXCLIENT ADDR=198.51.100.7\r\n" + kMail + "QUIT\r\n", false);
  EXPECT_EQ(p.written.find("XCLIENT NAME"), std::string::npos);
  EXPECT_NE(p.written.find("550 5.7.0 "), std::string::npos) << p.written;
  EXPECT_EQ(p.receiver.last.peer.address, "192.0.2.1");
}

TEST(Xclient, TheNewClientMayBeTurnedAway) {
  Played p;
  p.receiver.on_connect_again = mail::Reply(421, {4, 7, 0}, "Too many");
  play(p, "XCLIENT ADDR=198.51.100.7\r\nEHLO x\r\n", true);
  EXPECT_EQ(p.written, "220 mx.example ESMTP\r\n421 4.7.0 Too many\r\n");
}

}  // namespace
}  // namespace sidegate::smtp::xclient_test
