// Presets, ladders and routes, as an operator writes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"
#include "config/proxy.h"
#include "config/show.h"
#include "config/test_load.h"

namespace sidegate::config::ways_test {
namespace {

using deliver::TlsMode;
using testing::ElementsAre;
using testing::HasSubstr;

std::string errors(std::string text) {
  auto result = load_text(std::move(text));
  return result ? "none" : text_of(result.error());
}

std::string warnings(std::string text) {
  auto result = load_text(std::move(text));
  return result ? text_of(result->warnings) : "error: " + text_of(result.error());
}

Settings settings(std::string text) {
  auto result = load_text(std::move(text));
  EXPECT_TRUE(result) << text_of(result.error());
  return result ? result->settings : Settings{};
}

deliver::RelaySettings relay(std::string text) {
  auto result = load_text("[[relay]]\n" + text);
  EXPECT_TRUE(result) << text_of(result.error());
  return result ? result->settings.deliver.relays.at(0) : deliver::RelaySettings{};
}

constexpr const char* kLogin = "\nuser = \"me@example.org\"\npassword = \"secret\"\n";

TEST(RelayPlaces, Ladder) {
  auto r = relay("host = \"a.example\"\nports = [465, 587, 2525]");
  EXPECT_THAT(r.places.ports, ElementsAre(465, 587, 2525));
  EXPECT_EQ(r.tls, TlsMode::kStartTls);
  EXPECT_FALSE(r.places.tls_given);
  r = relay("host = \"a.example\"\nports = [465]");
  EXPECT_EQ(r.port, 465);
  EXPECT_EQ(r.tls, TlsMode::kImplicit);
  r = relay("hosts = [\"a.example\", \"b.example:2525\"]\nports = [\"submissions\", \"submission\"]");
  EXPECT_EQ(r.host, "a.example");
  EXPECT_EQ(r.name, "a.example");
  EXPECT_THAT(r.places.more_hosts, ElementsAre("b.example:2525"));
  EXPECT_THAT(r.places.ports, ElementsAre(465, 587));
}

TEST(RelayPlaces, WhatIsWrong) {
  struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"name = \"x\"", "f:1: [[relay]] has no host; add host = \"...\""},
      {"host = \"a.example\"\nports = [0]", "f:3: ports:"},
      {"host = \"a.example\"\nports = [465, \"x\"]", "f:3: ports:"},
      {"host = \"a.example\"\nport = 25\nports = [465]", "f:4:"},
      {"host = \"a.example\"\nmx = true\nsrv = true", "mx and srv are both given"},
      {"host = \"192.0.2.1\"\nmx = true", "is no domain"},
      {"host = \"a.example\"\nsource_address = [\"x\"]", "no numeric address"},
      {"host = \"a.example\"\nsource_address = [\"192.0.2.1\", \"192.0.2.2\"]", "two addresses of one family"},
      {"host = \"a.example\"\nproxy = \"http://x:1\"", "must begin with socks5://"},
      {"host = \"a.example\"\ntls_key = \"/x\"", "no tls_certificate"},
      {"host = \"a.example\"\nserver = \"sv1\"", "belong to a provider"},
      {"provider = \"gmial\"", "did you mean \"gmail\"?"},
      {"provider = \"sakura\"", "needs server"},
      {"provider = \"ses\"", "needs region"},
      {"provider = \"so-net\"", "needs host"},
      {"provider = \"ses\"\nregion = \"a b\"", "is no region of Amazon SES"},
      {"provider = \"ses\"\nregion = \"tokyo\"", "region = \"ap-northeast-1\" (Tokyo)"},
      {"provider = \"mailgun\"\nregion = \"jp\"", "is no region of Mailgun"},
  };
  for (const auto& c : cases) EXPECT_THAT(errors(std::string("[[relay]]\n") + c.text), HasSubstr(c.expected)) << c.text;
}

TEST(Provider, FillsWhatTheBlockDoesNotSay) {
  auto r = relay(std::string("provider = \"ocn\"") + kLogin);
  EXPECT_EQ(r.host, "smtp.ocn.ne.jp");
  EXPECT_EQ(r.name, "ocn");
  EXPECT_THAT(r.places.ports, ElementsAre(465, 587));
  r = relay(std::string("provider = \"ocn\"\nport = 587\nname = \"isp\"") + kLogin);
  EXPECT_EQ(r.name, "isp");
  EXPECT_EQ(r.port, 587);
  EXPECT_TRUE(r.places.ports.empty());
  EXPECT_EQ(r.tls, TlsMode::kStartTls);
  r = relay(std::string("provider = \"gmail\"\nhost = \"smtp-relay.gmail.com\"") + kLogin);
  EXPECT_EQ(r.host, "smtp-relay.gmail.com");
  r = relay(std::string("provider = \"icloud\"") + kLogin);
  EXPECT_EQ(r.port, 587);
  EXPECT_EQ(r.identity, deliver::Identity::kAccount);
  r = relay(std::string("provider = \"icloud\"\nidentity = \"keep\"") + kLogin);
  EXPECT_EQ(r.identity, deliver::Identity::kKeep);
  r = relay("provider = \"yahoo-jp\"\nuser = \"taro\"\npassword = \"x\"");
  EXPECT_EQ(r.port, 465);
  EXPECT_EQ(r.tls, TlsMode::kImplicit);
  EXPECT_EQ(r.address, "taro@yahoo.co.jp");
  r = relay("provider = \"sendgrid\"\npassword = \"SG.x\"");
  EXPECT_EQ(r.user, "apikey");
  r = relay("provider = \"ses\"\nregion = \"ap-northeast-1\"\nuser = \"AKIA\"\npassword = \"x\"");
  EXPECT_EQ(r.host, "email-smtp.ap-northeast-1.amazonaws.com");
  r = relay(std::string("provider = \"sakura\"\nserver = \"example\"") + kLogin);
  EXPECT_EQ(r.host, "example.sakura.ne.jp");
  r = relay(std::string("provider = \"so-net\"\nhost = \"mail.example\"") + kLogin);
  EXPECT_EQ(r.host, "mail.example");
}

TEST(Provider, TheUsersFormIsChecked) {
  EXPECT_THAT(warnings("[[relay]]\nprovider = \"ocn\"\nuser = \"me\"\npassword = \"x\""),
              HasSubstr("this provider's user name is the whole mail address"));
  EXPECT_THAT(warnings(std::string("[[relay]]\nprovider = \"yahoo-jp\"") + kLogin), HasSubstr("before the @ alone"));
  EXPECT_THAT(warnings(std::string("[[relay]]\nprovider = \"iijmio\"") + kLogin), HasSubstr("me.example.org"));
  EXPECT_THAT(warnings(std::string("[[relay]]\nprovider = \"sendgrid\"") + kLogin), HasSubstr("apikey"));
}

TEST(Provider, WhatCannotWorkIsTold) {
  struct {
    const char *text, *expected;
  } cases[] = {
      {"provider = \"gmail\"", "takes mail from those who log in alone"},
      {"provider = \"gmail\"\nhost = \"smtp-relay.gmail.com\"", ""},
      {"provider = \"sendgrid\"\npassword = \"SG.x\"", ""},
      {"provider = \"ocn\"\nserver = \"sv1\"\nuser = \"me@ocn.ne.jp\"\npassword = \"x\"",
       "f:3: relay \"ocn\": OCN: this provider's servers have no server"},
      {"provider = \"gmail\"\nregion = \"eu\"\nuser = \"me@gmail.com\"\npassword = \"x\"", "servers have no region"},
      {"provider = \"ses\"\nregion = \"eu-west-1\"\nhost = \"h.example\"\nuser = \"A\"\npassword = \"x\"",
       "host says which server it is"},
      {"provider = \"ses\"\nregion = \"us-gov-west-1\"\nuser = \"A\"\npassword = \"x\"", ""},
      {"provider = \"mailgun\"\nregion = \"eu\"\nuser = \"a@b.example\"\npassword = \"x\"", ""},
  };
  for (const auto& c : cases) {
    const std::string told = warnings(std::string("[[relay]]\n") + c.text);
    if (*c.expected == '\0')
      EXPECT_EQ(told, "") << c.text;
    else
      EXPECT_THAT(told, HasSubstr(c.expected)) << c.text;
  }
}

TEST(Reply, WhatNeverFitsIsTold) {
  struct {
    const char *text, *expected;
  } cases[] = {
      {"provider = \"nonesuch\"\ncode = \"5\"", "f:2: [[reply]]: no server is known as \"nonesuch\""},
      {"provider = \"gmial\"\ncode = \"5\"", "did you mean \"gmail\"?"},
      {"provider = \"Gmail\"\ncode = \"5\"", ""},
      {"text = \"/a.*b/\"", "f:2: [[reply]]: text = \"/a.*b/\" looks like a regular expression"},
      {"text = \"/a.*b/\"", "text = \"a*b\""},
      {"text = \"^later$\"", "text = \"later\""},
      {"text = \"see http://a.example/b*later|5.7.1\"", ""},
      {"way = [\"direct\"]\ncode = \"5\"", ""},
  };
  for (const auto& c : cases) {
    const std::string told = warnings(std::string("[[reply]]\n") + c.text + "\nmeaning = \"greylisted\"\n");
    if (*c.expected == '\0')
      EXPECT_EQ(told, "") << c.text;
    else
      EXPECT_THAT(told, HasSubstr(c.expected)) << c.text;
  }
}

TEST(Direct, NothingIsWrongWithoutARelayWhileItIsOn) {
  EXPECT_EQ(warnings(""), "");
  EXPECT_THAT(warnings("[direct]\nenabled = false\n"), HasSubstr("f:2: no [[relay]] is given"));
  EXPECT_EQ(warnings(std::string("[direct]\nenabled = false\n[[relay]]\nhost = \"a.example\"\n")), "");
}

// One fault, one error.
TEST(Faults, AreToldOnce) {
  for (const char* text : {"[[relay]]\nname = \"direct\"\nhost = \"a.example\"\n",
                           "[[relay]]\nhost = \"a.example\"\n[[route]]\naction = \"disc\"\n"}) {
    auto result = load_text(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().size(), 1u) << text_of(result.error());
  }
  EXPECT_THAT(errors("[[relay]]\nhost = \"a.example\"\n[[route]]\nrecipients = \"a.example\"\nways = \"direct\"\n"),
              HasSubstr("did you mean \"recipient\"?"));
  const std::string allowed = errors("[[relay]]\nhost = \"a.example\"\nuser = \"me@a.example\"\nallowed = [\"*\"]\n");
  EXPECT_THAT(allowed, HasSubstr("identity = \"keep\""));
  EXPECT_THAT(allowed, testing::Not(HasSubstr("@*")));
}

TEST(Provider, IsShownAsItWasWritten) {
  auto result =
      load_text(std::string("[[relay]]\nprovider = \"gmail\"\nproxy = \"socks5://u:verysecret@p:1\"") + kLogin);
  ASSERT_TRUE(result);
  const std::string shown = show(*result);
  EXPECT_THAT(shown, HasSubstr("provider = \"gmail\""));
  EXPECT_THAT(shown, HasSubstr("host = \"smtp.gmail.com\""));
  EXPECT_EQ(shown.find("verysecret"), std::string::npos);
}

TEST(Proxy, IsParsed) {
  auto p = parse_proxy("socks5://127.0.0.1");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->host, "127.0.0.1");
  EXPECT_EQ(p->port, 1080);
  p = parse_proxy("socks5h://me:a:b@c@[2001:db8::1]:9050/");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->host, "2001:db8::1");
  EXPECT_EQ(p->port, 9050);
  EXPECT_EQ(p->user, "me");
  EXPECT_EQ(p->password, "a:b@c");
  p = parse_proxy("socks5://a%40b:p%3aw%25@x");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->user + " " + p->password + " " + p->host, "a@b p:w% x");
  for (const char* bad :
       {"", "socks5://a%4:b@x", "socks5://a:%zz@x", "socks5://a:50%@x", "127.0.0.1:1080", "socks4://x", "socks5://",
        "socks5://x:0", "socks5://x:y", "socks5://[x", "socks5://:p@x", "socks5://x:99999"})
    EXPECT_FALSE(parse_proxy(bad)) << bad;
}

constexpr const char* kTwo =
    "[[relay]]\nname = \"isp\"\nhost = \"a.example\"\n[[relay]]\nname = \"gmail-taro\"\nhost = \"b.example\"\n";

TEST(Route, IsRead) {
  auto result = load_text(std::string(kTwo) +
                          "[[route]]\nsender = \"@home.example\"\nways = [\"gmail-taro\", \"isp\"]\n"
                          "[[route]]\nrecipient = [\"bad.example\", \"/spam/\"]\naction = \"fail\"\ntext = \"no\"\n"
                          "[[route]]\nuser = [\"taro\"]\nways = \"direct\"\n");
  ASSERT_TRUE(result) << text_of(result.error());
  const auto& routes = result->settings.deliver.routes;
  ASSERT_EQ(routes.size(), 3u);
  EXPECT_THAT(routes[0].conditions.senders, ElementsAre("@home.example"));
  EXPECT_THAT(routes[0].ways, ElementsAre("gmail-taro", "isp"));
  EXPECT_EQ(routes[1].action, deliver::RouteAction::kFail);
  EXPECT_EQ(routes[1].text, "no");
  EXPECT_THAT(routes[2].ways, ElementsAre("direct"));
}

TEST(Route, WhatIsWrong) {
  struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"ways = [\"gmail-tar\"]", "f:8: there is no way \"gmail-tar\"; did you mean \"gmail-taro\"?"},
      {"ways = [\"nowhere\"]", "the ways are: direct, isp, gmail-taro"},
      {"sender = \"@a.example\"", "f:7: [[route]] has neither ways nor action"},
      {"ways = [\"isp\"]\naction = \"discard\"", "both given"},
      {"recipient = [\"/(/\"]\nways = [\"isp\"]", "f:8: recipient: /(/: a ( without a )"},
      {"sender = [\"home.example\"]\nways = [\"isp\"]", "write \"@home.example\""},
      {"recipient = [\"a@b.example\"]\nways = [\"isp\"]", "routes look at the recipient's domain"},
      {"listener = \"nobody\"\nways = [\"isp\"]", "there is no listener \"nobody\""},
      {"action = \"disc\"", "did you mean \"discard\"?"},
      {"action = \"lmtp\"", "needs the server it goes to"},
  };
  for (const auto& c : cases)
    EXPECT_THAT(errors(std::string(kTwo) + "[[route]]\n" + c.text), HasSubstr(c.expected)) << c.text;
  EXPECT_THAT(errors("[[relay]]\nname = \"direct\"\nhost = \"a.example\""),
              HasSubstr("straight to MX hosts goes by that name"));
}

// A route that no mail will ever ask is a mistake, and mail would go another way than its writer thinks.
TEST(Route, WhatEndsHereOrHasANextHopIsLedByNone) {
  const std::string before =
      std::string(kTwo) + "[[relay_domain]]\ndomain = \"inside.example\"\nnext_hop = \"[192.0.2.5]\"\n[[route]]\n";
  const auto warned = [&](const std::string& route) {
    auto result = load_text("local_domains = [\"例え.jp\"]\n" + before + route);
    EXPECT_TRUE(result) << text_of(result.error());
    std::string all;
    for (const Problem& p : result ? result->warnings : Problems()) all += p.text() + "\n";
    return all;
  };
  EXPECT_THAT(warned("recipient = \"Inside.example\"\nways = [\"isp\"]"),
              HasSubstr("goes to the next_hop of its [[relay_domain]]"));
  EXPECT_THAT(warned("recipient = \"xn--r8jz45g.jp\"\naction = \"fail\""), HasSubstr("ends on this machine"));
  for (const char* fine :
       {"recipient = \"inside.example\"\naction = \"hold\"", "recipient = \"*\"\nways = [\"isp\"]",
        "recipient = \".example\"\nways = [\"isp\"]", "recipient = \"far.example\"\nways = [\"isp\"]"})
    EXPECT_THAT(warned(fine), Not(HasSubstr("mail for"))) << fine;
}

TEST(Ways, TlsWithMailServers) {
  using enum deliver::TlsLevel;
  EXPECT_EQ(settings("").direct.tls, kDane);
  struct {
    const char* word;
    deliver::TlsLevel level;
  } words[] = {{"none", kNone},          {"may", kMay},       {"encrypt", kEncrypt}, {"dane", kDane},
               {"dane-only", kDaneOnly}, {"verify", kVerify}, {"secure", kSecure},   {"opportunistic", kMay},
               {"starttls", kEncrypt}};
  for (const auto& [word, level] : words)
    EXPECT_EQ(settings("[direct]\ntls = \"" + std::string(word) + "\"\n").deliver.direct.tls, level) << word;
  const auto rules =
      settings(
          "[[tls_policy]]\ndomain = \"Example.ORG\"\nlevel = \"secure\"\nmatch = [\"NextHop\", \".Mail.example.org\"]\n"
          "[[tls_policy]]\ndomain = \".example.org\"\n")
          .deliver.direct.tls_rules;
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0], (deliver::TlsRule{"example.org", kSecure, {"nexthop", ".mail.example.org"}}));
  EXPECT_EQ(rules[1], (deliver::TlsRule{".example.org", kEncrypt, {}}));
  struct {
    const char *text, *error;
  } cases[] = {
      {"[direct]\ntls = \"implicit\"", "f:2"},
      {"[direct]\ntls_ca_file = \"/nowhere/ca.pem\"", "f:2"},
      {"[dns]\ntrust_anchor = \"/nowhere/root.key\"", "/nowhere/root.key cannot be read"},
      {"[[tls_policy]]\nlevel = \"may\"", "domain"},
      {"[[tls_policy]]\ndomain = \"a b\"", "f:2"},
      {"[[tls_policy]]\ndomain = \".[192.0.2.1]\"", "is not a domain"},
      {"[[tls_policy]]\ndomain = \"a.example\"\nlevel = \"verfy\"", "did you mean \"verify\""},
      {"[[tls_policy]]\ndomain = \"a.example\"\nmatch = [\"nexthop\"]", "f:3: match is for level"},
      {"[[tls_policy]]\ndomain = \"a.example\"\nlevel = \"secure\"\nmatch = [\"next hop\"]", "is neither hostname"},
      {"[[tls_policy]]\ndomain = \"a.example\"\n[[tls_policy]]\ndomain = \"A.example\"", "is there twice"},
  };
  for (const auto& c : cases) EXPECT_THAT(errors(c.text), HasSubstr(c.error)) << c.text;
}

}  // namespace
}  // namespace sidegate::config::ways_test
