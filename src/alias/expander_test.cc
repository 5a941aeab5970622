// From an address to its recipients: tables of files, addresses and what must come out.
#include "alias/expander.h"

#include <gtest/gtest.h>

#include "alias/fake_sources.h"

namespace sidegate::alias::expander_test {
namespace {

struct House {
  Settings settings;
  FakeSources sources;
  std::string aliases, virtuals;
  bool null_sender = false;
  mail::Recipient given;

  House() {
    settings.local_domains = {"gate.test", "localhost", "home.test"};
    settings.hostname = "gate.test";
    sources.users = {"root", "alice", "bob", "carol", "www-data", "Mixed"};
  }
  Tables tables() const {
    return Tables::make({parse_aliases("aliases", aliases)}, {parse_virtual("virtual", virtuals)});
  }
  Expansion expand(const std::string& address) {
    given.address = address;
    Tables all = tables();
    return Expander(settings, all, sources).expand(given, null_sender);
  }
};

std::string text(const Expansion& e) {
  switch (e.fate) {
    case Fate::kNotOurs:
      return "not ours";
    case Fate::kUnknown:
      return "unknown";
    case Fate::kDeferred:
      return "deferred";
    case Fate::kResolved:
      break;
  }
  std::string out;
  for (const mail::Recipient& r : e.recipients) {
    if (!out.empty()) out += ", ";
    switch (r.destination) {
      case mail::Destination::kRoute:
        out += (r.forwarded ? "fwd " : "route ") + r.address;
        break;
      case mail::Destination::kMailbox:
        out += "box " + r.target;
        break;
      case mail::Destination::kPipe:
        out += "pipe[" + r.as_user + "] " + r.target;
        break;
      case mail::Destination::kFile:
        out += "file[" + r.as_user + "] " + r.target;
        break;
      case mail::Destination::kDiscard:
        out += "discard";
        break;
    }
    if (!r.return_path.empty()) out += " from " + r.return_path;
  }
  return out;
}

struct Case {
  const char* address;
  const char* expected;
};

void check(House& house, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    Expansion e = house.expand(c.address);
    EXPECT_EQ(text(e), c.expected) << c.address << (e.problems.empty() ? "" : "\n" + e.problems[0].text());
    for (const mail::Recipient& r : e.recipients)
      EXPECT_EQ(r.original, r.address == c.address ? "" : c.address) << c.address;
  }
}

TEST(Expander, Aliases) {
  House house;
  house.aliases =
      "root: admin\nAdmin: alice, me@isp.example\nprog: \"|/bin/prog -x\"\narchive: /var/mail/archive\nnull: "
      "/dev/null\n"
      "self: self\nkeep: \\alice, bob@far.example\nalice: alice, a@far.example\n\"two words\": bob\nweb: www-data\n"
      "far: x@other.example, X@OTHER.example, bob, bob\n";
  check(house, {{"root@gate.test", "box alice, fwd a@far.example, fwd me@isp.example"},
                {"ROOT@GATE.TEST", "box alice, fwd a@far.example, fwd me@isp.example"},
                {"root@localhost", "box alice, fwd a@far.example, fwd me@isp.example"},
                {"root@home.test", "box alice, fwd a@far.example, fwd me@isp.example"},
                {"root@elsewhere.test", "not ours"},
                {"\"root\"@gate.test", "box alice, fwd a@far.example, fwd me@isp.example"},
                {"prog@gate.test", "pipe[] /bin/prog -x"},
                {"archive@gate.test", "file[] /var/mail/archive"},
                {"null@gate.test", "discard"},
                {"keep@gate.test", "box alice, fwd bob@far.example"},
                {"alice@gate.test", "box alice, fwd a@far.example"},
                {"\"two words\"@gate.test", "box bob"},
                {"web@gate.test", "box www-data"},
                {"far@gate.test", "fwd x@other.example, box bob"},
                {"bob@gate.test", "box bob"},
                {"BOB@gate.test", "box bob"},
                {"mixed@gate.test", "unknown"},
                {"Mixed@gate.test", "box Mixed"},
                {"nobody-here@gate.test", "unknown"},
                {"bob%far.example@gate.test", "unknown"},
                {"far.example!bob@gate.test", "unknown"},
                {"\"bob@far.example\"@gate.test", "unknown"},
                {"\"/etc/passwd\"@gate.test", "unknown"},
                {"\"|cat\"@gate.test", "unknown"},
                {"../bob@gate.test", "unknown"},
                {"self@gate.test", "deferred"}});
}

// RFC 3461 section 5.2.7
TEST(Expander, WhoAsksForSuccessHearsOfItOnce) {
  House house;
  house.aliases =
      "team: alice, x@far.example\none: alice\nlist: alice, bob\nowner-list: carol\nsolo: bob\nowner-solo: carol\n"
      "both: list, x@far.example\n";
  struct {
    const char *address, *expected, *told;  // told: to the sender, of the address itself
    mail::Notify notify;
  } const cases[] = {
      {"team", "alice NEVER, x@far.example NEVER", "expanded", {.success = true}},
      {"team", "alice failure, x@far.example failure", "expanded", {.success = true, .failure = true}},
      {"team", "alice failure, x@far.example failure", "", {.failure = true}},
      {"team", "alice, x@far.example", "", {}},
      {"one", "alice success", "", {.success = true}},
      {"list", "alice, bob", "list", {.success = true}},
      {"solo", "bob", "list", {.success = true}},
      {"both", "alice, bob, x@far.example NEVER", "expanded", {.success = true}},
      {"bob", "bob success", "", {.success = true}},
  };
  for (const auto& c : cases) {
    house.given.notify = c.notify;
    Expansion e = house.expand(std::string(c.address) + "@gate.test");
    std::string told, text;
    for (const mail::Recipient& r : e.recipients) {
      if (r.destination == mail::Destination::kDiscard) {
        told += r.target;
        EXPECT_EQ(r.address, house.given.address);
        EXPECT_TRUE(r.notify.success);
        continue;
      }
      text += (text.empty() ? "" : ", ") + (r.target.empty() ? r.address : r.target);
      text += r.notify.never ? " NEVER" : r.notify.success ? " success" : r.notify.failure ? " failure" : "";
    }
    EXPECT_EQ(text, c.expected) << c.address;
    EXPECT_EQ(told, c.told) << c.address;
  }
  house.null_sender = true;
  house.given.notify = {.success = true};
  EXPECT_EQ(house.expand("team@gate.test").recipients.size(), 2u);
}

// Each name leads to the next one twice: two to the power of forty ways, forty names.
TEST(Expander, NamesThatDoubleCostNoMoreThanTheyAreMany) {
  House house;
  for (int i = 0; i < 40; ++i) {
    std::string next = "n" + std::to_string(i + 1);
    house.aliases += "n" + std::to_string(i) + ": " + next + ", " + next + "@gate.test, " + next + "@localhost\n";
  }
  house.aliases += "n40: bob\n";
  Expansion e = house.expand("n0@gate.test");
  EXPECT_EQ(text(e), "box bob");
  EXPECT_LT(e.steps.size(), 2'000u);
  // What is met within itself still ends as if it stood there alone.
  house.aliases = "a: b, c\nb: a, bob\nc: a, b\nbob: bob, c\n";
  EXPECT_EQ(text(house.expand("a@gate.test")), "box bob");
}

TEST(Expander, Tags) {
  House house;
  house.aliases = "info: bob\ninfo+press: carol\nlist-request: alice\n";
  house.virtuals = "sales@shop.test bob\nsales+big@shop.test carol\nout@shop.test x@far.example\n@all.test alice\n";
  check(house, {{"bob+x@gate.test", "box bob"},
                {"info+x@gate.test", "box bob"},
                {"info+press@gate.test", "box carol"},
                {"www-data@gate.test", "box www-data"},
                {"nobody+x@gate.test", "unknown"},
                {"+x@gate.test", "unknown"},
                {"sales+x@shop.test", "box bob"},
                {"sales+big@shop.test", "box carol"},
                {"out+x@shop.test", "fwd x@far.example"},
                {"any+x@all.test", "box alice"}});
  EXPECT_EQ(house.expand("sales+x@shop.test").recipients[0].address, "bob+x@gate.test");
  house.settings.recipient_delimiter = "-";
  check(house, {{"bob-x@gate.test", "box bob"},
                {"www-data@gate.test", "box www-data"},
                {"www-data-x@gate.test", "unknown"},
                {"list-request@gate.test", "box alice"},
                {"bob-request@gate.test", "unknown"}});
  house.settings.recipient_delimiter = "";
  check(house, {{"bob+x@gate.test", "unknown"}});
}

TEST(Expander, VirtualMap) {
  House house;
  house.virtuals =
      "info@shop.test alice, me@isp.example\n@catch.test bob\nkept@catch.test kept@catch.test\n@map.test @far.example\n"
      "@here.test @gate.test\nalice@gate.test carol\ncarol carol@far.example\nbob@home.test bob@home.test\n@home.test "
      "alice\n"
      "one@loop.test two@loop.test\ntwo@loop.test one@loop.test\nempty.test anything\ndeep@shop.test root\n"
      "redirect@gmail.test me@isp.example\n@gmail.test @gmail.test\nroot@gate.test root@gate.test, boss@far.example\n";
  house.aliases = "root: bob\n";
  check(house, {{"info@shop.test", "fwd carol@far.example, fwd me@isp.example"},
                {"INFO@SHOP.test", "fwd carol@far.example, fwd me@isp.example"},
                {"nobody@shop.test", "unknown"},
                {"postmaster@shop.test", "box bob, fwd boss@far.example"},
                {"x@catch.test", "box bob"},
                {"kept@catch.test", "not ours"},
                {"x@map.test", "fwd x@far.example"},
                {"x%y@map.test", "unknown"},
                {"\"x@y\"@map.test", "unknown"},
                {"bob@here.test", "box bob"},
                {"nobody@here.test", "unknown"},
                {"alice@gate.test", "fwd carol@far.example"},
                {"carol@localhost", "fwd carol@far.example"},
                {"bob@home.test", "box bob"},
                {"other@home.test", "fwd carol@far.example"},
                {"one@loop.test", "deferred"},
                {"x@empty.test", "unknown"},
                {"deep@shop.test", "box bob, fwd boss@far.example"},
                {"redirect@gmail.test", "fwd me@isp.example"},
                {"someone@gmail.test", "not ours"},
                {"x@far.example", "not ours"}});
}

TEST(Expander, Includes) {
  House house;
  house.aliases =
      "team: :include:/l/team\nmixed: alice, :include:/l/more\ngone: :include:/l/gone\nround: :include:/l/round\n"
      "evil: :include:/l/evil\nhalf: bob, :include:/l/gone\n";
  house.sources.includes = {{"/l/team", "# us\nalice\nbob, me@isp.example\n:include:/l/more\n"},
                            {"/l/more", "carol"},
                            {"/l/round", ":include:/l/round\n"},
                            {"/l/evil", "|/bin/sh"}};
  check(house, {{"team@gate.test", "box alice, box bob, fwd me@isp.example, box carol"},
                {"mixed@gate.test", "box alice, box carol"},
                {"gone@gate.test", "deferred"},
                {"half@gate.test", "deferred"},  // all or nothing: a second try would repeat the first half
                {"round@gate.test", "deferred"},
                {"evil@gate.test", "deferred"}});
  EXPECT_NE(house.expand("gone@gate.test").problems.at(0).text().find("aliases:3: /l/gone"), std::string::npos);
}

TEST(Expander, Forward) {
  House house;
  house.aliases = "prog: |/bin/system\n";
  house.sources.forwards = {{"alice", "\\alice, me@isp.example\n"},
                            {"bob", "\"|/usr/bin/procmail -x\"\n/home/bob/copy\nprog\n"},
                            {"carol", "carol\nalice\n"},
                            {"root", "# nothing\n"},
                            {"www-data", "one two"},
                            {"alice+shop", "shop@isp.example"}};
  check(house, {{"alice@gate.test", "box alice, fwd me@isp.example"},
                {"alice+x@gate.test", "box alice, fwd me@isp.example"},
                {"alice+Shop@gate.test", "fwd shop@isp.example"},
                {"bob@gate.test", "pipe[bob] /usr/bin/procmail -x, file[bob] /home/bob/copy, pipe[] /bin/system"},
                {"carol@gate.test", "box carol, box alice, fwd me@isp.example"},
                {"root@gate.test", "box root"},
                {"www-data@gate.test", "box www-data"}});
  EXPECT_EQ(house.expand("www-data@gate.test").problems.size(), 1u);  // and it is told
  house.sources.bad_forwards = {{"alice", {ErrorKind::kBadInput, "a link"}}, {"bob", {ErrorKind::kTimeout, "late"}}};
  check(house, {{"alice@gate.test", "box alice"}, {"bob@gate.test", "deferred"}});
  house.settings.forward_files = false;
  check(house, {{"bob@gate.test", "box bob"}});
  house.sources.no_users = Error{ErrorKind::kTimeout, "directory away"};
  check(house, {{"bob@gate.test", "deferred"}, {"prog@gate.test", "pipe[] /bin/system"}});
}

TEST(Expander, Owner) {
  House house;
  house.aliases =
      "list: a@far.example, inner, bob\nowner-list: alice\ninner: b@far.example\nouter: inner2, c@far.example\n"
      "inner2: d@far.example\nowner-inner2: bob\nowner-outer: carol\n";
  check(house,
        {{"list@home.test",
          "fwd a@far.example from owner-list@home.test, fwd b@far.example from owner-list@home.test, box bob from "
          "owner-list@home.test"},
         {"list@localhost",
          "fwd a@far.example from owner-list@gate.test, fwd b@far.example from owner-list@gate.test, box bob from "
          "owner-list@gate.test"},
         {"outer@gate.test",
          "fwd d@far.example from owner-inner2@gate.test, fwd c@far.example from owner-outer@gate.test"},
         {"owner-list@gate.test", "box alice"}});
  house.null_sender = true;
  check(house, {{"list@gate.test", "fwd a@far.example, fwd b@far.example, box bob"}});
}

TEST(Expander, PostmasterIsAlwaysThere) {
  House house;
  check(house, {{"postmaster@gate.test", "box root"},
                {"PostMaster@home.test", "box root"},
                {"mailer-daemon@gate.test", "box root"}});
  house.settings.postmaster = "pm@isp.example";
  check(house, {{"postmaster@gate.test", "fwd pm@isp.example"}, {"MAILER-DAEMON@gate.test", "fwd pm@isp.example"}});
  house.settings.postmaster = "postmaster@gate.test";
  check(house, {{"postmaster@gate.test", "deferred"}});
  house.aliases = "postmaster: bob\n";
  check(house, {{"postmaster@gate.test", "box bob"}});
}

// Promise 4: our confusion is temporary.
TEST(Expander, BrokenFilesDefer) {
  House house;
  house.aliases = "good: alice\nroot me@isp.example\nbad: x@@y\ndangling: nobody-here\npartly: bob, nobody-here\n";
  house.virtuals = "v@shop.test nobody-here\nbroken@shop.test x@@y\n";
  check(house, {{"good@gate.test", "box alice"},
                {"root@gate.test", "deferred"},
                {"bad@gate.test", "deferred"},
                {"bob@gate.test", "box bob"},
                {"nobody-here@gate.test", "unknown"},
                {"dangling@gate.test", "deferred"},
                {"partly@gate.test", "box bob, box nobody-here"},  // that one's failure is told by a report
                {"v@shop.test", "deferred"},
                {"broken@shop.test", "deferred"},
                {"other@shop.test", "unknown"}});
  house.aliases = "good: alice\n\"unclosed: bob\n";
  check(house, {{"good@gate.test", "box alice"}, {"unclosed@gate.test", "deferred"}, {"bob@gate.test", "box bob"}});
  house.aliases = std::string("\0", 1);
  house.virtuals = "v@shop.test alice\n";
  check(house, {{"v@shop.test", "deferred"}, {"x@far.example", "not ours"}});
  house.aliases = "";
  house.virtuals = std::string("\0", 1);
  check(house, {{"x@far.example", "deferred"}, {"bob@gate.test", "box bob"}});
}

TEST(Expander, LoopsAndBounds) {
  House house;
  house.aliases = "a: b\nb: c\nc: a\nsome: a, bob\n";
  std::string chain, bomb;
  for (int i = 0; i < 100; ++i) chain += "n" + std::to_string(i) + ": n" + std::to_string(i + 1) + "\n";
  for (int i = 0; i < 40; ++i)
    bomb += "m" + std::to_string(i) + ": m" + std::to_string(i + 1) + ", m0, m" + std::to_string(i + 1) + "\n";
  house.aliases += chain + "n100: bob\n" + bomb + "m40: bob\n";
  check(house, {{"a@gate.test", "deferred"},
                {"some@gate.test", "box bob"},
                {"n0@gate.test", "deferred"},
                {"n60@gate.test", "box bob"},
                {"m0@gate.test", "deferred"}});
  Expansion e = house.expand("a@gate.test");
  ASSERT_FALSE(e.problems.empty());
  EXPECT_EQ(e.problems[0].at.text(), "aliases:1");
}

TEST(Expander, WhatTheSenderAskedForGoesAlong) {
  House house;
  house.aliases = "one: x@far.example\nlist: x@far.example\nowner-list: alice\n";
  house.given.notify.success = true;
  mail::Recipient r = house.expand("one@gate.test").recipients.at(0);
  EXPECT_TRUE(r.notify.success);
  EXPECT_EQ(r.orcpt, "rfc822;one@gate.test");
  r = house.expand("list@gate.test").recipients.at(0);  // RFC 3461 section 5.2.7: it ends at the list
  EXPECT_FALSE(r.notify.specified());
  EXPECT_EQ(r.orcpt, "");
  house.given.orcpt = "rfc822;first@else.example";
  EXPECT_EQ(house.expand("one@gate.test").recipients.at(0).orcpt, "rfc822;first@else.example");
  house.given.orcpt = "";
  EXPECT_EQ(house.expand("bob@gate.test").recipients.at(0).orcpt, "");
}

TEST(Expander, TellsItsSteps) {
  House house;
  house.aliases = "root: alice\n";
  house.sources.forwards = {{"alice", "me@isp.example\n"}};
  std::string steps;
  for (const Step& s : house.expand("root@gate.test").steps)
    steps += std::to_string(s.depth) + " " + name(s.kind) + " " + s.subject + " " + s.detail + " " + s.at.text() + "\n";
  EXPECT_EQ(steps,
            "0 address root@gate.test  \n"
            "0 alias root alice aliases:1\n"
            "1 address alice  \n"
            "1 user alice /home/alice \n"
            "1 forward /home/alice/.forward me@isp.example /home/alice/.forward:1\n"
            "2 address me@isp.example  \n"
            "2 leaves me@isp.example  /home/alice/.forward:1\n");
}

TEST(Tables, TheFirstOfTwoCounts) {
  House house;
  house.aliases = "a: bob\nb: carol\nA: alice\n";
  check(house, {{"a@gate.test", "box bob"}});
  Problems problems = house.tables().problems();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].severity, Severity::kWarning);
  EXPECT_TRUE(problems[0].text().starts_with("aliases:3: \"a\" stands there twice, the first time at aliases:1"))
      << problems[0].text();
}

TEST(Concerns, OnlyWhatIsOurs) {
  House house;
  house.virtuals = "a@shop.test b\n@catch.test b\n";
  Tables tables = house.tables();
  for (const char* address : {"x@gate.test", "x@GATE.test", "x@shop.test", "x@catch.test", "\"@\"@home.test", "root"})
    EXPECT_TRUE(concerns(house.settings, tables, address)) << address;
  for (const char* written : {"例え.jp", "xn--r8jz45g.jp"}) {
    house.settings.local_domains.assign(1, written);
    for (const char* came : {"x@例え.jp", "x@XN--r8jz45g.jp"})
      EXPECT_TRUE(concerns(house.settings, tables, came)) << written << " " << came;
  }
  for (const char* address : {"x@far.example", "\"x@gate.test\"@far.example", "x@sub.gate.test"})
    EXPECT_FALSE(concerns(house.settings, tables, address)) << address;
}

}  // namespace
}  // namespace sidegate::alias::expander_test
