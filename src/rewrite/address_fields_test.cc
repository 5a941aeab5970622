#include "rewrite/address_fields.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "mail/header.h"
#include "rewrite/address_list.h"

namespace sidegate::rewrite::address_fields_test {
namespace {

// Everybody at nas.home becomes somebody at home.example.
std::optional<std::string> from_home(std::string_view address, FieldClass) {
  std::string_view domain = domain_part(address);
  if (!domain.empty() && !iequals(domain, "nas.home")) return std::nullopt;
  return std::string(local_part(address)) + "@home.example";
}

std::string replaced(std::string_view header) {
  return replace_addresses(header, from_home).value_or(std::string(header));
}

TEST(AddressFields, OnlyTheAddressChanges) {
  struct {
    const char *why, *header, *expected;
  } cases[] = {
      {"bare", "From: ann@nas.home\r\n", "From: ann@home.example\r\n"},
      {"named", "From: Ann <ann@nas.home>\r\n", "From: Ann <ann@home.example>\r\n"},
      {"cron", "From: root (Cron Daemon)\r\n", "From: root@home.example (Cron Daemon)\r\n"},
      {"several", "To: a@nas.home, B <b@x.example>,\r\n \"C, D\" <c@nas.home> (e)\r\n",
       "To: a@home.example, B <b@x.example>,\r\n \"C, D\" <c@home.example> (e)\r\n"},
      {"a group", "Cc: Team: ann@nas.home, Bob <bob@nas.home>; x@y.example\r\n",
       "Cc: Team: ann@home.example, Bob <bob@home.example>; x@y.example\r\n"},
      {"an empty group", "To: undisclosed-recipients:;\r\n", "To: undisclosed-recipients:;\r\n"},
      {"comments about it", "From: (one) Ann (two) <ann@nas.home> (three)\r\n",
       "From: (one) Ann (two) <ann@home.example> (three)\r\n"},
      {"a comment within it", "From: ann(at home)@nas.home\r\n", "From: ann@home.example (at home)\r\n"},
      {"a source route goes", "From: Ann <@a,@b:ann@nas.home>\r\n", "From: Ann <ann@home.example>\r\n"},
      {"folded", "fRoM :\r\n \"Ann\r\n  Smith\"\r\n\t<ann@nas.home>\r\n",
       "fRoM :\r\n \"Ann\r\n  Smith\"\r\n\t<ann@home.example>\r\n"},
      {"encoded", "From: =?iso-2022-jp?B?GyRCO3NFRBsoQg==?= <y@nas.home>\r\n",
       "From: =?iso-2022-jp?B?GyRCO3NFRBsoQg==?= <y@home.example>\r\n"},
      {"UTF-8", "From: 山田太郎 <y@nas.home>\r\n", "From: 山田太郎 <y@home.example>\r\n"},
      {"raw ISO-2022-JP", "From: \x1b$B;3<(\"\x1b(B <y@nas.home>\r\n", "From: \x1b$B;3<(\"\x1b(B <y@home.example>\r\n"},
      {"raw Shift_JIS", "From: \"\x83\x5c\" <y@nas.home>\r\n", "From: \"\x83\x5c\" <y@home.example>\r\n"},
      {"raw EUC-JP", "From: \xbb\xb3\xc5\xc4 <y@nas.home>\r\n", "From: \xbb\xb3\xc5\xc4 <y@home.example>\r\n"},
      {"all the fields",
       "Sender: a@nas.home\r\nReply-To: b@nas.home\r\nBcc: c@nas.home\r\nResent-From: d@nas.home\r\nResent-To: "
       "e@nas.home\r\nReturn-Receipt-To: f@nas.home\r\nDisposition-Notification-To: g@nas.home\r\nErrors-To: "
       "h@nas.home\r\n",
       "Sender: a@home.example\r\nReply-To: b@home.example\r\nBcc: c@home.example\r\nResent-From: "
       "d@home.example\r\nResent-To: e@home.example\r\nReturn-Receipt-To: "
       "f@home.example\r\nDisposition-Notification-To: g@home.example\r\nErrors-To: h@home.example\r\n"},
      {"and no others", "Message-ID: <1@nas.home>\r\nSubject: ann@nas.home\r\nReturn-Path: <a@nas.home>\r\n",
       "Message-ID: <1@nas.home>\r\nSubject: ann@nas.home\r\nReturn-Path: <a@nas.home>\r\n"},
      {"what was never closed is closed", "From: Ann <ann@nas.home\r\nTo: b@nas.home\r\n",
       "From: Ann <ann@home.example>\r\nTo: b@home.example\r\n"},
      {"a name that is never shifted back", "From: \x1b$B;3ED <y@nas.home>\r\n",
       "From: \x1b$B;3ED <y@home.example>\r\n"},
      {"and one in quotes", "From: \"\x1b$B;3ED\" <y@nas.home>\r\n", "From: \"\x1b$B;3ED\" <y@home.example>\r\n"},
      {"a name behind its address", "From: <ann@nas.home> Ann\r\n", "From: <ann@home.example> Ann\r\n"},
      {"what cannot be read stays", "From: <<ann@nas.home\r\nTo: b@nas.home\r\n",
       "From: <<ann@nas.home\r\nTo: b@home.example\r\n"},
      {"but for what can be", "To: <ann@nas.home>, <>, no address here, b@nas.home (c, d)\r\n",
       "To: <ann@home.example>, <>, no address here, b@home.example (c, d)\r\n"},
      {"and is whole", "To: ann@nas.home, b@nas.home (c\r\n", "To: ann@home.example, b@nas.home (c\r\n"},
      {"a block that ends in no field", "From: a@nas.home\r\nno field\r\n", "From: a@home.example\r\nno field\r\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(replaced(c.header), c.expected) << c.why;
}

// RFC 5322 section 2.1.1: no line grows over 998 octets that was not longer before, and what is folded reads the same.
TEST(AddressFields, LongLines) {
  const auto longest = [](std::string_view text) {
    std::size_t most = 0;
    for (std::string_view line : split(text, '\n')) most = std::max(most, line.size() - line.ends_with('\r'));
    return most;
  };
  const auto list_of = [](const std::string& one, std::size_t octets) {
    std::string text = "To: ";
    while (text.size() + one.size() < octets) text += one;
    return text + "last@nas.home\r\n";
  };
  const auto grown = [](std::string_view address, FieldClass) {
    return std::optional(std::string(local_part(address)) + ".with.a.longer.name@home.example");
  };
  for (std::size_t octets : {500u, 900u, 980u, 2000u}) {
    for (const char* one : {"ann@nas.home, ", "<ann@nas.home>,", "Ann Lee <ann@nas.home>, ", "ann@nas.home (at home), ",
                            "\"A, B\"\t<ann@nas.home> ,\r\n ", "G: a@nas.home,b@nas.home;,"}) {
      const std::string header = list_of(one, octets);
      const auto made = replace_addresses(header, grown);
      ASSERT_TRUE(made);
      EXPECT_LE(longest(*made), longest(header) <= 998 ? 998 : made->size()) << octets << one;
      const auto before = parse_address_list(std::string_view(header).substr(3)),
                 after = parse_address_list(std::string_view(*made).substr(3));
      ASSERT_TRUE(before && after);
      EXPECT_EQ(after->addresses.size(), before->addresses.size());
      for (std::string_view line : split(*made, '\n')) EXPECT_FALSE(!line.empty() && trim(line).empty()) << one;
    }
  }
  const std::string comment = "To: ann@nas.home (" + std::string(970, 'x') + ")\r\n";
  EXPECT_LE(longest(*replace_addresses(comment, grown)), 998u);
}

TEST(AddressFields, NothingToReplaceIsNoCopy) {
  EXPECT_FALSE(replace_addresses("From: a@x.example\r\nTo: b@y.example\r\n", from_home));
  EXPECT_FALSE(replace_addresses("", from_home));
}

TEST(AddressFields, Signatures) {
  const std::string signature = "DKIM-Signature: v=1; a=rsa-sha256; d=x; h=From:To:\r\n Reply-To:Subject; b=xx\r\n";
  const std::string rest = "From: a@x\r\nTo: b@y\r\nSubject: s\r\nCc: c@z\r\n";
  struct {
    const char *why, *after;
    bool breaks;
  } cases[] = {
      {"nothing", "From: a@x\r\nTo: b@y\r\nSubject: s\r\nCc: c@z\r\n", false},
      {"not signed", "From: a@x\r\nTo: b@y\r\nSubject: s\r\nCc: d@z\r\nX-Original-From: a\r\n", false},
      {"To", "From: a@x\r\nTo: b@w\r\nSubject: s\r\nCc: c@z\r\n", true},
      {"another field of that name", "From: a@x\r\nReply-To: q@x\r\nTo: b@y\r\nSubject: s\r\nCc: c@z\r\n", true},
  };
  for (const auto& c : cases) EXPECT_EQ(breaks_signature(signature + rest, signature + c.after), c.breaks) << c.why;
  EXPECT_FALSE(breaks_signature(rest, "From: q@x\r\n"));
  EXPECT_TRUE(breaks_signature("DKIM-Signature: v=1\r\nFrom: a@x\r\n", "DKIM-Signature: v=1\r\nFrom: b@x\r\n"));
}

// What holds for any header: other fields keep their octets, and so does all but the addresses in these.
void holds(const std::string& header) {
  const std::string out = replaced(header);
  std::vector<std::pair<std::string, std::string>> before, after;
  auto fields_of = [](const std::string& block, auto& list) {
    mail::for_each_field(block, [&](const mail::Field& field) {
      list.emplace_back(field.name, field.value);
      return true;
    });
  };
  fields_of(header, before);
  fields_of(out, after);
  ASSERT_EQ(before.size(), after.size()) << header;
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].first, after[i].first);
    if (before[i].second == after[i].second) continue;
    EXPECT_NE(class_of_field(before[i].first), FieldClass::kNone);
    auto was = parse_address_list(before[i].second), is = parse_address_list(after[i].second);
    ASSERT_TRUE(was && is && was->addresses.size() == is->addresses.size()) << before[i].second;
    for (std::size_t n = 0; n < was->addresses.size(); ++n) {
      auto expected = from_home(was->addresses[n].address, FieldClass::kSender);
      EXPECT_EQ(is->addresses[n].address, expected.value_or(was->addresses[n].address));
    }
    // Without the addresses both are the same octets: names, groups, folding.
    auto without = [](const std::string& value, const AddressList& list) {
      std::string rest;
      std::size_t at = 0;
      for (const auto& one : list.addresses) {
        rest += value.substr(at, one.begin - at);
        at = one.end;
      }
      return rest + value.substr(at);
    };
    std::string a = without(before[i].second, *was), b = without(after[i].second, *is);
    if (before[i].second.size() < 900 && !before[i].second.contains('(')) EXPECT_EQ(a, b) << header;
  }
  EXPECT_EQ(replaced(out), out) << "twice";
}

RC_GTEST_PROP(AddressFields, AnyHeader, ()) {
  auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "From:", "To: a@nas.home", "Cc:", "Reply-To:", "X: y", "\r\n", "\r\n ", "Ann", "<a@nas.home>", "b@x.example", "<",
      ">", "\"", "(", ")", ",", ";", "G:", "root", " ", "\x1b$B;3<(", "\x1b(B", "\x83\x5c", "\xbb\xb3", "\\", "@"));
  std::string text;
  for (const auto& piece : pieces) text += piece;
  std::string header;
  mail::for_each_field(text, [&](const mail::Field& field) {
    header += std::string(field.name) + ":" + std::string(field.value) + "\r\n";
    return true;
  });
  holds(header);
}

TEST(AddressFields, RealMessages) {
  const char* cases = std::getenv("SIDEGATE_CASES");
  std::filesystem::path folder = std::string(cases ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases") + "/messages";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no cases";
  auto everybody = [](std::string_view address, FieldClass) -> std::optional<std::string> {
    return "me+" + hex(address.substr(0, 8)) + "@isp.example";
  };
  unsigned count = 0, fields = 0, left = 0;
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
    const std::string out = replace_addresses(header, everybody).value_or(header);
    mail::for_each_field(out, [&](const mail::Field& field) {
      if (class_of_field(field.name) == FieldClass::kNone || trim(field.value).empty()) return true;
      auto list = parse_address_list(field.value);
      if (!list || list->addresses.empty()) return true;
      ++fields;
      for (const auto& one : list->addresses) left += domain_part(one.address) != "isp.example";
      return true;
    });
  }
  EXPECT_GT(count, 100u);
  EXPECT_GT(fields, 2 * count / 3);
  EXPECT_LE(left, fields / 100) << "addresses that were read and not replaced";
}

}  // namespace
}  // namespace sidegate::rewrite::address_fields_test
