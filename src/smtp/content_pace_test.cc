#include "smtp/content_pace.h"

#include <gtest/gtest.h>

#include "smtp/dialogue.h"

namespace sidegate::smtp::content_pace_test {
namespace {

using namespace std::chrono_literals;

TEST(ContentPace, WhatIsLeft) {
  struct Step {
    std::uint64_t octets;
    Duration waited;
    Duration left;
  };
  struct Case {
    const char* what;
    std::uint64_t least;
    std::vector<Step> steps;
    bool slow;
  };
  const Case cases[] = {
      {"fast: never more than the silence", 100, {{100'000, 1ms, 60s}, {100'000, 0ms, 60s}}, false},
      {"silent", 100, {{0, 60s, 0s}}, true},
      {"just the rate", 100, {{1'000, 10s, 60s}, {1'000, 10s, 60s}}, false},
      {"half of the rate", 100, {{500, 10s, 55s}, {500, 10s, 50s}}, true},
      {"an octet now and then", 100, {{1, 30s, 30'010ms}, {1, 30s, 20ms}}, true},
      {"slow, then fast again", 100, {{1, 50s, 10'010ms}, {10'000, 0ms, 60s}}, false},
      {"any rate", 0, {{1, 59s, 60s}, {1, 59s, 60s}}, false},
      {"more than an octet a nanosecond", 4'000'000'000, {{1 << 20, 0ms, 60s}}, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    ContentPace pace(60s, c.least);
    EXPECT_EQ(pace.left(), 60s);
    for (const Step& step : c.steps) {
      pace.came(step.octets, step.waited);
      EXPECT_EQ(pace.left(), step.left);
    }
    EXPECT_EQ(pace.slow(), c.slow);
  }
}

// The dialogue, played by a client whose every octet takes so long.
Played play_slowly(std::string_view text, RecordingReceiver& receiver, Duration an_octet,
                   std::shared_ptr<ServerSettings> settings, SteadyTime* ended) {
  net::ScriptStream stream;
  stream.deliver_at_most(1).each_read_takes(an_octet);
  script(stream, text);
  ServerSession session(stream, receiver, std::move(settings), "test");
  net::run_script(session.run());
  *ended = stream.now();
  return {stream.problem(), stream.written(), stream.closed()};
}

TEST(ContentPace, ATricklingMessageEndsWith421) {
  const std::string lines = [] {
    std::string all;
    for (int i = 0; i < 200; ++i) all += "C: " + std::string(48, 'x') + "\n";
    return all;
  }();
  auto settings = test_settings();
  settings->data_timeout = 60s;
  settings->min_data_rate = 100;
  const std::string mail =
      "C: HELO a\nS: 250 \nC: MAIL FROM:<a@b.example>\nS: 250 2.1.0\nC: RCPT TO:<c@d.example>\nS: 250 2.1.5\n";
  SteadyTime ended;
  // 10,000 octets of 20 ms each: 200 s for what may take 160.
  RecordingReceiver receiver;
  Played played = play_slowly(mail + "C: DATA\nS: 354\n" + lines + "S: 421 4.4.2 Content comes too slowly\n", receiver,
                              20ms, settings, &ended);
  EXPECT_NE(played.written.find("421 4.4.2 Content comes too slowly, closing\r\n"), std::string::npos)
      << played.written;
  EXPECT_TRUE(played.closed);
  EXPECT_TRUE(receiver.kept.empty());
  EXPECT_EQ(receiver.calls.back(), "abort");
  EXPECT_LT(ended, SteadyTime(140s));
  // 15 ms each: it keeps up.
  RecordingReceiver patient;
  played = play_slowly(mail + "C: DATA\nS: 354\n" + lines + "C: .\nS: 250 2.0.0\n", patient, 15ms, settings, &ended);
  EXPECT_EQ(played.problem, "");
  EXPECT_EQ(patient.kept.size(), 1u);
  // No bound but silence.
  settings->min_data_rate = 0;
  RecordingReceiver endless;
  played = play_slowly(mail + "C: DATA\nS: 354\n" + lines + "C: .\nS: 250 2.0.0\n", endless, 1s, settings, &ended);
  EXPECT_EQ(played.problem, "");
  EXPECT_EQ(endless.kept.size(), 1u);
}

TEST(ContentPace, ATricklingChunkEndsWith421) {
  auto settings = test_settings();
  settings->data_timeout = 60s;
  settings->min_data_rate = 100;
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.deliver_at_most(1).each_read_takes(20ms);
  stream.peer_sends("EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 10000\r\n" +
                    std::string(10'000, 'x'));
  ServerSession session(stream, receiver, settings, "test");
  net::run_script(session.run());
  EXPECT_NE(stream.written().find("421 4.4.2 Content comes too slowly, closing\r\n"), std::string::npos)
      << stream.written();
  EXPECT_EQ(receiver.refusals.size(), 1u);
}

// One octet a chunk, minutes between them: the whole message is what counts.
TEST(ContentPace, SmallChunksAreNoWayAround) {
  auto settings = test_settings();
  settings->data_timeout = 60s;
  settings->min_data_rate = 100;
  RecordingReceiver receiver;
  net::ScriptStream stream;
  stream.peer_sends("EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n");
  for (int i = 0; i < 20; ++i) stream.peer_sends("BDAT 1\r\nx").peer_waits(20s);
  ServerSession session(stream, receiver, settings, "test");
  net::run_script(session.run());
  EXPECT_NE(stream.written().find("421 4.4.2"), std::string::npos) << stream.written();
  EXPECT_LT(stream.now(), SteadyTime(100s));
}

}  // namespace
}  // namespace sidegate::smtp::content_pace_test
