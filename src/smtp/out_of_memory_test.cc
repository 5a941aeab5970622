// One session without memory: it says 421 or just ends, keeps nothing it has not answered for, and the process goes on.
// Every allocation of a whole dialogue fails in turn; once, and from there on.
#include <gtest/gtest.h>

#include "net/starved.h"
#include "smtp/dialogue.h"

namespace sidegate::smtp::out_of_memory_test {
namespace {

const std::string kDialogue =
    "EHLO client.example\r\n"
    "MAIL FROM:<a-sender-with-a-long-name@some-domain.example> SIZE=1000 BODY=8BITMIME RET=HDRS "
    "ENVID=0123456789abcdef\r\n"
    "RCPT TO:<a-recipient-with-a-long-name@another-domain.example> NOTIFY=FAILURE "
    "ORCPT=rfc822;c@another-domain.example\r\n"
    "DATA\r\n" +
    ("Subject: x\r\n\r\n" + std::string(900, 'x') + "\r\n.\r\n") +
    "MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nBDAT 6\r\nS: x\r\n" + "BDAT 8 LAST\r\n\r\nbody\r\nNOOP\r\nQUIT\r\n";

struct Ended {
  std::string written;
  bool by_exception = false, closed = false, under_way = false;
  std::size_t kept = 0;
  long failures = 0;
};

Ended play_starved(long at, bool from_there_on) {
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.peer_sends(kDialogue).deliver_at_most(700);
  auto settings = test_settings();
  Ended ended;
  {
    ServerSession session(stream, receiver, settings, "test");
    net::Starved guard(at, from_there_on);
    try {
      net::run_script(session.run());
    } catch (const std::bad_alloc&) {
      ended.by_exception = true;  // not in the session: in what runs its coroutine
    }
  }
  ended.failures = net::Starved::failures();
  ended.written = stream.written();
  ended.closed = stream.closed();
  ended.under_way = receiver.under_way();
  ended.kept = receiver.kept.size();
  return ended;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(OutOfMemory, EveryAllocationFailsInTurn) {
  for (bool from_there_on : {false, true}) {
    unsigned told = 0, points = 0;
    for (long at = 1; at < 2000; ++at) {
      Ended ended = play_starved(at, from_there_on);
      if (ended.failures == 0) {  // the dialogue needs no more than that
        EXPECT_EQ(count(ended.written, "queued as"), 2u) << ended.written;
        EXPECT_NE(ended.written.find("221 2.0.0 Bye\r\n"), std::string::npos);
        break;
      }
      ++points;
      SCOPED_TRACE("allocation " + std::to_string(at) + (from_there_on ? " and all after it:\n" : ":\n") +
                   ended.written);
      EXPECT_LE(count(ended.written, "queued as"), ended.kept);  // claimed implies kept
      if (ended.by_exception) continue;
      EXPECT_TRUE(ended.closed);
      EXPECT_FALSE(ended.under_way);
      // Whole lines alone, and the last one says why where there was memory to say it.
      EXPECT_TRUE(ended.written.empty() || ended.written.ends_with("\r\n"));
      if (ended.written.ends_with("421 4.3.0 Out of memory, try again later\r\n")) ++told;
    }
    EXPECT_GT(points, 30u);
    if (!from_there_on) EXPECT_GT(told, points / 2);
  }
}

}  // namespace
}  // namespace sidegate::smtp::out_of_memory_test
