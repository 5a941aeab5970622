#include "smtp/command.h"

#include <gtest/gtest.h>

namespace sidegate::smtp::command_test {
namespace {

struct Case {
  std::string_view arguments;
  const char* reply;  // "501 5.5.4"; empty: taken
};

std::string code_of(const mail::Reply& reply) {
  return std::to_string(reply.code) + " " + reply.status->text();
}
template <typename T>
std::string outcome(const Parsed<T>& parsed) {
  return parsed ? "" : code_of(parsed.error());
}

const std::string kLongEnvid(100, 'e');
const std::string kLongOrcpt = "rfc822;" + std::string(493, 'o');

TEST(Command, Split) {
  struct {
    std::string_view line, verb, arguments;
  } cases[] = {
      {"NOOP", "NOOP", ""}, {"NOOP ", "NOOP", ""},     {"HELO  a b ", "HELO", "a b"},
      {"", "", ""},         {" EHLO a", "", "EHLO a"}, {"MAIL FROM:<a@b>\t ", "MAIL", "FROM:<a@b>"},
  };
  for (const auto& c : cases) {
    auto split = split_command(c.line);
    EXPECT_EQ(split.verb, c.verb) << c.line;
    EXPECT_EQ(split.arguments, c.arguments) << c.line;
  }
}

TEST(Command, Mail) {
  const std::string long_envid = "FROM:<a@b.example> ENVID=" + kLongEnvid;
  const std::string longer_envid = long_envid + "e";
  const Case cases[] = {
      {"FROM:<>", ""},
      {"FROM:<a@b.example>", ""},
      {"from:<a@b.example>", ""},
      {"FROM: <a@b.example>", ""},
      {"FROM:<@x.example,@y.example:a@b.example>", ""},
      {"FROM:<\"a b\"@b.example> SIZE=1", ""},
      {"FROM:<a@[192.0.2.1]>", ""},
      {"FROM:<a@b.example> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=x+2By", ""},
      {"FROM:<a@b.example>  size=1  body=7bit", ""},
      {"FROM:<a@b.example> SMTPUTF8", ""},
      {"FROM:<a@b.example> requiretls", ""},
      {"FROM:<\xc3\xa4@b.example> SMTPUTF8", ""},
      {"FROM:<taro..k@b.example>", ""},
      {"FROM:<taro.@b.example>", ""},
      {long_envid, ""},
      {"FROM:<\xc3\xa4@b.example>", "553 5.6.7"},
      {"", "501 5.5.4"},
      {"FROM", "501 5.5.4"},
      {"TO:<a@b.example>", "501 5.5.4"},
      {"FROM<a@b.example>", "501 5.5.4"},
      {"FROM:a@b.example", "501 5.1.7"},
      {"FROM:", "501 5.1.7"},
      {"FROM:<a@b.example", "501 5.1.7"},
      {"FROM:<a b@c.example>", "501 5.1.7"},
      {"FROM:<a@b.example>SIZE=1", "501 5.1.7"},
      {"FROM:<a@b.example>>", "501 5.1.7"},
      {"FROM:<@b.example>", "501 5.1.7"},
      {"FROM:<a@b.example> SIZE=", "501 5.5.4"},
      {"FROM:<a@b.example> SIZE", "501 5.5.4"},
      {"FROM:<a@b.example> SIZE=-1", "501 5.5.4"},
      {"FROM:<a@b.example> SIZE=1k", "501 5.5.4"},
      {"FROM:<a@b.example> SIZE=123456789012345678901", "501 5.5.4"},
      {"FROM:<a@b.example> SIZE=1 SIZE=1", "501 5.5.4"},
      {"FROM:<a@b.example> BODY=8BIT", "501 5.5.4"},
      {"FROM:<a@b.example> BODY=BINARYMIME", "555 5.5.4"},
      {"FROM:<a@b.example> RET=ALL", "501 5.5.4"},
      {"FROM:<a@b.example> RET=FULL RET=FULL", "501 5.5.4"},
      {"FROM:<a@b.example> ENVID", "501 5.5.4"},
      {"FROM:<a@b.example> ENVID=a=b", "501 5.5.4"},
      {"FROM:<a@b.example> ENVID=a+b", "501 5.5.4"},
      {"FROM:<a@b.example> ENVID=a+2b", "501 5.5.4"},
      {"FROM:<a@b.example> ENVID=a+0D+0A", "501 5.5.4"},
      {longer_envid, "501 5.5.4"},
      {"FROM:<a@b.example> SMTPUTF8=1", "501 5.5.4"},
      {"FROM:<a@b.example> REQUIRETLS=1", "501 5.5.4"},
      {"FROM:<a@b.example> REQUIRETLS SIZE=1 REQUIRETLS", "501 5.5.4"},
      {"FROM:<a@b.example> SMTPUTF8 SMTPUTF8", "501 5.5.4"},
      {"FROM:<a@b.example> NOTIFY=NEVER", "555 5.5.4"},
      {"FROM:<a@b.example> X-FOO=1", "555 5.5.4"},
      {"FROM:<a@b.example> junk", "555 5.5.4"},
      {"FROM:<a@b.example> =1", "501 5.5.4"},
      {"FROM:<a@b.example> <c@d.example>", "501 5.5.4"},
  };
  for (const Case& c : cases) EXPECT_EQ(outcome(parse_mail(c.arguments)), c.reply) << c.arguments;
}

TEST(Command, MailValues) {
  auto mail = parse_mail("FROM:<a@b.example> SIZE=42 BODY=8BITMIME RET=FULL ENVID=x SMTPUTF8 REQUIRETLS");
  ASSERT_TRUE(mail);
  EXPECT_EQ(mail->path.mailbox.text(), "a@b.example");
  EXPECT_EQ(mail->size, 42u);
  EXPECT_EQ(mail->body, mail::BodyType::k8bitMime);
  EXPECT_EQ(mail->ret, mail::Ret::kFull);
  EXPECT_EQ(mail->envid, "x");
  EXPECT_TRUE(mail->smtputf8);
  EXPECT_TRUE(mail->requiretls);
  EXPECT_FALSE(parse_mail("FROM:<a@b.example>")->requiretls);
  EXPECT_TRUE(parse_mail("FROM:<>")->path.is_null);
  // More than any number holds: too large, as its sender says.
  EXPECT_EQ(parse_mail("FROM:<> SIZE=99999999999999999999")->size, ~0ull);
}

TEST(Command, Rcpt) {
  const std::string long_orcpt = "TO:<a@b.example> ORCPT=" + kLongOrcpt;
  const std::string longer_orcpt = long_orcpt + "o";
  const Case cases[] = {
      {"TO:<a@b.example>", ""},
      {"to: <a@b.example>", ""},
      {"TO:<Postmaster>", ""},
      {"TO:<root>", ""},
      {"TO:<@x.example:a@b.example>", ""},
      {"TO:<a%b@c.example>", ""},
      {"TO:<\"a@b\"@c.example>", ""},
      {"TO:<a@b.example> NOTIFY=SUCCESS,failure,DELAY ORCPT=rfc822;a+2Bb@c.example", ""},
      {"TO:<a@b.example> NOTIFY=NEVER", ""},
      {long_orcpt, ""},
      {"TO:<>", "501 5.1.3"},
      {"TO:a@b.example", "501 5.1.3"},
      {"TO:<a@b.example> NOTIFY=NEVER,DELAY", "501 5.5.4"},
      {"TO:<a@b.example> NOTIFY=DELAY,DELAY", "501 5.5.4"},
      {"TO:<a@b.example> NOTIFY=", "501 5.5.4"},
      {"TO:<a@b.example> NOTIFY", "501 5.5.4"},
      {"TO:<a@b.example> NOTIFY=DELAY,", "501 5.5.4"},
      {"TO:<a@b.example> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4"},
      {"TO:<a@b.example> ORCPT=a@b.example", "501 5.5.4"},
      {"TO:<a@b.example> ORCPT=rfc822;", "501 5.5.4"},
      {"TO:<a@b.example> ORCPT=;a", "501 5.5.4"},
      {"TO:<a@b.example> ORCPT=rfc822;a+0Ab", "501 5.5.4"},
      {"TO:<a@b.example> ORCPT=utf-8;\xc3\xa4@b.example", "501 5.5.4"},
      {longer_orcpt, "501 5.5.4"},
      {"TO:<a@b.example> SIZE=1", "555 5.5.4"},
      {"TO:<\xc3\xa4@b.example>", "553 5.6.7"},
      {"FROM:<a@b.example>", "501 5.5.4"},
  };
  for (const Case& c : cases) EXPECT_EQ(outcome(parse_rcpt(c.arguments, false)), c.reply) << c.arguments;
  EXPECT_TRUE(parse_rcpt("TO:<\xc3\xa4@b.example> ORCPT=utf-8;\xc3\xa4@b.example", true));
  EXPECT_FALSE(parse_rcpt("TO:<\xc3\xa4@b.example> ORCPT=rfc822;\xc3\xa4@b.example", true));
  // RFC 5321 section 3.6.1: a source route is dropped, the address stays as it was written.
  EXPECT_EQ(parse_rcpt("TO:<@x.example:A%b@C.example>", false)->path.mailbox.text(), "A%b@C.example");
}

TEST(Command, AttemptedPath) {
  EXPECT_EQ(attempted_path("TO:<x@>"), "x@");
  EXPECT_EQ(attempted_path("FROM: <a b@c> SIZE=1"), "a b@c");
  EXPECT_EQ(attempted_path("TO:x@y"), "x@y");
  EXPECT_EQ(attempted_path("TO:<x@y"), "x@y");
  EXPECT_EQ(attempted_path("TO:<\"a>b\"@>"), "\"a>b\"@");
  EXPECT_EQ(attempted_path("x@y"), "x@y");
  EXPECT_EQ(attempted_path("TO:"), "");
}

TEST(Command, Bdat) {
  struct {
    std::string_view arguments;
    bool good;
    std::uint64_t size;
    bool last;
  } cases[] = {
      {"0", true, 0, false},
      {"10", true, 10, false},
      {"10 LAST", true, 10, true},
      {"10  last", true, 10, true},
      {"0 LAST", true, 0, true},
      {"", false, 0, false},
      {"LAST", false, 0, false},
      {"-1", false, 0, false},
      {"10 LAST x", false, 0, false},
      {"10 FIRST", false, 0, false},
      {"+1", false, 0, false},
      {"0x10", false, 0, false},
      {"99999999999999999999999", false, 0, false},
      {"18446744073709551615", true, ~0ull, false},
  };
  for (const auto& c : cases) {
    auto bdat = parse_bdat(c.arguments);
    ASSERT_EQ(bdat.has_value(), c.good) << c.arguments;
    if (!bdat) continue;
    EXPECT_EQ(bdat->size, c.size);
    EXPECT_EQ(bdat->last, c.last);
  }
}

TEST(Command, Helo) {
  for (std::string_view name : {"a", "host.example", "my_pc", "[192.0.2.1]", "[IPv6:2001:db8::1]", "192.0.2.1", "a b",
                                "host.", "a(b)", "<a>", "a;b", "[192.0.2]", "k\xc3\xb6ln", "::1", "-"}) {
    EXPECT_TRUE(parse_helo(name)) << name;
  }
  EXPECT_EQ(outcome(parse_helo("")), "501 5.5.4");
}

}  // namespace
}  // namespace sidegate::smtp::command_test
