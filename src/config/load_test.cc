#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "config/test_files.h"
#include "config/test_load.h"

namespace sidegate::config::load_test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string errors_of(const LoadRequest& r) {
  auto loaded = load(r);
  return loaded ? "no error" : text_of(loaded.error());
}

Settings settings_of(const LoadRequest& r) {
  auto loaded = load(r);
  EXPECT_TRUE(loaded) << text_of(loaded.error());
  return loaded ? loaded->settings : Settings{};
}

const std::string kRelay = "[[relay]]\nhost = \"smtp.example\"\n";

// What was given and could not be read is one error, and not missing as well.
TEST(Load, WhatCouldNotBeReadIsNotMissing) {
  for (const char* text :
       {"[[relay]]\nhost = 3", "[[relay]]\nhosts = [1]", "[[relay]]\nprovider = 7\nuser = \"me\"\npassword = \"x\"",
        "[[relay]]\nhost = \"x.example\"\nuser = \"me\"\npassword = 12345",
        "[[relay]]\nhost = \"x.example\"\nuser = \"me\"\npassword_file = 7",
        "[[relay]]\nhost = \"x.example\"\nuser = 5\npassword = \"x\"\nidentity = \"account\"",
        "[[relay]]\nhost = \"x.example\"\nidentity = \"account\"\naddress = 1",
        "[[relay]]\nhost = \"x.example\"\nidentity = \"allowed\"\nallowed = 1",
        "[[relay]]\nprovider = \"ses\"\nregion = 1\nuser = \"me\"\npassword = \"x\""}) {
    auto loaded = load(request_of(text));
    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().size(), 1u) << text << "\n" << text_of(loaded.error());
    EXPECT_THAT(text_of(loaded.error()), HasSubstr("must be")) << text;
  }
}

struct ErrorCase {
  const char* text;
  std::vector<const char*> expected;  // each must be there
};

TEST(Load, ErrorsNameLineCauseAndNextStep) {
  const ErrorCase cases[] = {
      {"hostnam = \"a.example\"", {"f:1: unknown key \"hostnam\" in the top level", "did you mean \"hostname\"?"}},
      {"\n\n[[relay]]\nhots = \"x.example\"\nhost = \"x.example\"",
       {"f:4: unknown key \"hots\" in [[relay]]", "did you mean \"host\"?"}},
      {"[[relay]]\nhost = \"x.example\"\nmax-message-size = 1",
       {"f:3:", "\"max_message_size\" belongs into [[listener]]"}},
      {"[[relay]]\nhost = \"x.example\"\ntls-verify = true", {"f:3:", "did you mean \"tls_verify\"?"}},
      {"[[relay]]\nhost = \"x.example\"\nhostname = \"a.b\"",
       {"f:3:", "\"hostname\" stands at the top, before the first [block]"}},
      {"style = \"json\"", {"f:1:", "\"style\" belongs into [log]"}},
      {"[[relays]]\nhost = \"x\"", {"f:1: unknown block [[relays]]", "did you mean [[relay]]?"}},
      {"[[user]]\nname = \"x\"", {"f:1: unknown block [[user]]", "did you mean [[user_rule]]?"}},
      {"user = \"x\"\n[[user]]\nname = \"x\"", {"f:2:", "did you mean [[user_rule]]?"}},
      {"[[user_rule]]\nname = \"a b\"", {"f:2: name: \"a b\" is no user's name"}},
      {"[[user_rule]]\nname = \"a\"\nsenders = [\"x@\"]", {"f:3: senders: \"x@\""}},
      {"[[user_rule]]\nname = \"*@b.example\"\n[[user_rule]]\nname = \"*@b.example\"", {"f:4:", "is there twice"}},
      {"[[user_rule]]\nname = \"*@b.example\"\n[[user_rule]]\nname = \"*@B.example\"", {"f:4:", "is there twice"}},
      {"[[user_rule]]\nname = \"*\"\n[[user_rule]]\nname = \"*@b.example\"", {"f:4:", "never counts"}},
      {"[[reply]]\ntext = \"x\"", {"f:1: [[reply]] has no meaning"}},
      {"[[reply]]\nmeaning = \"greylisted\"", {"f:2: [[reply]] fits every reply"}},
      {"[[reply]]\ncode = \"5\"\nmeaning = \"greylist\"", {"f:3: meaning: ", "did you mean \"greylisted\"?"}},
      {"[[reply]]\ncode = \"600\"\nmeaning = \"virus\"", {"f:2: code: \"600\" is no code"}},
      {"[[reply]]\nstatus = \"5.7\"\nmeaning = \"virus\"", {"f:2: status: \"5.7\" is no enhanced code"}},
      {"[[reply]]\ncode = \"5\"\nstage = [\"helo\"]\nmeaning = \"virus\"", {"f:3: stage: \"helo\" is not greeting"}},
      {"\n[loging]\nstyle = \"json\"", {"f:2: unknown block [loging]", "did you mean [log]?"}},
      {"[relay]\nhost = \"x.example\"", {"f:1: relay is written with double brackets", "write [[relay]]"}},
      {"[[log]]\nstyle = \"json\"", {"f:1: log is written with single brackets", "write [log]"}},
      {"[[relay]]\nhost = \"smtps://x.example:465\"",
       {"f:2:", "\"smtps://x.example:465\" is no host name", "tls = \"implicit\""}},
      {"[[relay]]\nname = \"isp\"", {"f:1: [[relay]] has no host", "add host = \"...\""}},
      {"threads = \"4\"", {"f:1: threads: must be a whole number without quotes, not text"}},
      {"threads = 1.5", {"f:1: threads: must be a whole number, not a number with a fraction"}},
      {"threads = -1", {"f:1: threads: -1 is negative"}},
      {"threads = 5000", {"f:1: threads: 5000 is not between 0 and 1024"}},
      {"hostname = 5", {"f:1: hostname: must be text in quotes, not a number"}},
      {"hostname = \"a\\r\\nQUIT\"", {"f:1: hostname: must not hold control characters"}},
      {"hostname = \"not a name\"", {"f:1: hostname: \"not a name\" is not a host name"}},
      {"[[relay]]\nhost = \"smtp.isp.example\"\nidentity = \"account\"",
       {"f:3: relay \"smtp.isp.example\": identity = \"account\" needs the account's mail address, and user is none",
        "add address = \"me@isp.example\""}},
      {"[[relay]]\nhost = \"127.0.0.1\"\nuser = \"ann\"\npassword = \"p\"\nidentity = \"account\"",
       {"f:5:", "add address = \"ann@example.org\""}},
      {"[rewrite]\nmasquerade_domains = [\"a b\"]", {"f:2: masquerade_domains:"}},
      {"[rewrite]\nmasquerade_classes = [\"header_senders\"]", {"f:2:", "did you mean \"header_sender\"?"}},
      {"[rewrite]\ngeneric_file = \"regexp:/etc/postfix/generic\"", {"f:2: generic_file:", "type \"regexp\""}},
      {"[rewrite]\ngeneric_file = \"hash:/nonexistent/generic\"", {"f:2: generic_file: /nonexistent/generic"}},
      {"[rewrite]\ngeneric = { root = \"me\", \"a b\" = \"x@y.example\" }", {"f:2: generic: \"a b\" is no address"}},
      {"[rewrite]\ngeneric = { root = \"me@@\" }", {"f:2: generic: \"root\" leads to \"me@@\""}},
      {"[rewrite]\ngeneric = [\"root\"]", {"f:2: generic: must be a table"}},
      {"[rewrite]\ngenerics = { root = \"a@b.example\" }", {"f:2:", "did you mean \"generic\"?"}},
      {"[[relay]]\nhost = \"x.example\"\nidentity = \"allowed\"\naddress = \"me@x.example\"",
       {"f:3:", "needs the list", "add allowed"}},
      {"[[relay]]\nhost = \"x.example\"\nallowed = [\"@y.example\"]", {"identity = \"allowed\" needs the account's"}},
      {"[[relay]]\nhost = \"x.example\"\nallowed = [\"y.example\"]",
       {"f:3:", "a whole domain is written \"@y.example\""}},
      {"[[relay]]\nhost = \"x.example\"\nidentity = \"acount\"", {"f:3: identity:", "did you mean \"account\"?"}},
      {"[[relay]]\nhost = \"x.example\"\naddress = \"me\"", {"f:3: address: \"me\" is not a mail address"}},
      {"forward_sender = \"sr\"", {"f:1: forward_sender:", "\"srs\" | \"account\" | \"keep\""}},
      {"srs_secret = \"0123456789abcdef\"\nsrs_secret_file = \"/x\"",
       {"f:1: srs_secret and srs_secret_file are both given"}},
      {"postmaster = \"nobody\"", {"f:1: postmaster: \"nobody\" is not a mail address"}},
      {"[queue]\nlifetime = 5", {"f:2: lifetime: 5 needs a unit, in quotes: \"5s\", \"5min\", \"5h\""}},
      {"[queue]\nlifetime = \"5 fortnights\"", {"f:2: lifetime: \"5 fortnights\" is not a duration"}},
      {"[queue]\nlifetime = \"100ms\"", {"f:2: lifetime: \"100ms\" is not between 1s and 60d"}},
      {"[queue]\nretry_first = \"5h\"", {"f:2: retry_first (5h) is longer than retry_max (4h)"}},
      {"[queue]\nmemory = \"50 parsec\"", {"f:2: memory: \"50 parsec\" is not a size"}},
      {"[queue]\nmemory = true", {"f:2: memory: must be a size such as \"50MiB\", not true or false"}},
      {"[queue]\npath = \"queue\"", {"f:2: path: \"queue\" must be a path from the root"}},
      {"[queue]\nsync = \"true\"", {"f:2: sync: must be true or false without quotes, not text"}},
      {"[log]\nstyle = \"postfx\"",
       {"f:2: style: \"postfx\" is not one of \"json\" | \"plain\" | \"postfix\": did you mean \"postfix\"?"}},
      {"[log]\nlevel = \"warn\"", {"f:2: level: \"warn\" is not one of"}},
      {"[[listener]]\naddress = \"localhost\"", {"f:2: address: \"localhost\" is not a numeric address"}},
      {"[[listener]]\naddress = \"*\"", {"f:2: address:", "\"0.0.0.0\" is every IPv4 address"}},
      {"[[listener]]\nport = \"submision\"", {"f:2: port: \"submision\" is not a port: did you mean \"submission\"?"}},
      {"[[listener]]\nport = 70000", {"f:2: port: 70000 is not a port: 1 to 65535"}},
      {"[[listener]]\nnetworks = \"10.0.0.0/8\"", {"f:2: networks: must be a list, [\"...\", \"...\"], not text"}},
      {"[[listener]]\nnetworks = [\"10.0.0.1/8\"]",
       {"f:2: networks: \"10.0.0.1/8\" has bits set behind the prefix: did you mean \"10.0.0.0/8\"?"}},
      {"[[listener]]\nnetworks = [\"0.0.0.0/0\"]", {"f:2: networks:", "open relay"}},
      {"[[listener]]\naddress = \"0.0.0.0\"\ntrust_loopback = true",
       {"f:3: listener 0.0.0.0:25: trust_loopback = true on an address that is reachable from outside"}},
      {"[[listener]]\nprofile = \"smtps\"", {"f:2: profile: \"smtps\" is not one of", "did you mean \"smtp\"?"}},
      {"[[listener]]\nprofile = \"smtp\"\ntrust_loopback = true",
       {"f:3: listener 127.0.0.1:25: trust_loopback = true and profile = \"smtp\""}},
      {"[[listener]]\nprofile = \"submissions\"\ntls = \"starttls\"", {"f:3: listener 127.0.0.1:465:", "RFC 8314"}},
      {"[[listener]]\nprofile = \"submission\"\ntls = \"none\"", {"f:3: listener", "inside TLS alone"}},
      {"[[listener]]\nauth = true", {"f:2: listener", "inside TLS alone"}},
      {"[[listener]]\nprofile = \"submission\"\nauth = false", {"f:3: listener", "nobody could send"}},
      {"[[listener]]\nport = 2525\n[[listener]]\nport = 2525",
       {"f:3: 127.0.0.1:2525 is listened on twice, the first time at f:1"}},
      {"[[relay]]\nname = \"a\"\nhost = \"x.example\"\n[[relay]]\nname = \"A\"\nhost = \"y.example\"",
       {"f:5: relay \"A\" is there twice, the first time at f:2"}},
      {"[[relay]]\nhost = \"smtp.example:465\"\nport = 587", {"f:3:", "host says port 465, port says 587"}},
      {"[[relay]]\nhost = \"[smtp.example:587\"", {"f:2:", "has no closing bracket"}},
      {"[[relay]]\nhost = \"smtp://x\"", {"f:2:", "host"}},
      {"[[relay]]\nhost = \"x.example\"\ntls = \"start_tls\"",
       {"f:3: tls: \"start_tls\" is not one of \"starttls\" | \"implicit\" | \"none\" | \"opportunistic\": did you "
        "mean \"starttls\"?"}},
      {"[[relay]]\nhost = \"x.example\"\nuser = \"me\"", {"f:3:", "user is given and no password", "password_file"}},
      {"[[relay]]\nhost = \"x.example\"\nmechanisms = [\"SCRAM-SHA256\"]",
       {"f:3: mechanisms: \"SCRAM-SHA256\" is not a mechanism we know: did you mean \"SCRAM-SHA-256\"?"}},
      {"[[relay]]\nhost = \"x.example\"\ntls_fingerprints = [\"sha256:12\"]",
       {"f:3: tls_fingerprints:", "64 hexadecimal digits"}},
      {"[[relay]]\nhost = \"x.example\"\ntls_ca_file = \"/nowhere/ca.pem\"",
       {"f:3:", "/nowhere/ca.pem cannot be read", "remove tls_ca_file"}},
      {"[[relay]]\nhost = \"x.example\"\nuser = \"me\"\npassword_file = \"/nowhere/isp.password\"",
       {"f:4:", "/nowhere/isp.password cannot be read: No such file or directory",
        "install -m 600 /dev/null /nowhere/isp.password"}},
      {"a = [", {"f:1:"}},
      {"hostname = \"a.b\"\nhostname = \"c.d\"", {"f:2:"}},
  };
  for (const ErrorCase& c : cases) {
    const std::string errors = errors_of(request_of(c.text));
    for (const char* part : c.expected) EXPECT_THAT(errors, HasSubstr(part)) << c.text;
  }
}

TEST(Load, AllErrorsAtOnceInTheOrderOfTheFile) {
  auto loaded = load(request_of("threads = 9999\nhostnam = \"x\"\n[log]\nstyle = 5\n[[relay]]\nport = 0\n"));
  ASSERT_FALSE(loaded);
  ASSERT_EQ(loaded.error().size(), 5u) << text_of(loaded.error());
  const unsigned lines[] = {1, 2, 4, 5, 6};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(loaded.error()[i].where.line, lines[i]) << loaded.error()[i].text();
}

TEST(Load, AnErrorNeverHoldsThePassword) {
  const char* texts[] = {"[[relay]]\nhost = \"x.example\"\npassword = hunter2\n",
                         "[[relay]]\nhost = \"x.example\"\npassword = \"hunter2\n",
                         "[[relay]]\nhost = \"x.example\"\npassword = [\"hunter2\"]\n",
                         "[[relay]]\nhost = \"x.example\"\nuser = \"u\"\npassword = \"hunter2\\n\"\n",
                         "[[relay]]\nhost = \"x.example\"\npassword = \"hunter2\" \"x\"\n",
                         "[[relay]]\nhost = 5\nuser = \"u\"\npassword = \"hunter2\"\n"};
  for (const char* text : texts) {
    const std::string errors = errors_of(request_of(text));
    EXPECT_THAT(errors, Not(HasSubstr("hunter2"))) << text;
    EXPECT_THAT(errors, Not(HasSubstr("no error"))) << text;
  }
}

TEST(Load, WhatARuleDoesNotSayIsAsForEverybody) {
  const Settings loaded = settings_of(
      request_of(std::string(kRelay) +
                 "[[user_rule]]\nname = \"Taro@Example.jp\"\nsenders = [\"@Example.ORG\", \"info@example.jp\", \"*\"]\n"
                 "messages_per_day = 7\n[users]\nmessages_per_day = 3\nbytes_per_day = \"1MiB\"\n"
                 "foreign_sender = \"rewrite\"\n[[user_rule]]\nname = \"*@example.jp\"\nsuspend_factor = 0\n"));
  ASSERT_EQ(loaded.users.some.size(), 2u);
  const intake::UserRules& taro = loaded.users.some[0];
  EXPECT_EQ(taro.name, "taro@example.jp");
  EXPECT_EQ(taro.senders, (std::vector<std::string>{"@example.org", "info@example.jp", "*"}));
  EXPECT_EQ(taro.messages_per_day, 7u);
  EXPECT_EQ(taro.bytes_per_day, 1u << 20);
  EXPECT_EQ(taro.foreign_sender, intake::ForeignSender::kRewrite);
  EXPECT_EQ(loaded.users.some[1].messages_per_day, 3u);
  EXPECT_EQ(loaded.users.some[1].suspend_factor, 0u);
  EXPECT_EQ(loaded.users.everybody.suspend_factor, 10u);
}

TEST(Load, DefaultsAreTheStructsOwn) {
  const Settings loaded = settings_of(request_of(kRelay));
  Settings own;
  own.deliver.relays.emplace_back();
  own.listeners.emplace_back();
  for (const Table& t : tables()) {
    // there are none by default
    if (t.name == "relay_domain" || t.name == "user_rule" || t.name == "blocklist" || t.name == "milter" ||
        t.name == "reply" || t.name == "dkim" || t.name == "route" || t.name == "tls_policy")
      continue;
    for (const Option& option : t.options) {
      if (option.name == "hostname" || option.name == "name" || option.name == "host" ||
          option.name == "password_file" || option.name == "local_domains")
        continue;
      const void* a = t.name == "relay"      ? static_cast<const void*>(&loaded.deliver.relays[0])
                      : t.name == "listener" ? static_cast<const void*>(&loaded.listeners[0])
                                             : &loaded;
      const void* b = t.name == "relay"      ? static_cast<const void*>(&own.deliver.relays[0])
                      : t.name == "listener" ? static_cast<const void*>(&own.listeners[0])
                                             : &own;
      if (option.name == "address") continue;  // the struct names none
      EXPECT_EQ(option.place.text(a), option.place.text(b)) << t.name << "." << option.name;
    }
  }
}

TEST(Load, AMilterSeesTheMailOfTheListenersItNames) {
  const std::string listeners =
      "[[listener]]\nname = \"in\"\naddress = \"192.0.2.1\"\nmax_message_size = \"64KiB\"\n"
      "[[listener]]\naddress = \"192.0.2.1\"\nport = 587\n[[listener]]\naddress = \"192.0.2.2\"\nport = 587\n";
  struct {
    const char* listeners;
    const char* seen;  // by each listener and "submit"
  } cases[] = {{"", "1110"},
               {"listeners = [\"in\"]\n", "1000"},
               {"listeners = [\"submission\"]\n", "0110"},
               {"listeners = [\"smtp\", \"IN\", \"submit\"]\n", "1001"}};
  for (const auto& c : cases) {
    const Settings s = settings_of(request_of(
        listeners + "[[milter]]\naddress = \"inet:8891@localhost\"\nfailure = \"accept\"\nmacros = [\"{a}=b=c\"]\n" +
        c.listeners));
    std::string seen;
    for (const auto& l : s.listeners) seen += std::to_string(l.milters.size());
    EXPECT_EQ(seen + std::to_string(s.submit_milters.size()), c.seen) << c.listeners;
    const milter::Settings& one = s.listeners[c.seen[0] == '1' ? 0 : 1].milters.at(0);
    EXPECT_EQ(one.name, "inet:localhost:8891");
    EXPECT_EQ(one.on_failure, milter::OnFailure::kAccept);
    EXPECT_EQ(one.macros.at("a"), "b=c");
    EXPECT_EQ(one.max_body, c.seen[0] == '1' ? 64u << 10 : 50u << 20);
    EXPECT_EQ(s.all_listeners().back().milters.size(), s.submit_milters.size());
  }
}

TEST(Load, WhatIsWrongWithAMilterIsSaid) {
  const ErrorCase cases[] = {
      {"[[milter]]\nname = \"x\"", {"f:1: [[milter]] has no address"}},
      {"[[milter]]\naddress = \"127.0.0.1:8891\"", {"f:2: address: ", "write inet:HOST:PORT or unix:/PATH"}},
      {"[[milter]]\naddress = \"unix:opendkim/opendkim.sock\"", {"f:2: address: "}},
      {"[[milter]]\naddress = \"inet:1@x\"\nlisteners = [\"127.0.0.1:26\"]",
       {"f:3: milter inet:x:1: no listener is called \"127.0.0.1:26\"", "did you mean \"127.0.0.1:25\"?"}},
      {"[[milter]]\naddress = \"inet:1@x\"\nmacros = [\"x\"]", {"f:3: macros: \"x\" is not \"name=value\""}},
      {"[[milter]]\naddress = \"inet:1@x\"\nprotocol = 7", {"f:3: protocol: "}},
      {"[[milter]]\naddress = \"inet:1@x\"\nfailure = \"reject\"", {"f:3: failure: ", "tempfail"}},
      {"[[milter]]\naddress = \"inet:1@x\"\n[[milter]]\naddress = \"inet:x:1\"",
       {"[[milter]] \"inet:x:1\" is there twice"}},
  };
  for (const ErrorCase& c : cases) {
    const std::string errors = errors_of(request_of(c.text));
    for (const char* expected : c.expected) EXPECT_THAT(errors, HasSubstr(expected)) << c.text;
  }
}

TEST(Load, TheAccountsAddressIsTheUserWhereThatIsOne) {
  struct {
    const char *lines, *address;
  } cases[] = {
      {"user = \"me@isp.example\"\npassword = \"p\"\nidentity = \"account\"\n", "me@isp.example"},
      {"user = \"me@isp.example\"\npassword = \"p\"\naddress = \"other@isp.example\"\n", "other@isp.example"},
      {"user = \"me\"\npassword = \"p\"\naddress = \"me@isp.example\"\nidentity = \"account\"\n", "me@isp.example"},
      {"user = \"me\"\npassword = \"p\"\n", ""},
      {"", ""},
  };
  for (const auto& c : cases)
    EXPECT_EQ(settings_of(request_of(kRelay + c.lines)).deliver.relays.at(0).address, c.address);
}

TEST(Load, ReturnAddressesAreOfTheHostByDefault) {
  Settings s = settings_of(request_of(kRelay));
  EXPECT_EQ(s.deliver.srs.domain, "mail.example.org");
  EXPECT_TRUE(s.deliver.srs.secrets.empty());
  EXPECT_EQ(s.deliver.srs.own, s.alias.local_domains);  // their senders need no rewriting
  EXPECT_EQ(s.deliver.forward_sender, deliver::ForwardSender::kSrs);
  s = settings_of(
      request_of("srs_domain = \"example.org\"\nsrs_secret = \"first-0123456789  second-0123456789\"\n" + kRelay));
  EXPECT_EQ(s.deliver.srs.domain, "example.org");
  EXPECT_EQ(s.deliver.srs.secrets, (std::vector<std::string>{"first-0123456789", "second-0123456789"}));
  auto loaded = load(request_of("srs_secret = \"short\"\n" + kRelay));
  ASSERT_TRUE(loaded);
  EXPECT_THAT(text_of(loaded->warnings), HasSubstr("f:1: the secret for return addresses is short"));
  EXPECT_THAT(text_of(loaded->warnings), Not(HasSubstr("\"short\"")));
}

TEST(Load, ListenersDefaultToLoopback) {
  const Settings s = settings_of(request_of(""));
  ASSERT_EQ(s.listeners.size(), 2u);
  EXPECT_EQ(s.listeners[0].name, "127.0.0.1:25");
  EXPECT_EQ(s.listeners[1].name, "[::1]:25");
  EXPECT_TRUE(s.listeners[0].trust_loopback);
  EXPECT_EQ(s.listeners[1].smtp.hostname, "mail.example.org");
}

TEST(Load, AListenerReachableFromOutsideTrustsNoLoopback) {
  const Settings s = settings_of(
      request_of("[[listener]]\naddress = \"0.0.0.0\"\nport = \"submission\"\n[[listener]]\naddress = \"[::1]\"\n"));
  EXPECT_FALSE(s.listeners[0].trust_loopback);
  EXPECT_EQ(s.listeners[0].port, 587);
  EXPECT_TRUE(s.listeners[1].trust_loopback);
  EXPECT_EQ(s.listeners[1].address, "::1");
}

TEST(Load, WhatFollowsFromAProfile) {
  using intake::ListenerTls;
  using intake::Profile;
  struct {
    const char* keys;
    Profile profile;
    unsigned port;
    ListenerTls tls;
    bool auth, trust_loopback;
  } cases[] = {
      {"", Profile::kLocal, 25, ListenerTls::kNone, false, true},
      {"port = 587", Profile::kLocal, 587, ListenerTls::kNone, false, true},
      {"address = \"/run/x\"", Profile::kLocal, 25, ListenerTls::kNone, false, true},
      {"address = \"0.0.0.0\"", Profile::kSmtp, 25, ListenerTls::kStartTls, false, false},
      {"address = \"192.168.1.2\"\nport = 2525", Profile::kSmtp, 2525, ListenerTls::kStartTls, false, false},
      {"address = \"::\"\nport = 587", Profile::kSubmission, 587, ListenerTls::kStartTls, true, false},
      {"address = \"::\"\nport = 465", Profile::kSubmissions, 465, ListenerTls::kImplicit, true, false},
      {"address = \"::\"\nport = 465\nprofile = \"smtp\"", Profile::kSmtp, 465, ListenerTls::kStartTls, false, false},
      {"profile = \"submission\"", Profile::kSubmission, 587, ListenerTls::kStartTls, true, false},
      {"profile = \"submissions\"", Profile::kSubmissions, 465, ListenerTls::kImplicit, true, false},
      {"profile = \"submissions\"\nport = 4465", Profile::kSubmissions, 4465, ListenerTls::kImplicit, true, false},
      {"profile = \"submission\"\ntls = \"implicit\"", Profile::kSubmission, 587, ListenerTls::kImplicit, true, false},
      {"profile = \"smtp\"", Profile::kSmtp, 25, ListenerTls::kStartTls, false, false},
      {"profile = \"smtp\"\nauth = true", Profile::kSmtp, 25, ListenerTls::kStartTls, true, false},
      {"profile = \"smtp\"\ntls = \"none\"", Profile::kSmtp, 25, ListenerTls::kNone, false, false},
      {"profile = \"local\"\naddress = \"192.168.1.2\"", Profile::kLocal, 25, ListenerTls::kNone, false, false},
      {"tls = \"starttls\"\nauth = true", Profile::kLocal, 25, ListenerTls::kStartTls, true, true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.keys);
    const Settings s = settings_of(request_of(std::string("[[listener]]\n") + c.keys + "\n"));
    const intake::ListenerSettings& l = s.listeners.at(0);
    EXPECT_EQ(l.profile, c.profile);
    EXPECT_EQ(l.port, c.port);
    EXPECT_EQ(l.tls, c.tls);
    EXPECT_EQ(l.auth, c.auth);
    EXPECT_EQ(l.trust_loopback, c.trust_loopback);
  }
}

struct HostCase {
  const char* keys;
  const char* host;
  unsigned port;
  deliver::TlsMode tls;
};

TEST(Load, HostPortAndTlsFollowFromEachOther) {
  using enum deliver::TlsMode;
  const HostCase cases[] = {
      {"host = \"smtp.example\"", "smtp.example", 587, kStartTls},
      {"host = \"smtp.example:465\"", "smtp.example", 465, kImplicit},
      {"host = \"[smtp.example]:587\"", "smtp.example", 587, kStartTls},
      {"host = \"[smtp.example]\"", "smtp.example", 587, kStartTls},
      {"host = \"smtp.example:submissions\"", "smtp.example", 465, kImplicit},
      {"host = \"smtp.example\"\nport = \"submissions\"", "smtp.example", 465, kImplicit},
      {"host = \"smtp.example\"\nport = 465\ntls = \"starttls\"", "smtp.example", 465, kStartTls},
      {"host = \"smtp.example\"\ntls = \"implicit\"", "smtp.example", 465, kImplicit},
      {"host = \"smtp.example\"\nport = 2465\ntls = \"implicit\"", "smtp.example", 2465, kImplicit},
      {"host = \"smtp.example:2525\"\nport = 2525", "smtp.example", 2525, kStartTls},
      {"host = \"smtp.example\"\nport = \"smtp\"\ntls = \"none\"", "smtp.example", 25, kNone},
      {"host = \"192.0.2.1\"", "192.0.2.1", 587, kStartTls},
      {"host = \"2001:db8::1\"", "[2001:db8::1]", 587, kStartTls},
      {"host = \"[2001:db8::1]:465\"", "[2001:db8::1]", 465, kImplicit},
  };
  for (const HostCase& c : cases) {
    const Settings s = settings_of(request_of(std::string("[[relay]]\n") + c.keys));
    ASSERT_EQ(s.deliver.relays.size(), 1u) << c.keys;
    EXPECT_EQ(s.deliver.relays[0].host, c.host) << c.keys;
    EXPECT_EQ(s.deliver.relays[0].port, c.port) << c.keys;
    EXPECT_EQ(s.deliver.relays[0].tls, c.tls) << c.keys;
    EXPECT_EQ(s.deliver.relays[0].name, c.host) << c.keys;
  }
}

TEST(Load, ReadsEveryKindOfValue) {
  const Settings s = settings_of(request_of(
      "hostname = \"a.example\"\npostmaster = \"me@example.org\"\n[queue]\nlifetime = \"1d 12h\"\nmemory = "
      "\"64MB\"\ndelay_report = 0\nmax_queued = 5\n"
      "[dns]\nservers = [\"127.0.0.1:5353\", \"[::1]:53\", \"192.0.2.1@54\", \"2001:db8::1\"]\n[log]\ntls = \"none\"\n"
      "[[relay]]\nhost = \"x.example\"\nmechanisms = [\"plain\"]\ndata_done_timeout = \"1min\"\ninsecure_auth = false\n"
      "tls_fingerprints = [\"sha256 Fingerprint=AA:" +
      [] {
        std::string t;
        for (int i = 0; i < 31; ++i) t += i < 30 ? "BB:" : "BB";
        return t;
      }() +
      "\"]\n"
      "[[listener]]\nnetworks = [\"192.168.1.7\", \"fd00::/8\"]\nmax_message_size = 1000000\nlong_lines = "
      "\"refuse\"\n"));
  EXPECT_EQ(s.deliver.hostname, "a.example");
  EXPECT_EQ(s.schedule.lifetime, std::chrono::hours(36));
  EXPECT_EQ(s.store.memory, 64'000'000u);
  EXPECT_EQ(s.schedule.delay_report.count(), 0);
  EXPECT_EQ(s.schedule.max_queued, 5u);
  EXPECT_EQ(s.dns.servers, (std::vector<std::string>{"127.0.0.1@5353", "::1@53", "192.0.2.1@54", "2001:db8::1"}));
  EXPECT_EQ(s.log.tls, LogTls::kNone);
  EXPECT_EQ(s.deliver.relays[0].mechanisms, std::vector<std::string>{"PLAIN"});
  EXPECT_EQ(s.deliver.relays[0].timeouts.data_done, std::chrono::minutes(1));
  EXPECT_EQ(s.deliver.relays[0].tls_fingerprints[0].substr(0, 13), "sha256:aabbbb");
  EXPECT_EQ(s.listeners[0].networks, (std::vector<std::string>{"192.168.1.7/32", "fd00::/8"}));
  EXPECT_EQ(s.listeners[0].smtp.max_message_size, 1'000'000u);
  EXPECT_EQ(s.listeners[0].smtp.long_lines, smtp::LongLines::kRefuse);
}

struct WarningCase {
  const char* text;
  const char* expected;
};

TEST(Load, WarnsForEver) {
  const WarningCase cases[] = {
      {"[direct]\nenabled = false", "no [[relay]] is given"},
      {"[queue]\nsync = false", "f:2: sync = false: mail answered 250 is lost at a power cut"},
      {"[[relay]]\nhost = \"x.example\"\ntls = \"none\"",
       "f:3: relay \"x.example\": tls = \"none\": everyone on the way can read"},
      {"[[relay]]\nhost = \"x.example\"\ntls = \"none\"\nuser = \"u\"\npassword = \"p\"",
       "f:3: relay \"x.example\": the password will not be sent"},
      {"[[relay]]\nhost = \"x.example\"\ntls = \"none\"\nuser = \"u\"\npassword = \"p\"\ninsecure_auth = true",
       "f:6: relay \"x.example\": insecure_auth = true: the password can be read"},
      {"[[relay]]\nhost = \"x.example\"\ntls = \"none\"\nuser = \"u\"\npassword = \"p\"\ninsecure_auth = \"challenge\"",
       "f:6: relay \"x.example\": insecure_auth = \"challenge\""},
      {"[[relay]]\nhost = \"x.example\"\ntls = \"none\"\nuser = \"u\"\npassword = \"p\"\ninsecure_auth = "
       "\"challenge\"\n"
       "mechanisms = [\"PLAIN\", \"LOGIN\"]",
       "f:7: relay \"x.example\": mechanisms names only those that show the password"},
      {"[[relay]]\nhost = \"x.example\"\ntls_verify = false\nuser = \"u\"\npassword = \"p\"",
       "f:3: relay \"x.example\": tls_verify = false"},
      {"[[relay]]\nhost = \"x.example\"\npassword = \"p\"", "f:3: relay \"x.example\": the password is never used"},
      {"[[relay]]\nhost = \"x.example:465\"\ntls = \"starttls\"",
       "f:3: relay \"x.example\": port 465 speaks TLS from the first octet"},
      {"[[listener]]\nnetworks = [\"8.8.8.0/24\"]", "f:2: listener 127.0.0.1:25: 8.8.8.0/24 is a public network"},
      {"[[listener]]\naddress = \"0.0.0.0\"\nnetworks = [\"127.0.0.0/8\"]", "behind a port forward"},
      {"[[listener]]\nprofile = \"smtp\"\nnetworks = [\"127.0.0.0/8\"]", "behind a port forward"},
      {"[[listener]]\nprofile = \"submission\"\nnetworks = [\"10.0.0.0/8\"]",
       "f:3: listener 127.0.0.1:587: networks has no effect"},
  };
  for (const WarningCase& c : cases) {
    auto loaded = load(request_of(c.text));
    ASSERT_TRUE(loaded) << c.text << "\n" << text_of(loaded.error());
    EXPECT_THAT(text_of(loaded->warnings), HasSubstr(c.expected)) << c.text;
  }
  auto quiet = load(request_of(kRelay));
  ASSERT_TRUE(quiet);
  EXPECT_EQ(text_of(quiet->warnings), "");
}

TEST(Load, AShortHostNameIsCompletedWithAWarning) {
  LoadRequest r = request_of(kRelay);
  r.system_name = "box";
  auto loaded = load(r);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->settings.hostname, "box.localdomain");
  EXPECT_THAT(text_of(loaded->warnings), HasSubstr("hostname = \"mail.example.org\""));
}

// --- the file itself

TEST(LoadFile, IsNamedByTheRequestThenTheEnvironment) {
  TestFiles files;
  LoadRequest r;
  r.system_name = "a.example";
  r.path = files.path("absent.toml");
  EXPECT_THAT(errors_of(r), HasSubstr("absent.toml cannot be read: No such file or directory"));
  EXPECT_THAT(errors_of(r), HasSubstr("sidegate config default >"));
  r.path.clear();
  r.environment = {{"SIDEGATE_CONFIG", files.write("f.toml", "hostname = \"b.example\"\n")}};
  EXPECT_EQ(settings_of(r).hostname, "b.example");
}

TEST(LoadFile, HoldingAPasswordAndReadableByOthersWarns) {
  TestFiles files;
  LoadRequest r;
  r.system_name = "a.example";
  const std::string text = kRelay + "user = \"u\"\npassword = \"hunter2\"\n";
  r.path = files.write("f.toml", text, 0644);
  auto loaded = load(r);
  ASSERT_TRUE(loaded);
  EXPECT_THAT(text_of(loaded->warnings), HasSubstr("chmod 640 " + r.path));
  r.path = files.write("g.toml", text, 0600);
  loaded = load(r);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(text_of(loaded->warnings), "");
  EXPECT_EQ(loaded->settings.deliver.relays[0].password, "hunter2");
}

struct PasswordCase {
  const char* content;
  unsigned mode;
  const char* password;  // null: refused
  const char* error;
};

TEST(LoadFile, PasswordFiles) {
  const PasswordCase cases[] = {
      {"hunter2\n", 0600, "hunter2", ""},
      {"hunter2\r\n", 0400, "hunter2", ""},
      {" spaces kept ", 0600, " spaces kept ", ""},
      {"hunter2\n", 0640, "hunter2", ""},
      {"hunter2\n", 0644, nullptr, "chmod 600 "},
      {"hunter2\n", 0604, nullptr, "chmod 600 "},
      {"hunter2\n", 0602, nullptr, "chmod 600 "},
      {"hunter2\n", 0660, nullptr, "chmod 640 "},
      {"hunter2\n", 0620, nullptr, "chmod 640 "},
      {"", 0600, nullptr, "is empty"},
      {"\n", 0600, nullptr, "is empty"},
      {"one\ntwo\n", 0600, nullptr, "more than one line"},
  };
  for (const PasswordCase& c : cases) {
    TestFiles files;
    const std::string path = files.write("p", c.content, c.mode);
    LoadRequest r = request_of(kRelay + "user = \"u\"\npassword_file = \"" + path + "\"\n");
    auto loaded = load(r);
    ASSERT_EQ(loaded.has_value(), c.password != nullptr) << c.content << c.mode;
    if (loaded) {
      EXPECT_EQ(loaded->settings.deliver.relays[0].password, c.password);
      continue;
    }
    EXPECT_THAT(text_of(loaded.error()), HasSubstr(c.error));
    EXPECT_THAT(text_of(loaded.error()), Not(HasSubstr("hunter2")));
    EXPECT_THAT(text_of(loaded.error()), HasSubstr("f:4:"));
  }
}

// The server process loads the same from what its parent read: the file itself it may not open.
TEST(LoadFile, TheSecretForReturnAddresses) {
  TestFiles files;
  const std::string path = files.write("srs", "0123456789abcdef\n", 0600);
  LoadRequest r = request_of("srs_secret_file = \"" + path + "\"\n" + kRelay);
  EXPECT_EQ(settings_of(r).deliver.srs.secrets, (std::vector<std::string>{"0123456789abcdef"}));
  LoadRequest blind = r;
  blind.files = std::make_shared<Files>(Files::unpacked(r.files->packed()).value());
  std::filesystem::remove(path);
  EXPECT_EQ(settings_of(blind).deliver.srs.secrets, (std::vector<std::string>{"0123456789abcdef"}));
  EXPECT_THAT(errors_of(r), HasSubstr("f:1: srs_secret_file: "));
}

TEST(LoadFile, OfAnotherGroupIsRefused) {
  TestFiles files;
  const std::string path = files.write("p", "x\n", 0640);
  if (chown(path.c_str(), static_cast<uid_t>(-1), 54321) != 0) GTEST_SKIP() << "skipped: only root gives files away";
  EXPECT_THAT(errors_of(request_of(kRelay + "user = \"u\"\npassword_file = \"" + path + "\"\n")),
              HasSubstr("can be read by group 54321"));
}

// --- the environment

TEST(LoadEnvironment, OverridesAndAdds) {
  auto loaded = load(
      request_of("hostname = \"a.example\"\n" + kRelay, {{"SIDEGATE_HOSTNAME", "b.example"},
                                                         {"SIDEGATE_LOG_STYLE", "postfix"},
                                                         {"SIDEGATE_RELAY_0_HOST", "y.example:465"},
                                                         {"SIDEGATE_RELAY_1_HOST", "z.example"},
                                                         {"SIDEGATE_RELAY_1_PORT", "submissions"},
                                                         {"SIDEGATE_LISTENER_0_NETWORKS", "10.0.0.0/8, 192.168.0.0/16"},
                                                         {"SIDEGATE_QUEUE_MAX_QUEUED", "7"},
                                                         {"SIDEGATE_QUEUE_MIN_FREE_SPACE", "1MiB"},
                                                         {"SIDEGATE_RELAY_0_TLS_VERIFY", "yes"},
                                                         {"HOME", "/"}}));
  ASSERT_TRUE(loaded) << text_of(loaded.error());
  const Settings& s = loaded->settings;
  EXPECT_EQ(s.hostname, "b.example");
  EXPECT_EQ(s.log.style, LogStyleName::kPostfix);
  EXPECT_EQ(s.deliver.relays[0].host, "y.example");
  EXPECT_EQ(s.deliver.relays[1].port, 465);
  EXPECT_EQ(s.deliver.relays[1].tls, deliver::TlsMode::kImplicit);
  EXPECT_EQ(s.listeners[0].networks.size(), 2u);
  EXPECT_EQ(s.schedule.max_queued, 7u);
  EXPECT_EQ(loaded->sources.at("relay.0.host").text(), "$SIDEGATE_RELAY_0_HOST");
}

TEST(LoadEnvironment, FileFormsAreRead) {
  TestFiles files;
  const std::string password = files.write("p", "hunter2\n"), name = files.write("n", "c.example\n", 0644);
  Settings s =
      settings_of(request_of(kRelay + "user = \"u\"\npassword = \"old\"\n",
                             {{"SIDEGATE_RELAY_0_PASSWORD_FILE", password}, {"SIDEGATE_HOSTNAME_FILE", name}}));
  EXPECT_EQ(s.deliver.relays[0].password, "hunter2");
  EXPECT_EQ(s.hostname, "c.example");
  s = settings_of(
      request_of(kRelay + "user = \"u\"\npassword_file = \"/nowhere\"\n", {{"SIDEGATE_RELAY_0_PASSWORD", "direct"}}));
  EXPECT_EQ(s.deliver.relays[0].password, "direct");
}

// `config show` and `queue list` go by the same values, and look at no password.
TEST(LoadEnvironment, FilesAreReadWherePasswordsAreNot) {
  TestFiles files;
  const std::string style = files.write("s", "postfix\n"), host = files.write("h", "env.example\n");
  LoadRequest r = request_of(kRelay, {{"SIDEGATE_LOG_STYLE_FILE", style},
                                      {"SIDEGATE_RELAY_0_HOST_FILE", host},
                                      {"SIDEGATE_HOSTNAME_FILE", "/nowhere/not-for-this-user"}});
  r.open_files = false;
  const Settings s = settings_of(r);
  EXPECT_EQ(s.deliver.relays[0].host, "env.example");
  EXPECT_EQ(s.hostname, "mail.example.org");
  EXPECT_EQ(load(r)->sources.at("log.style").file, "$SIDEGATE_LOG_STYLE_FILE");
}

TEST(LoadEnvironment, Errors) {
  struct Case {
    std::pair<const char*, const char*> variable;
    std::vector<const char*> expected;
  };
  const Case cases[] = {
      {{"SIDEGATE_RELAY_0_HOTS", "x"},
       {"$SIDEGATE_RELAY_0_HOTS: unknown variable", "did you mean SIDEGATE_RELAY_0_HOST?"}},
      {{"SIDEGATE_HOSTNAM", "x"}, {"$SIDEGATE_HOSTNAM: unknown variable", "did you mean SIDEGATE_HOSTNAME?"}},
      {{"SIDEGATE_RELAY_2_HOST", "x.example"}, {"$SIDEGATE_RELAY_2_HOST: there is no [[relay]] 1 before it"}},
      {{"SIDEGATE_THREADS", "many"}, {"$SIDEGATE_THREADS: threads: must be a whole number, not \"many\""}},
      {{"SIDEGATE_HOSTNAME_FILE", "/nowhere/n"}, {"$SIDEGATE_HOSTNAME_FILE: /nowhere/n cannot be read"}},
      {{"SIDEGATE_RELAY_0_PASSWORD_FILE", "/nowhere/p"},
       {"$SIDEGATE_RELAY_0_PASSWORD_FILE:", "/nowhere/p cannot be read"}},
      {{"SIDEGATE_QUEUE_SYNC", "maybe"}, {"$SIDEGATE_QUEUE_SYNC: sync: must be true or false"}},
  };
  for (const Case& c : cases) {
    const std::string errors = errors_of(request_of(kRelay, {{c.variable.first, c.variable.second}}));
    for (const char* part : c.expected) EXPECT_THAT(errors, HasSubstr(part)) << c.variable.first;
  }
  EXPECT_THAT(
      errors_of(request_of(kRelay, {{"SIDEGATE_HOSTNAME", "a.example"}, {"SIDEGATE_HOSTNAME_FILE", "/etc/hostname"}})),
      HasSubstr("only one of them can count"));
}

TEST(LoadEnvironment, WhatIsNotConfigurationIsLeftAlone) {
  settings_of(request_of(kRelay, {{"SIDEGATE_TEST_KILLS", "5"},
                                  {"SIDEGATE_CASES", "/c"},
                                  {"SIDEGATE_PORT", "tcp://10.0.0.1:25"},
                                  {"SIDEGATE_PORT_25_TCP_ADDR", "10.0.0.1"},
                                  {"SIDEGATE_SERVICE_HOST", "10.0.0.1"},
                                  {"SIDEGATE_SERVICE_PORT_SMTP", "25"},
                                  {"SIDEGATE_SMTP_PORT_25_TCP", "tcp://10.0.0.1:25"}}));
}

TEST(LoadEnvironment, AloneIsEnoughWhereNoFileWasAskedFor) {
  if (access(kDefaultPath, F_OK) == 0) GTEST_SKIP() << "skipped: " << kDefaultPath << " is there";
  LoadRequest r;
  r.system_name = "a.example";
  EXPECT_THAT(errors_of(r), HasSubstr(kDefaultPath));
  r.environment = {{"SIDEGATE_RELAY_0_HOST", "x.example"}};
  EXPECT_EQ(settings_of(r).deliver.relays[0].host, "x.example");
}

std::size_t problems_in(const std::string& text) {
  auto result = load(request_of(text));
  return result ? 0 : result.error().size();
}

// One fault is one error, and nothing that was meant is missing as well.
TEST(Load, AMisspeltKeyIsOneError) {
  for (const char* text :
       {"[[relay]]\nhost = \"a.example\"\nuser = \"u\"\npassword_fil = \"x\"\n", "[[relay]]\nhots = \"a.example\"\n",
        "[[route]]\nway = \"direct\"\n", "[[route]]\nways = 7\n", "[[route]]\nacton = \"hold\"\n",
        "[[relay_domain]]\ndomain = \"a.example\"\nnexthop = \"b.example\"\n",
        "[[dkim]]\ndoman = \"a.example\"\nselector = \"s\"\nkey_file = \"/k\"\n",
        "[local]\ndelivery = \"lmtp\"\nlmpt = \"/run/x\"\n", "[[blocklist]]\nzome = \"x.example\"\n"})
    EXPECT_EQ(problems_in(text), 1u) << text << errors_of(request_of(text));
}

// A variable that was never set, in a container's file, leaves no block behind that silently does nothing.
TEST(Load, WhatMustBeGivenIsNotEmpty) {
  for (const char* text :
       {"[[dkim]]\ndomain = \"a.example\"\nselector = \"s\"\nkey_file = \"\"\n",
        "[[relay_domain]]\ndomain = \"a.example\"\nnext_hop = \"\"\n", "[[blocklist]]\nzone = \" \"\n"})
    EXPECT_THAT(errors_of(request_of(text)), HasSubstr(" has no ")) << text;
  EXPECT_THAT(
      errors_of(request_of("[[relay_domain]]\ndomain = \"a.example\"\n", {{"SIDEGATE_RELAY_DOMAIN_0_NEXT_HOP", ""}})),
      HasSubstr("$SIDEGATE_RELAY_DOMAIN_0_NEXT_HOP: [[relay_domain]] has no next_hop"));
}

TEST(Load, AnUnknownBlockHidesNothing) {
  const std::string errors = errors_of(request_of("[queu]\n[log]\nlevel = \"bad\"\n[[relay]]\nhots = \"x\"\n"));
  for (const char* part : {"[queu]", "level", "hots"}) EXPECT_THAT(errors, HasSubstr(part));
}

// Promise 10: whatever is wrong with it, a secret is not quoted.
TEST(Load, ASecretThatIsNoTomlIsNotShown) {
  for (const char* value : {"31415926535897932384626", "3.14e99999", "hunter2", "\"hunter2", "hunter2 # x",
                            "[\"hunter2\"", "{hunter2}", "0x", "'hunter2"}) {
    const std::string errors = errors_of(request_of(std::string("[auth]\noauth_client_secret = ") + value + "\n"));
    EXPECT_THAT(errors, HasSubstr("f:2: ")) << value;
    for (const char* part : {"hunter2", "3141592", "99999"})
      EXPECT_THAT(errors, testing::Not(HasSubstr(part))) << value;
  }
}

TEST(Load, AKeyOfAnyDepthIsSurvived) {
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  for (const std::string& text :
       {deep + " = 1\n", "[" + deep + "]\n", "x = {" + deep + " = 1}\n", "[[" + deep + "]]\n"})
    EXPECT_THAT(errors_of(request_of(text)), HasSubstr("f:1: a key of more than 64 parts"));
  settings_of(
      request_of("# " + std::string(200, '.') + "\nhostname = \"a.example\" # " + std::string(100, '.') + "\n"));
  settings_of(request_of("[[reply]]\ncode = \"550\"\nmeaning = \"policy-rejected\"\ntext = \"" + std::string(100, '.') +
                         "\"\n"));
}

TEST(Load, WhatTlsCannotBeDoneWithIsSaidWhereItStands) {
  EXPECT_THAT(errors_of(request_of("[tls]\nciphers = \"banana\"\n")), HasSubstr("f:2: ciphers \"banana\""));
}

TEST(Load, TwoListenersOfOnePort) {
  const auto two = [](const char* a, const char* b) {
    return std::string("[[listener]]\naddress = \"") + a + "\"\nport = 2525\nname = \"a\"\n[[listener]]\naddress = \"" +
           b + "\"\nport = 2525\nname = \"b\"\n";
  };
  EXPECT_THAT(errors_of(request_of(two("127.0.0.1", "0.0.0.0"))), HasSubstr("cannot both be listened on"));
  EXPECT_THAT(errors_of(request_of(two("0.0.0.0", "127.0.0.1"))), HasSubstr("cannot both be listened on"));
  settings_of(request_of(two("127.0.0.1", "::")));
  settings_of(request_of(two("127.0.0.1", "127.0.0.2")));
  EXPECT_THAT(errors_of(request_of("[[listener]]\naddress = \"::ffff:127.0.0.1\"\n")),
              HasSubstr("write address = \"127.0.0.1\""));
}

TEST(LoadEnvironment, AnySecretReplacesTheFilesWayOfGivingIt) {
  const std::string file =
      "[auth]\nbackends = [\"ldap\"]\nldap_url = \"ldaps://x.example\"\nldap_base = \"dc=x\"\nldap_bind_password_file "
      "= \"/nowhere/p\"\n";
  EXPECT_EQ(settings_of(request_of(file, {{"SIDEGATE_AUTH_LDAP_BIND_PASSWORD", "x"}})).auth.ldap.bind_password, "x");
}

TEST(LoadEnvironment, AnEmptyUserIsNobody) {
  const Settings s =
      settings_of(request_of(kRelay + "[[route]]\naction = \"hold\"\n", {{"SIDEGATE_ROUTE_0_USER", ""}}));
  EXPECT_EQ(s.deliver.routes.at(0).conditions.users, std::vector<std::string>{""});
}

TEST(Reload, NamesWhatNeedsARestart) {
  const Settings a = settings_of(request_of(kRelay));
  const Settings b = settings_of(request_of("threads = 3\n" + kRelay +
                                            "connections = 3\n[[listener]]\nmax_errors = 5\n[[listener]]\naddress = "
                                            "\"::1\"\nport = 26\n[queue]\npath = \"/q\"\n"));
  EXPECT_EQ(needs_restart(a, a), std::vector<std::string>{});
  EXPECT_EQ(needs_restart(a, b), (std::vector<std::string>{"threads", "queue.path", "listener.1", "listener"}));
  // By their places: another order is no change.
  const std::string one = "[[listener]]\nname = \"a\"\naddress = \"127.0.0.1\"\nport = 2525\n",
                    two = "[[listener]]\nname = \"b\"\naddress = \"127.0.0.1\"\nport = 2526\n";
  EXPECT_EQ(needs_restart(settings_of(request_of(one + two)), settings_of(request_of(two + one))),
            std::vector<std::string>{});
  EXPECT_EQ(needs_restart(settings_of(request_of(one + two)), settings_of(request_of(two))),
            std::vector<std::string>{"listener"});
  EXPECT_EQ(needs_restart(settings_of(request_of(two)), settings_of(request_of(one + two))),
            std::vector<std::string>{"listener.0"});
}

}  // namespace
}  // namespace sidegate::config::load_test
