#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::mail::trace_test {
namespace {

constexpr WallTime kAt = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21)) + std::chrono::hours(22) +
                         std::chrono::minutes(25) + std::chrono::seconds(12);
constexpr std::string_view kDate = "Sat, 21 Nov 2026 22:25:12 +0000";

std::string received(Origin origin, std::string_view for_address = {}, std::string_view tls = {},
                     std::string_view peer_name = {}) {
  return received_field({&origin, peer_name, "mx.example.org", for_address, tls, QueueId{33}, kAt});
}

TEST(Date, Rfc5322) {
  EXPECT_EQ(rfc5322_date(kAt), kDate);
  EXPECT_EQ(rfc5322_date(WallTime(Duration(0))), "Thu, 1 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(rfc5322_date(WallTime(Duration(951'782'400'999))), "Tue, 29 Feb 2000 00:00:00 +0000");
}

TEST(Received, Forms) {
  EXPECT_EQ(received({"mx", "192.0.2.1", "client.example", "", "ESMTP"}),
            "Received: from client.example ([192.0.2.1]) by mx.example.org\r\n"
            "\twith ESMTP id 0000000000011; Sat, 21 Nov 2026 22:25:12 +0000\r\n");
  EXPECT_EQ(received({"mx", "2001:db8::1", "client.example", "jane", "ESMTPSA"}, "joe@example.net",
                     "TLSv1.3 cipher TLS_AES_256_GCM_SHA384", "rev.example"),
            "Received: from client.example (rev.example [IPv6:2001:db8::1])\r\n"
            "\t(using TLSv1.3 cipher TLS_AES_256_GCM_SHA384) by mx.example.org\r\n"
            "\twith ESMTPSA id 0000000000011 for <joe@example.net>;\r\n"
            "\tSat, 21 Nov 2026 22:25:12 +0000\r\n");
  // From this host's own programs, and our own reports.
  EXPECT_EQ(received({"drop", "unix", "", "www-data", "ESMTP"}),
            "Received: by mx.example.org (from user www-data) with ESMTP id 0000000000011;\r\n\tSat, 21 Nov 2026 "
            "22:25:12 +0000\r\n");
  EXPECT_EQ(received({}), "Received: by mx.example.org id 0000000000011; Sat, 21 Nov 2026 22:25:12 +0000\r\n");
}

TEST(Received, ValuesAreCleaned) {
  struct Case {
    std::string helo, from;
  } cases[] = {
      {"[192.0.2.9]", "from [192.0.2.9] ([192.0.2.1])"},
      {"", "from unknown ([192.0.2.1])"},
      {"my host", "from unknown (HELO my host [192.0.2.1])"},
      {"a) by evil (b", "from unknown (HELO a? by evil ?b [192.0.2.1])"},
      {"a\r\nX: y", "from unknown (HELO a??X: y [192.0.2.1])"},
      {"a\\", "from unknown (HELO a? [192.0.2.1])"},
      {"k\xc3\xb6ln", "from unknown (HELO k??ln [192.0.2.1])"},
      {"host.", "from unknown (HELO host. [192.0.2.1])"},
      {"[198.51.100.7] by x; y=\"1\"", "from unknown (HELO ?198.51.100.7? by x? y??1? [192.0.2.1])"},
  };
  for (const auto& c : cases)
    EXPECT_TRUE(received({"mx", "192.0.2.1", c.helo, "", "ESMTP"}).starts_with("Received: " + c.from))
        << received({"mx", "192.0.2.1", c.helo, "", "ESMTP"});
  EXPECT_EQ(received({}, "a@b\r\nX: y").find("for"), std::string::npos);
  EXPECT_NE(received({}, "j\xc3\xb6rg@b").find("for <j\xc3\xb6rg@b>;"), std::string::npos);
}

TEST(Received, Property) {
  rc::check("whatever a peer says, it is one folded field",
            [](const std::string& helo, const std::string& name, const std::string& user, const std::string& tls,
               const std::string& to) {
              Origin origin{"mx", *rc::gen::element<std::string>("192.0.2.1", "unix"), helo, user, user};
              std::string field = received_field({&origin, name, helo, to, tls, QueueId{1}, kAt});
              RC_ASSERT(field.ends_with(std::string(kDate) + "\r\n"));
              RC_ASSERT(count_field(field, "Received") == 1u);
              int depth = 0;
              for (char c : field.substr(0, field.find(" for <"))) {
                depth += c == '(' ? 1 : c == ')' ? -1 : 0;
                RC_ASSERT(depth == 0 || depth == 1);
              }
              RC_ASSERT(depth == 0);
              auto lines = split(field, '\n');
              for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
                RC_ASSERT(lines[i].ends_with('\r'));
                RC_ASSERT(lines[i].size() < 998u);
                RC_ASSERT(i == 0 || lines[i].starts_with('\t'));
                for (char c : lines[i].substr(0, lines[i].size() - 1)) RC_ASSERT(c == '\t' || !is_control(c));
              }
            });
}

TEST(MessageId, IsUniqueAndOurs) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(message_id(QueueId{33}, "mx.example.org"));
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_TRUE(seen.begin()->starts_with("<0000000000011."));
  EXPECT_TRUE(seen.begin()->ends_with("@mx.example.org>"));
  EXPECT_TRUE(message_id(QueueId{33}, "bad host\r\n").ends_with("@localhost>"));
}

TEST(Received, ProgramsOfThisMachine) {
  Origin origin;
  origin.peer_address = "unix";
  origin.user = "alice";
  Trace trace{};
  trace.origin = &origin;
  trace.by = "gate.example";
  trace.uid = 1000;
  EXPECT_TRUE(received_field(trace).starts_with("Received: by gate.example (from user alice, uid 1000) id "))
      << received_field(trace);
  origin.protocol = "ESMTP";
  trace.uid.reset();
  EXPECT_TRUE(received_field(trace).starts_with("Received: by gate.example (from user alice) with ESMTP id "));
}

}  // namespace
}  // namespace sidegate::mail::trace_test
