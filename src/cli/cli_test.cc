#include "cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sysexits.h>

#include <filesystem>
#include <sstream>

#include "config/test_files.h"
#include "queue/memory_store.h"

namespace sidegate::cli::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

class CliTest : public testing::Test {
 protected:
  CliTest() {
    hooks_.version = "1.2";
    hooks_.clock = &clock_;
    hooks_.load_request = [this](std::string path) {
      config::LoadRequest request;
      request.path = path.empty() ? files_.path("sidegate.toml") : path;
      request.system_name = "mail.example.org";
      return request;
    };
    write("");
  }
  void write(const std::string& more) {
    files_.write("sidegate.toml", "control_socket = \"" + files_.path("control") + "\"\n" + more +
                                      "[[relay]]\nname = \"isp\"\nhost = \"smtp.example\"\n");
  }
  int run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    Terminal terminal{out_, err_, false, false, false, 0};
    return cli::run(arguments, hooks_, terminal);
  }

  config::TestFiles files_;
  ManualClock clock_;
  Hooks hooks_;
  std::ostringstream out_, err_;
};

TEST_F(CliTest, ArgumentsAndExitCodes) {
  struct Case {
    std::vector<std::string> arguments;
    int code;
    const char* out;
    const char* err;
  };
  const Case cases[] = {
      {{"version"}, EX_OK, "sidegate 1.2\n", ""},
      {{"--version"}, EX_OK, "sidegate 1.2\n", ""},
      {{"-V"}, EX_OK, "sidegate 1.2\n", ""},
      {{"version", "--json"}, EX_OK, "{\"version\":\"1.2\"}\n", ""},
      {{"--help"}, EX_OK, "queue", ""},
      {{"queue", "list", "--help"}, EX_OK, "--relay", ""},
      {{}, EX_USAGE, "", "sidegate --help"},
      {{"nonsense"}, EX_USAGE, "", "there is no command \"sidegate nonsense\"\n  help: sidegate --help"},
      {{"statsu"}, EX_USAGE, "", "did you mean sidegate status?"},
      {{"queue", "lst"},
       EX_USAGE,
       "",
       "there is no command \"sidegate queue lst\"\n  did you mean sidegate queue list?"},
      {{"queue", "delete", "--all", "--dryrun"}, EX_USAGE, "", "sidegate queue delete --help"},
      {{"queue"}, EX_USAGE, "", "sidegate queue --help"},
      {{"queue", "list", "--limit", "-1"}, EX_USAGE, "", "--limit"},
      {{"queue", "list", "--limit", "0"}, EX_USAGE, "", "--limit"},
      {{"queue", "list", "--limit", "few"}, EX_USAGE, "", "--limit"},
      {{"queue", "list", "--nonsense"}, EX_USAGE, "", "sidegate queue list --help"},
      {{"queue", "delete"}, EX_USAGE, "", "--all"},
      {{"queue", "show", "xyz"}, EX_DATAERR, "", "\"xyz\" is not a queue id"},
      {{"status"}, EX_UNAVAILABLE, "", "no server answers at"},
      {{"queue", "delete", "--all"}, EX_UNAVAILABLE, "", "systemctl start sidegate"},
      {{"config", "check"}, EX_OK, "in order", ""},
      {{"config", "show"}, EX_OK, "[[relay]]", ""},
      {{"config", "diff"}, EX_OK, "relay.0.host = \"smtp.example\"", ""},
      {{"config", "default"}, EX_OK, "#hostname = ", ""},
      {{"config", "explain", "relay.host"}, EX_OK, "SIDEGATE_RELAY_0_HOST", ""},
      {{"config", "explain", "relay.hots"}, EX_USAGE, "", "did you mean relay.host?"},
      {{"config", "reference"}, EX_OK, "# Configuration reference", ""},
      {{"explain", "reply", "550 5.4.5 Daily user sending quota exceeded"}, EX_OK, "quota-exceeded", ""},
      {{"explain", "reply", "550 5.1.1 no such user", "--way", "isp"}, EX_OK, "it fails for this recipient", ""},
      {{"explain", "reply", "550 no", "--way", "nobody"},
       EX_DATAERR,
       "",
       "no way out is called nobody; there are: isp, direct"},
      {{"explain", "reply", "550 5.1.1 no such user", "--way", "direct"}, EX_OK, "it fails for this recipient", ""},
      {{"explain", "reply", "454 4.7.0 Too many login attempts"}, EX_OK, "stage       auth", ""},
      {{"explain", "reply", "535 5.7.8 Username and Password not accepted"}, EX_OK, "stage       auth", ""},
      {{"explain", "reply", "550 5.7.26 unauthenticated email, SPF authentication failed"},
       EX_OK,
       "stage       rcpt",
       ""},
      {{"explain", "route", "--from", "a@b.example", "--to", "c@d.example", "--listener", "nope"},
       EX_DATAERR,
       "",
       "there is no listener nope"},
      {{"doctor", "--offline", "--only", "network"}, EX_USAGE, "", "--offline leaves nothing to look at"},
      {{"explain", "reply", "hello"}, EX_DATAERR, "", "is no SMTP reply"},
      {{"explain", "reply", "250 ok"}, EX_OK, "delivered", ""},
      {{"explain", "reply", "535 5.7.8 no", "--stage", "nowhere"}, EX_USAGE, "", "nowhere"},
      {{"explain", "sender", "--from", "root"}, EX_OK, "MAIL FROM:<root@", ""},
      {{"explain", "sender", "--from", "<>", "--json"}, EX_OK, "\"sender\":\"\"", ""},
      {{"explain", "sender", "--from", "a@b.example", "--way", "nobody"}, EX_NOINPUT, "", "there is no way nobody"},
      {{"explain", "sender", "--from", "a b"}, EX_DATAERR, "", "is no mail address"},
      {{"dkim", "new", "example.org", "--dry-run", "--algorithm", "ed25519"},
       EX_OK,
       "_domainkey.example.org. IN TXT",
       ""},
      {{"dkim", "new", "a b", "--dry-run"}, EX_USAGE, "", "is no domain"},
      {{"dkim", "show"}, EX_OK, "sidegate dkim new DOMAIN", ""},
      {{"config", "autoconfig"}, EX_CONFIG, "", "no listener is for users' mail clients"},
      {{"check", "listeners", "--port", "25"}, EX_USAGE, "", "--port is for another HOST"},
      {{"check", "listeners", "mail.example", "--port", "x/y"}, EX_USAGE, "", "x/y is no port"},
      {{"check", "listeners", "mail.example", "--rcpt", "nobody"}, EX_USAGE, "", "nobody is no mail address"},
      {{"relay", "test", "nowhere"}, EX_CONFIG, "", "there are: isp"},
      {{"relay", "test", "isp", "--tls", "foo"}, EX_USAGE, "", "\"foo\" is not one of"},
      {{"relay", "test", "isp", "--ca-file", "/nowhere.pem"}, EX_USAGE, "", "/nowhere.pem cannot be read"},
      {{"relay", "test", "smtp.example:1", "--tls", "foo"}, EX_USAGE, "", "\"foo\" is not one of"},
      {{"relay", "test", "isp", "--from", "bad address"}, EX_USAGE, "", "bad address is no mail address"},
      {{"relay", "test", "isp", "--from", "<<a@b.example>>"}, EX_USAGE, "", "is no mail address"},
      {{"config", "check", "--config", "/nowhere/x.toml"}, EX_CONFIG, "/nowhere/x.toml cannot be read", ""},
      {{"run", "--config", "/nowhere/x.toml"}, EX_CONFIG, "", "/nowhere/x.toml cannot be read"},
  };
  for (const Case& c : cases) {
    const std::string shown = testing::PrintToString(c.arguments);
    EXPECT_EQ(run(c.arguments), c.code) << shown << out_.str() << err_.str();
    EXPECT_THAT(out_.str(), HasSubstr(c.out)) << shown;
    EXPECT_THAT(err_.str(), HasSubstr(c.err)) << shown;
    EXPECT_THAT(out_.str() + err_.str(), Not(HasSubstr("\033"))) << shown;
  }
}

TEST_F(CliTest, RunIsGivenTheConfiguration) {
  std::string host;
  hooks_.run = [&](const config::LoadRequest&, config::Loaded loaded) {
    host = loaded.settings.deliver.relays[0].host;
    return 7;
  };
  EXPECT_EQ(run({"run"}), 7);
  EXPECT_EQ(host, "smtp.example");
}

// What the defaults would come to is no news about this machine.
TEST_F(CliTest, DoctorJudgesNoDefaultsAsIfTheyWereYours) {
  write("hostnam = \"x\"\n");
  EXPECT_EQ(run({"doctor", "--offline", "--json"}), 2);
  EXPECT_THAT(out_.str(), HasSubstr("sidegate.toml:2:"));
  EXPECT_THAT(out_.str(), HasSubstr("\"check\":\"left_out\""));
  for (const char* check : {"way_out", "hostname", "root_alias", "queue", "disk", "sender_domain", "listener"})
    EXPECT_THAT(out_.str(), Not(HasSubstr(std::string("\"check\":\"") + check + "\""))) << check;
}

TEST_F(CliTest, ANewKeysPathIsAbsolute) {
  const std::string before = std::filesystem::current_path();
  std::filesystem::current_path(files_.path(""));
  EXPECT_EQ(run({"dkim", "new", "example.org", "--algorithm", "ed25519", "--directory", "keys"}), EX_OK) << err_.str();
  std::filesystem::current_path(before);
  EXPECT_THAT(out_.str(), HasSubstr("key_file = \"" + std::filesystem::canonical(files_.path("keys")).string() + "/"));
}

TEST_F(CliTest, CheckSaysEverythingAsTextAndAsJson) {
  write("threads = 9999\nhostnam = \"x\"\n");
  EXPECT_EQ(run({"config", "check"}), EX_CONFIG);
  EXPECT_THAT(out_.str(), HasSubstr("sidegate.toml:2: error: threads: 9999 is not between 0 and 1024"));
  EXPECT_THAT(out_.str(), HasSubstr("did you mean \"hostname\"?"));
  EXPECT_EQ(run({"config", "check", "--json"}), EX_CONFIG);
  EXPECT_THAT(out_.str(), HasSubstr("{\"severity\":\"error\",\"file\":"));
  EXPECT_EQ(std::ranges::count(out_.str(), '\n'), 2);
}

TEST_F(CliTest, TheQueueIsReadWhileTheServerIsDown) {
  queue::MemoryCluster cluster(clock_);
  auto store = std::make_unique<queue::MemoryStore>(cluster, 0);
  auto message = std::make_shared<queue::Message>();
  message->id = QueueIdSource(clock_).next();
  message->envelope.reverse_path = "me@example.com";
  message->envelope.recipients = {{"taro..k@example.net", {}, {}}};
  message->classes = {1};
  store->commit(queue::Intern{{{1, {"example.net", "me", "", "in"}}}}, [](Status) {});
  store->commit(queue::Accept{message, "A: b\r\n", "\r\n", 0, {{message->id, 1, clock_.wall(), 0, 0, false, 0}}},
                [](Status s) { EXPECT_TRUE(s); });
  hooks_.open_queue = [&](const std::string&) -> Result<std::unique_ptr<queue::Store>> {
    return std::make_unique<queue::MemoryStore>(cluster, 1);
  };
  EXPECT_EQ(run({"queue", "list"}), EX_OK) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("taro..k@example.net"));
  EXPECT_THAT(err_.str(), HasSubstr("the server is down"));
  EXPECT_EQ(run({"queue", "list", "--json", "--to", "@example.net"}), EX_OK);
  EXPECT_THAT(out_.str(), HasSubstr("\"id\":\"" + message->id.text() + "\""));
  EXPECT_EQ(run({"queue", "show", message->id.text()}), EX_OK);
  EXPECT_THAT(out_.str(), HasSubstr("no attempt that counts was made yet"));
  EXPECT_EQ(run({"queue", "show", QueueId{99}.text()}), EX_NOINPUT);
  for (const char* form : {"--json", "--to=@example.net"}) {  // the same exit codes for people and programs
    EXPECT_EQ(run({"queue", "list", message->id.text(), form}), EX_OK) << form;
    EXPECT_EQ(run({"queue", "list", QueueId{99}.text(), message->id.text(), form}), EX_NOINPUT) << form;
    EXPECT_THAT(out_.str(), HasSubstr(message->id.text()));
    EXPECT_THAT(err_.str(), HasSubstr(QueueId{99}.text()));
    EXPECT_EQ(run({"queue", "delete", "--dry-run", QueueId{99}.text(), form}), EX_NOINPUT) << form;
  }
  EXPECT_EQ(run({"queue", "hold", "--all"}), EX_UNAVAILABLE);
}

TEST(TerminalText, WidthIsThatOfTheCharacters) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("日本語"), 6u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("\xff\xfe"), 2u);
  EXPECT_EQ(cut("日本語日本語", 7), "日本...");
  EXPECT_EQ(cut("abc", 0), "abc");
  EXPECT_EQ(padded("日本", 6), "日本  ");
  EXPECT_EQ(table({"A", "LONGER"}, {{"x", "1"}, {"日本", "2 and a long text"}}, 12),
            "A     LONGER\nx     1\n日本  2 a...\n");
}

TEST(TerminalText, Words) {
  EXPECT_EQ(size_words(999), "999 B");
  EXPECT_EQ(size_words(4300), "4.2 KiB");
  EXPECT_EQ(age_words(90), "1min");
  EXPECT_EQ(age_words(-5), "0s");
}

// Nothing goes out, the server is down, and all that can be looked at is.
TEST_F(CliTest, DoctorOffline) {
  const int code = run({"doctor", "--offline", "--json"});
  EXPECT_GE(code, 1) << "the server is not running";
  EXPECT_LE(code, 2);
  for (const char* check : {"server", "queue", "disk", "clock", "result"})
    EXPECT_THAT(out_.str(), HasSubstr(std::string("{\"check\":\"") + check + "\""));
  for (const char* check : {"port", "dns", "relay", "way_out", "sender_domain"})
    EXPECT_THAT(out_.str(), Not(HasSubstr(std::string("{\"check\":\"") + check + "\""))) << check;
  EXPECT_EQ(run({"doctor", "--only", "nonsense"}), EX_USAGE);
  EXPECT_THAT(err_.str(), HasSubstr("network | machine"));
}

}  // namespace
}  // namespace sidegate::cli::cli_test
