#include "screen/helo.h"

#include <gtest/gtest.h>

#include "screen/host_known.h"
#include "screen/sender_domain.h"
#include "screen/table_asker.h"

namespace sidegate::screen::helo_test {
namespace {

TEST(Helo, Judged) {
  const std::vector<HeloCheck> all = {HeloCheck::kSyntax, HeloCheck::kOwnName, HeloCheck::kNotQualified,
                                      HeloCheck::kUnresolvable};
  struct {
    const char *helo, *wrong;  // "": nothing
  } cases[] = {
      {"mx.example.org", ""},
      {"mx.example.org.", ""},
      {"my_host.example", ""},
      {"[192.0.2.1]", ""},
      {"[IPv6:2001:db8::1]", "own_name"},
      {"[198.51.100.1]", "own_name"},
      {"198.51.100.1", "own_name"},
      {"192.0.2.1", "not_qualified"},
      {"GATE.example", "own_name"},
      {"gate.example.", "own_name"},
      {"localhost", "own_name"},
      {"My PC", "syntax"},
      {"[192.0.2]", "syntax"},
      {"", "syntax"},
      {"-x.example", "syntax"},
      {"friend", "not_qualified"},
  };
  for (const auto& c : cases) {
    auto wrong = judge_helo(c.helo, "192.0.2.1", "gate.example", all);
    EXPECT_EQ(wrong ? word_of(*wrong) : "", c.wrong) << c.helo;
  }
  EXPECT_FALSE(judge_helo("My PC", "192.0.2.1", "gate.example", {}));
  EXPECT_FALSE(judge_helo("friend", "192.0.2.1", "gate.example", {HeloCheck::kSyntax}));
  for (HeloCheck check : all) EXPECT_EQ(helo_check(word_of(check)), check);
  EXPECT_FALSE(helo_check("colour"));
}

net::Awaitable<void> ask_host(Asker* asker, net::Loop* loop, std::string name, Known* out) {
  *out = co_await host_known(*asker, *loop, std::move(name), Duration(1000));
}
net::Awaitable<void> ask_sender(Asker* asker, net::Loop* loop, std::string domain, SenderDomain* out) {
  *out = co_await sender_domain(*asker, *loop, std::move(domain), Duration(1000));
}

struct Dns : testing::Test {
  ManualClock clock;
  net::Loop loop{0, clock, null_log()};
  TableAsker asker;
  Known host(std::string name) {
    Known out{};
    loop.context().restart();
    run_on(loop, ask_host(&asker, &loop, std::move(name), &out));
    return out;
  }
  SenderDomain sender(std::string domain) {
    SenderDomain out{};
    loop.context().restart();
    run_on(loop, ask_sender(&asker, &loop, std::move(domain), &out));
    return out;
  }
};

TEST_F(Dns, Hosts) {
  asker.table = {
      {"a.example A", {"192.0.2.1"}}, {"six.example AAAA", {"2001:db8::1"}}, {"mx.example MX", {"10 a.example"}}};
  asker.trouble = {{"slow.example A", ErrorKind::kTimeout}, {"mx.example A", ErrorKind::kTimeout}};
  for (const char* known : {"a.example", "a.example.", "six.example", "mx.example", "[192.0.2.1]"})
    EXPECT_EQ(host(known), Known::kYes) << known;
  for (const char* unknown : {"none.example", "My PC", ""}) EXPECT_EQ(host(unknown), Known::kNo) << unknown;
  EXPECT_EQ(host("slow.example"), Known::kCannotTell);
}

TEST_F(Dns, Senders) {
  asker.table = {{"mx.example MX", {"10 a.example"}},   {"a.example A", {"192.0.2.1"}},
                 {"six.example AAAA", {"2001:db8::1"}}, {"null.example MX", {"0 ."}},
                 {"null.example A", {"192.0.2.1"}},     {"odd.example MX", {"0 .", "10 a.example"}}};
  asker.trouble = {{"slow.example MX", ErrorKind::kUnreachable}, {"slow.example AAAA", ErrorKind::kTimeout}};
  for (const char* good :
       {"mx.example", "a.example", "six.example", "odd.example", "[192.0.2.1]", "\xe4\xbe\x8b.example"})
    EXPECT_EQ(sender(good), SenderDomain::kTakesMail) << good;
  EXPECT_EQ(sender("none.example"), SenderDomain::kUnknown);
  EXPECT_EQ(sender("a..b"), SenderDomain::kUnknown);
  EXPECT_EQ(sender("null.example"), SenderDomain::kTakesNoMail);
  EXPECT_EQ(sender("slow.example"), SenderDomain::kCannotTell);
}

}  // namespace
}  // namespace sidegate::screen::helo_test
