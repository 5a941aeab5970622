#include "rewrite/identity.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "mail/header.h"
#include "rewrite/address_list.h"

namespace sidegate::rewrite::identity_test {
namespace {

const Account kAccount{"me@isp.example", "nas.home"};

std::string rewritten(std::string_view header, std::string_view sender = "root@nas.home") {
  RewrittenHeader made = as_account(header, sender, kAccount);
  return made.changed ? made.header : std::string(header);
}

TEST(AsAccount, Headers) {
  struct {
    const char *why, *header, *expected;
  } cases[] = {
      {"the account's own stays", "From: Me <me@isp.example>\r\nTo: b@c\r\n",
       "From: Me <me@isp.example>\r\nTo: b@c\r\n"},
      {"in another case", "From: ME@ISP.example\r\n", "From: ME@ISP.example\r\n"},
      {"a name is kept", "From: Ann <ann@nas.home>\r\nTo: b@c\r\n",
       "From: Ann <me@isp.example>\r\nX-Original-From: Ann <ann@nas.home>\r\nReply-To: Ann <ann@nas.home>\r\nTo: "
       "b@c\r\n"},
      {"without a name the local part serves", "From: ann@nas.home\r\n",
       "From: ann <me@isp.example>\r\nX-Original-From: ann@nas.home\r\nReply-To: ann@nas.home\r\n"},
      {"the same in brackets", "From:<a.b@nas.home>\r\n",
       "From: \"a.b\" <me@isp.example>\r\nX-Original-From: <a.b@nas.home>\r\nReply-To: <a.b@nas.home>\r\n"},
      {"its name behind it", "From: <ann@nas.home> Ann\r\n",
       "From: <me@isp.example> Ann\r\nX-Original-From: <ann@nas.home> Ann\r\nReply-To: <ann@nas.home> Ann\r\n"},
      {"cron", "From: root (Cron Daemon)\r\n",
       "From: me@isp.example (Cron Daemon)\r\nX-Original-From: root (Cron Daemon)\r\nReply-To: root@nas.home (Cron "
       "Daemon)\r\n"},
      {"cron since", "From: \"(Cron Daemon)\" <root>\r\n",
       "From: \"(Cron Daemon)\" <me@isp.example>\r\nX-Original-From: \"(Cron Daemon)\" <root>\r\nReply-To: \"(Cron "
       "Daemon)\" <root@nas.home>\r\n"},
      {"Reply-To is kept", "Reply-To: x@y.example\r\nFrom: Ann <ann@nas.home>\r\n",
       "Reply-To: x@y.example\r\nFrom: Ann <me@isp.example>\r\nX-Original-From: Ann <ann@nas.home>\r\n"},
      {"an empty one is none", "Reply-To: \r\nFrom: Ann <ann@nas.home>\r\n",
       "From: Ann <me@isp.example>\r\nX-Original-From: Ann <ann@nas.home>\r\nReply-To: Ann <ann@nas.home>\r\n"},
      {"folded", "fRoM :\r\n \"Ann\r\n  Smith\"\r\n\t<ann@nas.home>\r\n",
       "fRoM :\r\n \"Ann\r\n  Smith\"\r\n\t<me@isp.example>\r\nX-Original-From:\r\n \"Ann\r\n  "
       "Smith\"\r\n\t<ann@nas.home>\r\nReply-To:\r\n \"Ann\r\n  Smith\"\r\n\t<ann@nas.home>\r\n"},
      {"several authors", "From: Ann <ann@nas.home>, bob@nas.home\r\nSender: bob@nas.home\r\n",
       "From: Ann <me@isp.example>\r\nX-Original-From: Ann <ann@nas.home>, bob@nas.home\r\nReply-To: Ann "
       "<ann@nas.home>, bob@nas.home\r\nX-Original-Sender: bob@nas.home\r\n"},
      {"a group (RFC 6854)", "From: Team: ann@nas.home, Bob <bob@nas.home>;\r\n",
       "From: ann <me@isp.example>\r\nX-Original-From: Team: ann@nas.home, Bob <bob@nas.home>;\r\nReply-To: Team: "
       "ann@nas.home, Bob <bob@nas.home>;\r\n"},
      {"an empty group", "From: Nobody:;\r\n",
       "From: me@isp.example\r\nX-Original-From: Nobody:;\r\nReply-To: root@nas.home\r\n"},
      {"what cannot be read is replaced", "From: <>\r\nTo: b@c\r\n",
       "From: me@isp.example\r\nX-Original-From: <>\r\nReply-To: root@nas.home\r\nTo: b@c\r\n"},
      {"and a Reply-To of its own is kept", "From: <<a@b>>\r\nReply-To: x@y\r\n",
       "From: me@isp.example\r\nX-Original-From: <<a@b>>\r\nReply-To: x@y\r\n"},
      {"an address behind the address", "From: <a@b> c@d\r\n",
       "From: me@isp.example\r\nX-Original-From: <a@b> c@d\r\nReply-To: root@nas.home\r\n"},
      {"never closed", "From: Ann <ann@nas.home\r\n",
       "From: Ann <me@isp.example>\r\nX-Original-From: Ann <ann@nas.home\r\nReply-To: Ann <ann@nas.home>\r\n"},
      {"a user, never closed", "From: Ann <ann \r\n",
       "From: Ann <me@isp.example> \r\nX-Original-From: Ann <ann \r\nReply-To: Ann <ann@nas.home> \r\n"},
      {"a name that is never shifted back", "From: \x1b$B;3ED <y@nas.home>\r\nReply-To: x\r\n",
       "From: \x1b$B;3ED <me@isp.example>\r\nX-Original-From: \x1b$B;3ED <y@nas.home>\r\nReply-To: x\r\n"},
      {"a comment with a comma", "From: ann@nas.home (a, b)\r\nReply-To: x\r\n",
       "From: me@isp.example (a, b)\r\nX-Original-From: ann@nas.home (a, b)\r\nReply-To: x\r\n"},
      {"beside a name", "From: Ann <ann@nas.home> (p; q)\r\nReply-To: x\r\n",
       "From: Ann <me@isp.example> (p; q)\r\nX-Original-From: Ann <ann@nas.home> (p; q)\r\nReply-To: x\r\n"},
      {"a comment with a colon before it", "From: (x: y) ann@nas.home\r\nReply-To: x\r\n",
       "From: (x: y) me@isp.example\r\nX-Original-From: (x: y) ann@nas.home\r\nReply-To: x\r\n"},
      {"a raw comment whose octets look like commas", "From: ann@nas.home (\x1b$B;,:<\x1b(B)\r\nReply-To: x\r\n",
       "From: me@isp.example (\x1b$B;,:<\x1b(B)\r\nX-Original-From: ann@nas.home (\x1b$B;,:<\x1b(B)\r\nReply-To: "
       "x\r\n"},
      {"a comma behind it", "From: ann@nas.home (a),\r\nReply-To: x\r\n",
       "From: ann <me@isp.example>\r\nX-Original-From: ann@nas.home (a),\r\nReply-To: x\r\n"},
      {"empty", "From:\r\n", "From: me@isp.example\r\nX-Original-From: \r\nReply-To: root@nas.home\r\n"},
      {"twice", "From: me@isp.example\r\nTo: b@c\r\nFrom: eve@nas.home\r\n",
       "From: me@isp.example\r\nTo: b@c\r\nX-Original-From: eve@nas.home\r\n"},
      {"missing", "To: b@c\r\n", "To: b@c\r\nFrom: root <me@isp.example>\r\nReply-To: root@nas.home\r\n"},
      {"no header at all", "", "From: root <me@isp.example>\r\nReply-To: root@nas.home\r\n"},
      {"another Sender", "From: me@isp.example\r\nSender: Bob <bob@nas.home>\r\n",
       "From: me@isp.example\r\nX-Original-Sender: Bob <bob@nas.home>\r\n"},
      {"the account as Sender", "Sender: me@isp.example\r\nFrom: me@isp.example\r\n",
       "Sender: me@isp.example\r\nFrom: me@isp.example\r\n"},
      {"sent again", "Resent-From: Bob <bob@nas.home>\r\nResent-Sender: c@nas.home\r\nFrom: me@isp.example\r\n",
       "Resent-From: Bob <me@isp.example>\r\nX-Original-Resent-From: Bob <bob@nas.home>\r\nX-Original-Resent-Sender: "
       "c@nas.home\r\nFrom: me@isp.example\r\n"},
      {"an encoded name", "From: =?iso-2022-jp?B?GyRCO3NFRBsoQg==?= <y@nas.home>\r\nReply-To: y@nas.home\r\n",
       "From: =?iso-2022-jp?B?GyRCO3NFRBsoQg==?= <me@isp.example>\r\nX-Original-From: "
       "=?iso-2022-jp?B?GyRCO3NFRBsoQg==?= <y@nas.home>\r\nReply-To: y@nas.home\r\n"},
      {"raw ISO-2022-JP", "From: \x1b$B;3<(\"\x1b(B <y@nas.home>\r\nReply-To: x\r\n",
       "From: \x1b$B;3<(\"\x1b(B <me@isp.example>\r\nX-Original-From: \x1b$B;3<(\"\x1b(B <y@nas.home>\r\nReply-To: "
       "x\r\n"},
      {"raw Shift_JIS", "From: \"\x83\x5c\" <y@nas.home>\r\nReply-To: x\r\n",
       "From: \"\x83\x5c\" <me@isp.example>\r\nX-Original-From: \"\x83\x5c\" <y@nas.home>\r\nReply-To: x\r\n"},
      {"SMTPUTF8", "From: 太郎@例え.example\r\n",
       "From: me@isp.example\r\nX-Original-From: 太郎@例え.example\r\nReply-To: 太郎@例え.example\r\n"},
      {"a comma in the name: a strict reader saw two", "From: Smith, Ann <ann@nas.home>\r\nReply-To: x\r\n",
       "From: \"Smith, Ann\" <me@isp.example>\r\nX-Original-From: Smith, Ann <ann@nas.home>\r\nReply-To: x\r\n"},
      {"the same, of several", "From: Smith, Ann <ann@nas.home>, b@c.example\r\nReply-To: x\r\n",
       "From: \"Smith, Ann\" <me@isp.example>\r\nX-Original-From: Smith, Ann <ann@nas.home>, b@c.example\r\nReply-To: "
       "x\r\n"},
      {"quotes that would mean something else", "From: Smith, \"Ann\" <ann@nas.home>\r\nReply-To: x\r\n",
       "From: Smith, \"Ann\" <me@isp.example>\r\nX-Original-From: Smith, \"Ann\" <ann@nas.home>\r\nReply-To: x\r\n"},
      {"a group that never was closed", "From: root; G: Ann <a@x.example>;\r\nReply-To: x\r\n",
       "From: root <me@isp.example>\r\nX-Original-From: root; G: Ann <a@x.example>;\r\nReply-To: x\r\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(rewritten(c.header), c.expected) << c.why;
}

TEST(AsAccount, WhatItSays) {
  EXPECT_FALSE(as_account("From: me@isp.example\r\n", "x@y", kAccount).changed);
  EXPECT_TRUE(as_account("From: a b c\r\n", "x@y", kAccount).unread);
  EXPECT_FALSE(as_account("From: a@b\r\n", "x@y", kAccount).unread);
  EXPECT_TRUE(as_account("DKIM-Signature: v=1\r\nFrom: a@b\r\n", "x@y", kAccount).breaks_signature);
  EXPECT_FALSE(
      as_account("DKIM-Signature: v=1\r\nFrom: me@isp.example\r\nSender: a@b\r\n", "", kAccount).breaks_signature);
  EXPECT_EQ(rewritten("To: b@c\r\n", ""), "To: b@c\r\nFrom: me@isp.example\r\n");
}

// RFC 5322 section 2.1.1: no line grows over 998 octets that was not longer before.
TEST(AsAccount, LongLines) {
  auto longest = [](std::string_view text) {
    std::size_t most = 0;
    for (std::size_t at = 0; at < text.size();) {
      auto end = text.find("\r\n", at);
      most = std::max(most, end - at);
      at = end + 2;
    }
    return most;
  };
  Account account{std::string(60, 'a') + "@" + std::string(60, 'b') + ".example", "nas.home"};
  for (std::size_t n : {800u, 900u, 970u, 980u, 985u}) {
    std::string name(n, 'x');
    for (const std::string& header : {"From: " + name + " <a@b>\r\n", "From: \"" + name + "\" <a@b>\r\n"}) {
      RewrittenHeader made = as_account(header, "", account);
      EXPECT_LE(longest(made.header), std::max<std::size_t>(998, longest(header))) << n;
      EXPECT_NE(made.header.find(name), std::string::npos);
      EXPECT_FALSE(as_account(made.header, "", account).changed);
    }
    const std::string header = "From: a@b (" + name + ")\r\n";
    EXPECT_LE(longest(as_account(header, "", account).header), std::max<std::size_t>(998, longest(header))) << n;
  }
}

TEST(WrappedReport, MarkedOnce) {
  const char* header = "From: Mail Delivery System <MAILER-DAEMON@nas.home>\r\nAuto-Submitted: auto-replied\r\n";
  EXPECT_FALSE(is_wrapped_report(header, "", kAccount));
  RewrittenHeader made = as_wrapped_report(header, kAccount);
  EXPECT_EQ(made.header,
            "From: Mail Delivery System <me@isp.example>\r\nX-Original-From: Mail Delivery System "
            "<MAILER-DAEMON@nas.home>\r\nReply-To: Mail Delivery System <MAILER-DAEMON@nas.home>\r\nAuto-Submitted: "
            "auto-replied\r\nX-Loop: wrapped-report@nas.home\r\n");
  EXPECT_TRUE(is_wrapped_report(made.header, "", kAccount));
  EXPECT_TRUE(is_wrapped_report(header, "--b\r\n\r\n" + made.header, kAccount));  // a report that returns one
  made = as_wrapped_report("From: me@isp.example\r\n", kAccount);
  EXPECT_EQ(made.header, "From: me@isp.example\r\nAuto-Submitted: auto-replied\r\nX-Loop: wrapped-report@nas.home\r\n");
}

bool is_ours(std::string_view name) {
  for (std::string_view ours : {"From", "Sender", "Reply-To", "Resent-From", "Resent-Sender", "X-Original-From",
                                "X-Original-Sender", "X-Original-Resent-From", "X-Original-Resent-Sender"}) {
    if (iequals(name, ours)) return true;
  }
  return false;
}

std::vector<std::string> others(std::string_view header) {
  std::vector<std::string> out;
  mail::for_each_field(header, [&](const mail::Field& field) {
    if (!is_ours(field.name)) out.push_back(std::string(field.name) + ":" + std::string(field.value));
    return true;
  });
  return out;
}

// What holds for every header: idempotent, one From that is the account's, all other fields as they were.
void holds(std::string_view header) {
  RewrittenHeader once = as_account(header, "root@nas.home", kAccount);
  std::string out = once.changed ? once.header : std::string(header);
  EXPECT_FALSE(as_account(out, "root@nas.home", kAccount).changed) << header << "\n->\n" << out;
  EXPECT_EQ(mail::count_field(out, "From"), 1u) << header;
  auto from = parse_address_list(mail::field_value(out, "From"));
  ASSERT_TRUE(from && from->addresses.size() == 1) << out;
  EXPECT_TRUE(same_address(from->addresses[0].address, kAccount.address));
  EXPECT_EQ(others(out), others(header));
  mail::for_each_field(header, [&](const mail::Field& field) {  // nothing that was said is lost
    EXPECT_NE(out.find(trim(field.value)), std::string::npos) << field.name;
    return true;
  });
}

RC_GTEST_PROP(AsAccount, AnyHeader, ()) {
  auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "From:", "Sender: a@b", "Resent-From: c@d", "Reply-To:", "X: y", "\r\n", "\r\n ", "Ann", "<a@b>", "<", ">", "\"",
      "(", ")", ",", ";", "G:", "root", " ", "\x1b$B", "\x83\x5c", "me@isp.example", "<me@isp.example>"));
  std::string text;
  for (const auto& piece : pieces) text += piece;
  std::string header;  // what a splitter would call the header block
  mail::for_each_field(text, [&](const mail::Field& field) {
    header += std::string(field.name) + ":" + std::string(field.value) + "\r\n";
    return true;
  });
  holds(header);
}

TEST(AsAccount, RealMessages) {
  const char* cases = std::getenv("SIDEGATE_CASES");
  std::filesystem::path folder = std::string(cases ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases") + "/messages";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no cases";
  unsigned count = 0, unread = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    std::string message;
    for (char c : text.str()) {
      if (c == '\r') continue;
      if (c == '\n') message += '\r';
      message += c;
    }
    std::string header;
    mail::for_each_field(message, [&](const mail::Field& field) {
      header += std::string(field.name) + ":" + std::string(field.value) + "\r\n";
      return true;
    });
    if (header.empty()) continue;
    SCOPED_TRACE(entry.path().string());
    holds(header);
    ++count;
    if (as_account(header, "", kAccount).unread) {
      ++unread;
      std::printf("unread: %s: %s\n", entry.path().filename().c_str(), mail::field_value(header, "From").c_str());
    }
  }
  EXPECT_GT(count, 100u);
  EXPECT_LT(unread, count / 20);
}

}  // namespace
}  // namespace sidegate::rewrite::identity_test
