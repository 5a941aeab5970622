#include "submit/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace sidegate::submit::arguments_test {
namespace {

using Words = std::vector<std::string>;

std::string flags(const Arguments& a) {
  std::string out;
  if (a.from_header) out += "t";
  if (!a.dot_ends) out += "i";
  if (a.sender_given) out += " from=<" + a.sender + ">";
  if (!a.full_name.empty()) out += " name=" + a.full_name;
  if (a.body == mail::BodyType::k8bitMime) out += " 8bit";
  if (a.body == mail::BodyType::k7bit) out += " 7bit";
  if (a.errors == Errors::kPrint) out += " print";
  if (a.errors == Errors::kQuiet) out += " quiet";
  if (a.errors == Errors::kMailAndSucceed) out += " succeed";
  for (const std::string& to : a.recipients) out += " to=" + to;
  return std::string(trim(out));
}

struct CallerCase {
  const char* who;
  Words words;
  const char* expected;
};

// The command lines of the programs themselves.
TEST(Arguments, OfRealCallers) {
  const CallerCase cases[] = {
      {"cron", {"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "alice"}, "i name=CronDaemon 8bit to=alice"},
      {"systemd-cron", {"-i", "-B8BITMIME", "alice@x.example"}, "i 8bit to=alice@x.example"},
      {"at", {"-i", "alice"}, "i to=alice"},
      {"anacron", {"-FAnacron", "-odi", "root"}, "name=Anacron to=root"},
      {"sudo, mdadm, logwatch, debsecan", {"-t"}, "t"},
      {"unattended-upgrades", {"-oi", "-t"}, "ti"},
      {"popularity-contest",
       {"-oi", "-f", "root@x.example", "survey@popcon.example"},
       "i from=<root@x.example> to=survey@popcon.example"},
      {"fail2ban", {"-f", "fail2ban <f2b@x.example>", "root@x.example"}, "from=<f2b@x.example> to=root@x.example"},
      {"rkhunter", {"root"}, "to=root"},
      {"arpwatch", {"-odi", "root"}, "to=root"},
      {"bsd-mailx", {"-i", "root", "alice@x.example"}, "i to=root to=alice@x.example"},
      {"s-nail", {"-i", "-r", "me@x.example", "--", "you@x.example"}, "i from=<me@x.example> to=you@x.example"},
      {"mutt", {"-oem", "-oi", "-f", "me@x.example", "--", "you@x.example"}, "i from=<me@x.example> to=you@x.example"},
      {"git send-email",
       {"-f", "me@x.example", "-i", "you@x.example", "list@x.example"},
       "i from=<me@x.example> to=you@x.example to=list@x.example"},
      {"git hook", {"-t", "-f", "me@x.example"}, "t from=<me@x.example>"},
      {"PHP mail()", {"-t", "-i"}, "ti"},
      {"PHP with a fifth argument", {"-t", "-i", "-fweb@x.example"}, "ti from=<web@x.example>"},
      {"PHPMailer over an administrator's -f",
       {"-t", "-i", "-f", "www@x.example", "-fweb@x.example"},
       "ti from=<web@x.example>"},
      {"PHPMailer's sendmail", {"-oi", "-fweb@x.example", "-t"}, "ti from=<web@x.example>"},
      {"Symfony, pipe", {"-t", "-i"}, "ti"},
      {"Symfony, without -t",
       {"-i", "-fweb@x.example", "--", "you@x.example", "-odd@x.example"},
       "i from=<web@x.example> to=you@x.example to=-odd@x.example"},
      {"Gitea", {"-f", "git@x.example", "-i", "--", "you@x.example"}, "i from=<git@x.example> to=you@x.example"},
      {"Rails, old", {"-i", "-t"}, "ti"},
      {"Rails, new", {"-i", "-f", "r@x.example", "--", "you@x.example"}, "i from=<r@x.example> to=you@x.example"},
      {"nodemailer", {"-i", "-f", "me@x.example", "you@x.example"}, "i from=<me@x.example> to=you@x.example"},
      {"smartd", {"-t", "-oi", "-oem"}, "ti"},
      {"Debian bug scripts", {"-oem", "-oi", "-bm", "-odq", "-om", "root"}, "i to=root"},
  };
  for (const CallerCase& c : cases) {
    Parsed parsed = parse_arguments("/usr/sbin/sendmail", c.words);
    EXPECT_EQ(parsed.error, "") << c.who;
    EXPECT_EQ(parsed.arguments.mode, Mode::kDeliver) << c.who;
    EXPECT_EQ(flags(parsed.arguments), c.expected) << c.who;
  }
}

TEST(Arguments, EachOption) {
  const CallerCase cases[] = {
      {"clusters", {"-ti"}, "ti"},
      {"a cluster that ends with a value", {"-tif", "a@x"}, "ti from=<a@x>"},
      {"attached to a cluster", {"-tifa@x"}, "ti from=<a@x>"},
      {"-r", {"-r", "a@x", "b"}, "from=<a@x> to=b"},
      {"null sender", {"-f", "<>", "b"}, "from=<> to=b"},
      {"empty sender", {"-f", "", "b"}, "from=<> to=b"},
      {"last -f", {"-fa@x", "-r", "b@x", "-f<c@x>", "d"}, "from=<c@x> to=d"},
      {"-oi", {"-oi", "b"}, "i to=b"},
      {"-o i", {"-o", "i", "b"}, "i to=b"},
      {"unknown -oX", {"-oZ9", "-odb", "-oQ/x", "-o7", "-om", "-oA/x", "b"}, "to=b"},
      {"-O", {"-O", "QueueDirectory=/x", "-OTimeout=1", "b"}, "to=b"},
      {"ignored with values", {"-A", "c", "-L", "tag", "-h", "3", "-X", "/log", "-p", "x", "-Am", "b"}, "to=b"},
      {"ignored alone", {"-G", "-U", "-m", "-n", "-c", "-x", "b"}, "to=b"},
      {"debugging", {"-d0.1", "-d", "b"}, "to=b"},
      {"-em", {"-em", "b"}, "to=b"},
      {"-ep", {"-ep", "b"}, "print to=b"},
      {"-oeq", {"-oeq", "b"}, "quiet to=b"},
      {"-oee", {"-oee", "b"}, "succeed to=b"},
      {"-B", {"-B", "7BIT", "b"}, "7bit to=b"},
      {"options end with the first recipient", {"b", "-t"}, "to=b to=-t"},
      {"--", {"--", "-t"}, "to=-t"},
      {"a list in one argument", {"a@x, Jo Doe <b@x>"}, "to=a@x to=b@x"},
      {"-", {"-"}, "to=-"},
      {"-v", {"-v", "b"}, "to=b"},
      {"-t with recipients", {"-t", "a@x"}, "t to=a@x"},
  };
  for (const CallerCase& c : cases) {
    Parsed parsed = parse_arguments("sendmail", c.words);
    EXPECT_EQ(parsed.error, "") << c.who;
    EXPECT_EQ(flags(parsed.arguments), c.expected) << c.who;
  }
}

TEST(Arguments, Modes) {
  struct ModeCase {
    const char* name;
    Words words;
    Mode mode;
  };
  const ModeCase cases[] = {
      {"mailq", {}, Mode::kMailq},
      {"/usr/bin/newaliases", {}, Mode::kNewaliases},
      {"sendmail", {"-bp"}, Mode::kMailq},
      {"sendmail", {"-bi"}, Mode::kNewaliases},
      {"sendmail", {"-I"}, Mode::kNewaliases},
      {"sendmail", {"-bs"}, Mode::kDialogue},
      {"sendmail", {"-bm", "a"}, Mode::kDeliver},
      {"sendmail", {"-bv", "a"}, Mode::kVerify},
      {"sendmail", {"-q"}, Mode::kFlush},
      {"sendmail", {"-qRx.example"}, Mode::kFlush},
      {"sendmail", {"-qI0123456789ABC"}, Mode::kFlush},
      {"sendmail", {"-q30m"}, Mode::kDaemon},
      {"sendmail", {"-bd", "-q30m"}, Mode::kDaemon},
      {"sendmail", {"-bh"}, Mode::kNothing},
      {"mailq", {"-v"}, Mode::kMailq},
      {"newaliases", {"-oA/etc/aliases"}, Mode::kNewaliases},
      {"sendmail", {"-bs", "-f", "x@x"}, Mode::kDialogue},
      {"sendmail", {"-oi", "-bs"}, Mode::kDialogue},
  };
  for (const ModeCase& c : cases) {
    Parsed parsed = parse_arguments(c.name, c.words);
    EXPECT_EQ(parsed.error, "") << c.name << " " << testing::PrintToString(c.words);
    EXPECT_EQ(parsed.arguments.mode, c.mode) << c.name << " " << testing::PrintToString(c.words);
  }
  EXPECT_EQ(parse_arguments("sendmail", {"-qRx.example"}).arguments.flush_site, "x.example");
  EXPECT_EQ(parse_arguments("sendmail", {"-q", "-v"}).arguments.mode, Mode::kFlush);
}

TEST(Arguments, Mistakes) {
  const Words cases[] = {{},
                         {"-z", "a"},
                         {"-f"},
                         {"-f", "a b@x, c@x", "d"},
                         {"-bz"},
                         {"-B", "9BIT", "a"},
                         {"-qX"},
                         {"-bp", "a"},
                         {"-bv", "-t", "a"},
                         {"-bs", "a"},
                         {"-q", "a"},
                         {"-bv"},
                         {"-b"}};
  for (const Words& words : cases)
    EXPECT_NE(parse_arguments("sendmail", words).error, "") << testing::PrintToString(words);
}

TEST(Arguments, StatusNotification) {
  Arguments a = parse_arguments("sendmail", {"-N", "success,failure", "-R", "hdrs", "-V", "id 1+2", "b"}).arguments;
  EXPECT_TRUE(a.notify.success && a.notify.failure && !a.notify.delay && !a.notify.never);
  EXPECT_EQ(a.ret, mail::Ret::kHeaders);
  EXPECT_EQ(a.envid, "id+201+2B2");
  a = parse_arguments("sendmail", {"-Nnever", "-Rfull", "b"}).arguments;
  EXPECT_TRUE(a.notify.never);
  EXPECT_EQ(a.ret, mail::Ret::kFull);
  for (Words bad : {Words{"-N", "never,success", "b"}, Words{"-N", "x", "b"}, Words{"-R", "x", "b"},
                    Words{"-V", std::string(101, 'x'), "b"}, Words{"-V", "a\nb", "b"}}) {
    Parsed parsed = parse_arguments("sendmail", bad);
    EXPECT_EQ(parsed.error, "");
    EXPECT_EQ(parsed.arguments.warnings.size(), 1u) << testing::PrintToString(bad);
    EXPECT_FALSE(parsed.arguments.notify.specified());
  }
}

TEST(Arguments, ProgramOf) {
  EXPECT_EQ(program_of("/usr/lib/sendmail"), "sendmail");
  EXPECT_EQ(program_of("mailq"), "mailq");
  EXPECT_EQ(program_of("/usr/sbin/sidegate"), "");
}

}  // namespace
}  // namespace sidegate::submit::arguments_test
