#include "doctor/judge_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sidegate::doctor::judge_port_test {
namespace {

using ::testing::HasSubstr;

tls::Verdict good_certificate() {
  tls::Verdict v;
  v.verified = true;
  v.version = "TLSv1.3";
  v.names = {"mx.example"};
  v.issuer = "CN=CA";
  v.days_left = 60;
  return v;
}

Trick trick(const char* name, bool may_end_here = false) {
  return {name, "<a@b.example>", "<c@d.example>", may_end_here};
}

// A port with which nothing is wrong.
PortSeen good(Role role) {
  PortSeen s;
  s.place = {"in", "mx.example", "192.0.2.1",
             static_cast<std::uint16_t>(role == Role::kServers      ? 25
                                        : role == Role::kSubmission ? 587
                                                                    : 465)};
  s.place.role = role;
  s.place.implicit_tls = role == Role::kSubmissions;
  s.greeting = {220, "220 mx.example ESMTP"};
  s.vrfy_known = s.vrfy_unknown = {252, "252 2.5.0 Cannot verify"};
  s.expn = s.etrn = {502, "502 5.5.1 no"};
  Stranger stranger;
  stranger.tried = true;
  if (role == Role::kServers) {
    stranger.mail = {250, "250 ok"};
    stranger.away = {554, "554 5.7.1 Relay access denied"};
    stranger.local = {250, "250 ok"};
    stranger.unknown = {550, "550 5.1.1 unknown"};
  } else {
    stranger.mail = {530, "530 5.7.0 Authentication required"};
  }
  if (!s.place.implicit_tls) {
    s.in_clear = stranger;
    s.in_clear.auth = {538, "538 5.7.11 Encryption required"};
    s.in_clear.capabilities.starttls = true;
    s.injected = Injected::kRefused;
  }
  s.in_tls = stranger;
  if (role != Role::kServers) s.in_tls.capabilities.auth = {"PLAIN", "LOGIN"};
  s.verdict = good_certificate();
  s.versions = {{"TLSv1", false}, {"TLSv1.1", false}, {"TLSv1.2", true}, {"TLSv1.3", true}};
  for (const char* name : {"plain", "percent"}) {
    TrickTried tried{trick(name, name[1] == 'e'), stranger.mail, {}};
    if (tried.mail.good()) tried.recipient = {554, "554 5.7.1 Relay access denied"};
    s.tricks.push_back(tried);
  }
  return s;
}

std::string marks(const PortSeen& seen) {
  std::string out;
  for (const Finding& f : judge(seen)) {
    out += (out.empty() ? "" : " ") + f.check + (f.mark == Mark::kGood ? "" : f.mark == Mark::kNote ? "?" : "!");
    EXPECT_FALSE(f.text.empty()) << f.check;
    EXPECT_FALSE(f.mark == Mark::kWrong && f.next.empty()) << f.check << ": what is wrong has a next step";
    EXPECT_THAT(f.place, HasSubstr("192.0.2.1")) << f.check;
  }
  return out;
}

TEST(JudgePort, NothingIsWrong) {
  EXPECT_EQ(marks(good(Role::kServers)),
            "greeting vrfy expn etrn starttls tls_versions certificate starttls_injection plaintext_auth "
            "local_recipient open_relay");
  EXPECT_EQ(marks(good(Role::kSubmission)),
            "greeting vrfy expn etrn starttls tls_versions certificate starttls_injection plaintext_auth auth "
            "auth_required auth_required open_relay");
  EXPECT_EQ(marks(good(Role::kSubmissions)),
            "greeting vrfy expn etrn tls_versions certificate auth auth_required open_relay");
}

struct Case {
  const char* name;
  Role role;
  void (*change)(PortSeen&);
  const char* check;
  Mark mark;
};

TEST(JudgePort, EachFault) {
  const std::vector<Case> cases = {
      {"refused", Role::kServers,
       [](PortSeen& s) {
         s.unreachable = ErrorKind::kRefused;
         s.greeting = {};
       },
       "connect", Mark::kWrong},
      {"silent", Role::kServers,
       [](PortSeen& s) {
         s.unreachable = ErrorKind::kTimeout;
         s.greeting = {};
         s.place.listener.clear();
       },
       "connect", Mark::kWrong},
      {"no greeting", Role::kServers, [](PortSeen& s) { s.greeting = {554, "554 go away"}; }, "greeting", Mark::kWrong},
      {"vrfy", Role::kServers, [](PortSeen& s) { s.vrfy_known = {250, "250 <root@mx.example>"}; }, "vrfy",
       Mark::kWrong},
      {"vrfy differs", Role::kServers, [](PortSeen& s) { s.vrfy_unknown = {550, "550 unknown"}; }, "vrfy",
       Mark::kWrong},
      {"vrfy, and it hangs up", Role::kServers, [](PortSeen& s) { s.vrfy_unknown = {0, "connection closed"}; }, "vrfy",
       Mark::kGood},
      {"vrfy, and it has enough", Role::kServers, [](PortSeen& s) { s.vrfy_unknown = {421, "421 4.7.0 too many"}; },
       "vrfy", Mark::kGood},
      {"vrfy off", Role::kServers, [](PortSeen& s) { s.vrfy_known = s.vrfy_unknown = {502, "502 off"}; }, "vrfy",
       Mark::kGood},
      {"expn", Role::kServers, [](PortSeen& s) { s.expn = {250, "250 all"}; }, "expn", Mark::kWrong},
      {"etrn", Role::kServers, [](PortSeen& s) { s.etrn = {250, "250 queuing started"}; }, "etrn", Mark::kWrong},
      {"plaintext offered", Role::kSubmission, [](PortSeen& s) { s.in_clear.capabilities.auth = {"PLAIN"}; },
       "plaintext_auth", Mark::kWrong},
      {"plaintext taken", Role::kSubmission, [](PortSeen& s) { s.in_clear.auth = {334, "334"}; }, "plaintext_auth",
       Mark::kWrong},
      {"no auth", Role::kSubmissions, [](PortSeen& s) { s.in_tls.capabilities.auth.clear(); }, "auth", Mark::kWrong},
      {"auth on 25", Role::kServers, [](PortSeen& s) { s.in_tls.capabilities.auth = {"PLAIN"}; }, "auth", Mark::kNote},
      {"587 relays", Role::kSubmission, [](PortSeen& s) { s.in_clear.mail = s.in_clear.away = {250, "250 ok"}; },
       "auth_required", Mark::kWrong},
      {"587 takes local", Role::kSubmission,
       [](PortSeen& s) {
         s.in_tls.mail = s.in_tls.local = {250, "250 ok"};
         s.in_tls.away = {554, "554"};
       },
       "auth_required", Mark::kWrong},
      {"587 refuses late", Role::kSubmission,
       [](PortSeen& s) {
         s.in_tls.mail = {250, "250"};
         s.in_tls.away = s.in_tls.local = {554, "554 no"};
       },
       "auth_required", Mark::kNote},
      {"25 wants a login", Role::kServers, [](PortSeen& s) { s.in_tls.mail = s.in_clear.mail = {530, "530 login"}; },
       "local_recipient", Mark::kWrong},
      {"25 refuses local", Role::kServers, [](PortSeen& s) { s.in_tls.local = {550, "550 unknown"}; },
       "local_recipient", Mark::kWrong},
      {"greylisting", Role::kServers, [](PortSeen& s) { s.in_tls.local = {450, "450 later"}; }, "local_recipient",
       Mark::kNote},
      {"catch-all", Role::kServers, [](PortSeen& s) { s.in_tls.unknown = {250, "250 ok"}; }, "unknown_recipient",
       Mark::kNote},
      {"no STARTTLS on 587", Role::kSubmission,
       [](PortSeen& s) {
         s.in_clear.capabilities.starttls = false;
         s.verdict.reset();
       },
       "starttls", Mark::kWrong},
      {"no STARTTLS on 25", Role::kServers,
       [](PortSeen& s) {
         s.in_clear.capabilities.starttls = false;
         s.verdict.reset();
       },
       "starttls", Mark::kNote},
      {"STARTTLS fails", Role::kServers,
       [](PortSeen& s) {
         s.verdict.reset();
         s.tls = {0, "no certificate"};
       },
       "starttls", Mark::kWrong},
      {"no TLS on 465", Role::kSubmissions,
       [](PortSeen& s) {
         s.verdict.reset();
         s.greeting = {};
         s.broken = {0, "does not answer with TLS"};
       },
       "tls", Mark::kWrong},
      {"TLS 1.0 for users", Role::kSubmissions, [](PortSeen& s) { s.versions[0].taken = true; }, "tls_versions",
       Mark::kWrong},
      {"TLS 1.1 for servers", Role::kServers, [](PortSeen& s) { s.versions[1].taken = true; }, "tls_versions",
       Mark::kNote},
      {"no TLS 1.3", Role::kServers, [](PortSeen& s) { s.versions[3].taken = false; }, "tls_versions", Mark::kNote},
      {"self-signed for users", Role::kSubmission,
       [](PortSeen& s) {
         s.verdict->verified = false;
         s.verdict->why = "certificate is self-signed";
       },
       "certificate", Mark::kWrong},
      {"self-signed for servers", Role::kServers,
       [](PortSeen& s) {
         s.verdict->verified = false;
         s.verdict->why = "certificate is self-signed";
       },
       "certificate", Mark::kNote},
      {"expired for servers", Role::kServers,
       [](PortSeen& s) {
         s.verdict->verified = false;
         s.verdict->days_left = -3;
       },
       "certificate", Mark::kWrong},
      {"ends soon", Role::kSubmission, [](PortSeen& s) { s.verdict->days_left = 6; }, "certificate", Mark::kNote},
      {"injection", Role::kServers, [](PortSeen& s) { s.injected = Injected::kBelieved; }, "starttls_injection",
       Mark::kWrong},
      {"open", Role::kServers, [](PortSeen& s) { s.tricks[0].recipient = {250, "250 ok"}; }, "open_relay",
       Mark::kWrong},
      {"open in the clear alone", Role::kServers, [](PortSeen& s) { s.in_clear.away = {250, "250 ok"}; }, "open_relay",
       Mark::kWrong},
      {"open by a trick", Role::kServers, [](PortSeen& s) { s.tricks[1].recipient = {251, "251 forwarded"}; },
       "open_relay", Mark::kWrong},
      {"open on 587", Role::kSubmission,
       [](PortSeen& s) { s.tricks[0].mail = s.tricks[0].recipient = {250, "250 ok"}; }, "open_relay", Mark::kWrong},
      {"a trick at a catch-all", Role::kServers,
       [](PortSeen& s) { s.tricks[1].recipient = s.in_tls.unknown = {250, "250 ok"}; }, "open_relay", Mark::kNote},
      {"all greylisted", Role::kServers,
       [](PortSeen& s) {
         for (TrickTried& t : s.tricks) t.recipient = {450, "450 later"};
       },
       "open_relay", Mark::kNote},
      {"cut short", Role::kServers,
       [](PortSeen& s) {
         s.tricks.pop_back();
         s.tricks_cut_short = true;
       },
       "open_relay", Mark::kNote},
      {"listed", Role::kServers,
       [](PortSeen& s) {
         s.place.relays_for_us = true;
         s.tricks.clear();
       },
       "open_relay", Mark::kNote},
  };
  for (const Case& c : cases) {
    PortSeen seen = good(c.role);
    c.change(seen);
    marks(seen);
    const Findings found = judge(seen);
    EXPECT_TRUE(std::ranges::any_of(found, [&](const Finding& f) { return f.check == c.check && f.mark == c.mark; }))
        << c.name << ": " << marks(seen);
    // One fault is told once, and makes nothing else wrong but what follows from it.
    std::set<std::string> wrong;
    for (const Finding& f : found)
      if (f.mark == Mark::kWrong) wrong.insert(f.check);
    if (c.mark != Mark::kWrong) EXPECT_TRUE(wrong.empty()) << c.name << ": " << marks(seen);
    if (c.mark == Mark::kWrong)
      EXPECT_LE(wrong.size(), c.check == std::string("auth_required") ? 2u : 1u) << c.name << ": " << marks(seen);
  }
}

TEST(JudgePort, AllThatWasTakenIsNamed) {
  PortSeen seen = good(Role::kServers);
  for (TrickTried& t : seen.tricks) t.recipient = {250, "250 ok"};
  Findings found;
  judge_relaying(seen, found);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0].text, HasSubstr("RCPT TO:<c@d.example> -> 250 ok"));
  EXPECT_THAT(found[0].text, HasSubstr("(and 1 more: percent)"));
  EXPECT_THAT(finding_json(found[0]), HasSubstr(R"("tricks":["plain","percent"])"));
}

TEST(RelayTricks, NamesAreUniqueAndNothingHasALineEnd) {
  for (const char* address : {"192.0.2.1", "2001:db8::1", ""}) {
    std::set<std::string> names;
    for (const Trick& t : relay_tricks({"our.example", "mx.our.example", address, "u@far.example", "s@else.example"})) {
      EXPECT_TRUE(names.insert(t.name).second) << t.name;
      EXPECT_EQ((t.sender + t.recipient).find_first_of("\r\n"), std::string::npos) << t.name;
      // What may be meant for a mailbox there is told apart: everything else leads elsewhere.
      const bool elsewhere = t.recipient.find("u@far.example") != std::string::npos &&
                             t.recipient.find('"') == std::string::npos &&
                             t.recipient.find("far.example@") == std::string::npos;
      EXPECT_EQ(t.may_end_here, !elsewhere) << t.name << " " << t.recipient;
    }
    EXPECT_GE(names.size(), 20u);
  }
}

TEST(Finding, Json) {
  Finding f{"certificate",
            Mark::kNote,
            "for \"x\"",
            "why\xff",
            "",
            {{"days_left", std::int64_t(3)}, {"verified", false}, {"names", std::vector<std::string>{"a"}}},
            "in 192.0.2.1:25"};
  EXPECT_EQ(
      finding_json(f),
      R"({"check":"certificate","mark":"note","ok":true,"place":"in 192.0.2.1:25","text":"for \"x\"","why":"why\\xff","days_left":3,"verified":false,"names":["a"]})");
}

}  // namespace
}  // namespace sidegate::doctor::judge_port_test
