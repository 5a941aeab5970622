#include "cli/programs.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace sidegate::cli::programs_test {
namespace {

TEST(Programs, AreKnownByName) {
  struct Case {
    std::vector<std::string> line;
    std::string name;
    std::size_t arguments;
    std::string config;
  };
  const Case cases[] = {
      {{"/usr/sbin/sendmail", "-t"}, "sendmail", 1, ""},
      {{"mailq"}, "mailq", 0, ""},
      {{"/usr/sbin/sidegate", "sendmail", "-t", "-i"}, "sendmail", 2, ""},
      {{"sidegate", "--config", "/x.toml", "newaliases"}, "newaliases", 0, "/x.toml"},
      {{"sidegate", "--config=/x.toml", "mailq"}, "mailq", 0, "/x.toml"},
      {{"sidegate", "queue", "list"}, "", 0, ""},
      {{"sidegate", "/usr/sbin/sendmail"}, "", 0, ""},
      {{"sidegate"}, "", 0, ""},
      {{}, "", 0, ""},
  };
  for (const Case& c : cases) {
    Program program = program_in(c.line);
    EXPECT_EQ(program.name, c.name);
    EXPECT_EQ(program.arguments.size(), c.arguments);
    EXPECT_EQ(program.config, c.config);
  }
}

TEST(Mailq, PrintsWhatPostfixPrints) {
  setenv("TZ", "UTC", 1);
  tzset();
  MailqSum sum;
  EXPECT_EQ(mailq_end(sum), "Mail queue is empty\n");
  std::string text = mailq_text(
      R"({"id":"0123456789ABC","state":"deferred","arrived":"2026-11-22T01:50:11Z","size":1234,"from":"a@x.example",)"
      R"("to":["b@y.example","c@y.example"],"reason":"192.0.2.1 said: 451 4.7.1 later"})",
      sum);
  EXPECT_EQ(text,
            "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
            "0123456789ABC     1234 Sun Nov 22 01:50:11  a@x.example\n"
            "                                             (192.0.2.1 said: 451 4.7.1 later)\n"
            "                                         b@y.example\n"
            "                                         c@y.example\n");
  text = mailq_text(R"({"id":"0123456789ABD","state":"active","arrived":"2026-11-22T01:50:11Z","size":2000,"from":"",)"
                    R"("to":["b@y.example"]})",
                    sum);
  EXPECT_TRUE(text.starts_with("\n0123456789ABD*    2000 Sun Nov 22 01:50:11  MAILER-DAEMON\n")) << text;
  MailqSum other;
  text = mailq_text(R"({"id":"0123456789ABC","size":1,"from":"a@x","to":["b@y","c@y","d@y","e@y"],)"
                    R"("reason":"late","reasons":["busy","busy","","late"]})",
                    other);
  EXPECT_TRUE(
      text.ends_with("(busy)\n"
                     "                                         b@y\n"
                     "                                         c@y\n"
                     "                                         d@y\n" +
                     std::string(72, ' ') +
                     "(late)\n"
                     "                                         e@y\n"))
      << text;
  text = mailq_text(R"({"id":"0123456789ABE","state":"held","size":1,"from":"x","to":[]})", sum);
  EXPECT_TRUE(text.starts_with("\n0123456789ABE!")) << text;
  EXPECT_EQ(mailq_end(sum), "\n-- 4 Kbytes in 3 Requests.\n");
  EXPECT_EQ(mailq_text("no json", sum), "");
}

}  // namespace
}  // namespace sidegate::cli::programs_test
