// The right-hand side: every form people write, and every mistake with its line.
#include "alias/target.h"

#include <gtest/gtest.h>

#include "alias/map_file.h"

namespace sidegate::alias::target_test {
namespace {

std::string kinds(const std::vector<Target>& list) {
  static constexpr const char* kNames[] = {"addr", "box", "dom", "cmd", "file", "discard", "incl"};
  std::string out;
  for (const Target& t : list)
    out += (out.empty() ? "" : " ; ") + std::string(kNames[static_cast<int>(t.kind)]) + " " + t.text;
  return out;
}

TEST(Targets, Forms) {
  struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"bob", "addr bob"},
      {" bob , carol@example.org,dave ", "addr bob ; addr carol@example.org ; addr dave"},
      {"bob,,carol,", "addr bob ; addr carol"},
      {"\\bob", "box bob"},
      {"\"\\\\bob\"", "box bob"},
      {"|/usr/bin/procmail", "cmd /usr/bin/procmail"},
      {"|/usr/bin/prog -a b", "cmd /usr/bin/prog -a b"},
      {"\"|/usr/bin/prog -a b\"", "cmd /usr/bin/prog -a b"},
      {"|\"/usr/bin/prog -a b\"", "cmd /usr/bin/prog -a b"},
      {"\"|IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #bob\"",
       "cmd IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #bob"},
      {"\"|/bin/sh -c \\\"echo a, b\\\"\"", "cmd /bin/sh -c \"echo a, b\""},
      {"|/bin/sh -c \"a, b\", bob", "cmd /bin/sh -c \"a, b\" ; addr bob"},
      {"/var/mail/archive", "file /var/mail/archive"},
      {"\"/var/mail/with space\"", "file /var/mail/with space"},
      {"/var/mail/dir/", "file /var/mail/dir/"},
      {"/dev/null", "discard /dev/null"},
      {":blackhole:", "discard /dev/null"},
      {":include:/etc/mail/list", "incl /etc/mail/list"},
      {":INCLUDE: /etc/mail/list", "incl /etc/mail/list"},
      {"\":include:/etc/mail/my list\"", "incl /etc/mail/my list"},
      {":include:\"/etc/mail/my list\"", "incl /etc/mail/my list"},
      {"Bob <bob@example.org>", "addr bob@example.org"},
      {"\"Doe, Bob\" <bob@example.org>", "addr bob@example.org"},
      {"<bob@example.org>", "addr bob@example.org"},
      {"bob@example.org (Bob, at work)", "addr bob@example.org"},
      {"\"a b\"@example.org", "addr \"a b\"@example.org"},
      {"\"a b\"", "addr \"a b\""},
      {"\"bob\"", "addr bob"},
      {"\"bob@example.org\"", "addr bob@example.org"},
      {"taro..k@docomo.example", "addr taro..k@docomo.example"},
      {"bob # the one in Kyoto", "addr bob"},
      {"bob # one\n  , carol # two", "addr bob ; addr carol"},
      {"bob, # one\n  carol", "addr bob ; addr carol"},
      {"bob # one\n  carol", "addr bob ; addr carol"},
      {"bob#1@example.org", "addr bob#1@example.org"},
      {"", ""},
  };
  for (const auto& c : cases) {
    Targets parsed = parse_targets(c.text, {"f", 1}, ListKind::kAlias);
    EXPECT_EQ(kinds(parsed.list), c.expected) << c.text;
    EXPECT_TRUE(parsed.problems.empty()) << c.text << ": " << parsed.problems.front().text();
  }
}

TEST(Targets, Mistakes) {
  struct {
    const char* text;
    ListKind kind;
    const char* expected;
  } cases[] = {
      {"bob carol", ListKind::kAlias, "f:7: \"bob carol\": words without a comma"},
      {"bob,\n carol dave", ListKind::kAlias, "f:8: \"carol dave\""},
      {"bob@@example.org", ListKind::kAlias, "f:7: \"bob@@example.org\" is no address"},
      {"bob@", ListKind::kAlias, "is no address"},
      {"\"bob", ListKind::kAlias, "a quote is opened"},
      {"|", ListKind::kAlias, "no command"},
      {"\"| \"", ListKind::kAlias, "no command"},
      {":include:list", ListKind::kAlias, "no path from the root"},
      {":include:/etc/../list", ListKind::kAlias, "\"..\""},
      {"/var/mail/../../etc/passwd", ListKind::kAlias, "\"..\""},
      {"bob\x01", ListKind::kAlias, "control character"},
      {"\"|a\x1b\"", ListKind::kAlias, "control character"},
      {"\\", ListKind::kAlias, "no user's name"},
      {"\\../x y", ListKind::kAlias, "no user's name"},
      {"\"\"", ListKind::kAlias, "empty name"},
      {"<>", ListKind::kAlias, "is no address"},
      {"|/bin/cat", ListKind::kVirtual, "may not stand in the virtual map"},
      {"/var/mail/x", ListKind::kVirtual, "may not stand in the virtual map"},
      {":include:/x", ListKind::kVirtual, "may not stand in the virtual map"},
      {"|/bin/cat", ListKind::kInclude, "may not stand in an :include: file"},
      {"/var/mail/x", ListKind::kInclude, "may not stand in an :include: file"},
      {":include:/x", ListKind::kForward, "may not stand in a .forward file"},
      {"@example.org", ListKind::kAlias, "is no address"},
  };
  for (const auto& c : cases) {
    Targets parsed = parse_targets(c.text, {"f", 7}, c.kind);
    ASSERT_FALSE(parsed.problems.empty()) << c.text;
    EXPECT_NE(parsed.problems[0].text().find(c.expected), std::string::npos) << parsed.problems[0].text();
    EXPECT_FALSE(parsed.problems[0].next.empty()) << c.text;
  }
}

TEST(LogicalLines, CommentsAndContinuation) {
  auto lines = logical_lines("\xef\xbb\xbf# first\n\na: b,\n\n  # within\n\tc\r\n \t \nd: e\n f");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].line, 3u);
  EXPECT_EQ(lines[0].text, "a: b,\n\n\n\tc");
  EXPECT_EQ(lines[1].line, 8u);
  EXPECT_EQ(lines[1].text, "d: e\n f");
  EXPECT_TRUE(logical_lines("  a: b\n")[0].orphan);
}

std::string entries(const MapFile& file) {
  std::string out;
  for (const Entry& e : file.entries)
    out += (out.empty() ? "" : " | ") + std::to_string(e.at.line) + " " + e.key + (e.broken ? "!" : "") + " = " +
           kinds(e.targets);
  return out;
}

TEST(Aliases, Files) {
  struct {
    const char* text;
    const char* expected;
    std::vector<const char*> problems;
  } cases[] = {
      {"root: me@example.org\n", "1 root = addr me@example.org", {}},
      {"# c\nRoot :\n  me@example.org,\n  \\root\n", "2 root = addr me@example.org ; box root", {}},
      {"\"a b\": c\n\"a:b\": d\n\"a@b\": e\n", "1 a b = addr c | 2 a:b = addr d | 3 a@b = addr e", {}},
      {"a:b", "1 a = addr b", {}},
      {"a: b\nA: c\n", "1 a = addr b | 2 a = addr c", {}},  // told by Tables
      {"root me@example.org\nb: c",
       "1 root! =  | 2 b = addr c",
       {"f:1: no colon behind the name (write root: user@domain)"}},
      {"root:\nb: c", "1 root! =  | 2 b = addr c", {"f:1: \"root\" leads nowhere (write root: user@domain)"}},
      {"x: a@@b, c\n", "1 x! = addr c", {"f:1: \"a@@b\" is no address"}},
      {"root@example.org: b\n", "", {"f:1: \"root@example.org\" has a domain"}},
      {"a b: c\n", "1 a! = ", {"f:1: \"a b\" is no name"}},
      {": c\n", "", {"f:1: no name before the colon"}},
      {"\"a: c\n", "1 a! = ", {"f:1: a quote is opened"}},
      {"  a: c\n", "1 a! = ", {"f:1: the line begins with a space"}},
      {"list: :include:/etc/l, \"|/bin/x y\", /dev/null",
       "1 list = incl /etc/l ; cmd /bin/x y ; discard /dev/null",
       {}},
  };
  for (const auto& c : cases) {
    MapFile file = parse_aliases("f", c.text);
    EXPECT_EQ(entries(file), c.expected) << c.text;
    ASSERT_EQ(file.problems.size(), c.problems.size())
        << c.text << (file.problems.empty() ? "" : file.problems[0].text());
    for (std::size_t i = 0; i < c.problems.size(); ++i)
      EXPECT_TRUE(file.problems[i].text().starts_with(c.problems[i])) << file.problems[i].text();
  }
  EXPECT_TRUE(parse_aliases("f", std::string_view("a\0b", 3)).unreadable);
}

TEST(Virtual, Files) {
  struct {
    const char* text;
    const char* expected;
    std::vector<const char*> problems;
  } cases[] = {
      {"Info@Example.ORG alice\n", "1 info@example.org = addr alice", {}},
      {"info@example.org: alice\n", "1 info@example.org = addr alice", {}},
      {"@example.org\tbob, carol@x.example\n", "1 @example.org = addr bob ; addr carol@x.example", {}},
      {"@one.example @two.example\n", "1 @one.example = dom two.example", {}},
      {"a+b@example.org c\nuser d\n", "1 a+b@example.org = addr c | 2 user = addr d", {}},
      {"\"a b\"@example.org c\n", "1 a b@example.org = addr c", {}},
      {"info@example.org\n", "1 info@example.org! = ", {"f:1: \"info@example.org\" leads nowhere"}},
      {"a@@b c\n", "1 a@@b! = ", {"f:1: \"a@@b\" is no address"}},
      {"a@b.example |cat\n", "1 a@b.example! = ", {"f:1: \"cat\": a command may not stand in the virtual map"}},
  };
  for (const auto& c : cases) {
    MapFile file = parse_virtual("f", c.text);
    EXPECT_EQ(entries(file), c.expected) << c.text;
    ASSERT_EQ(file.problems.size(), c.problems.size())
        << c.text << (file.problems.empty() ? "" : file.problems[0].text());
    for (std::size_t i = 0; i < c.problems.size(); ++i)
      EXPECT_TRUE(file.problems[i].text().starts_with(c.problems[i])) << file.problems[i].text();
  }
}

TEST(Lists, OneALineOrByCommas) {
  Targets list = parse_list("l", "# people\nbob\ncarol, dave\n  erin\n", ListKind::kInclude);
  EXPECT_EQ(kinds(list.list), "addr bob ; addr carol ; addr dave ; addr erin");
}

}  // namespace
}  // namespace sidegate::alias::target_test
