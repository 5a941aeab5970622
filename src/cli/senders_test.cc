#include "cli/senders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dkim/signer.h"

namespace sidegate::cli::senders_test {
namespace {

std::string senders(const std::string& block, const std::string& more = {}) {
  config::LoadRequest request;
  request.path = "test";
  request.system_name = "box.home.example";
  request.text = more + "[[relay]]\nname = \"isp\"\nhost = \"smtp.isp.example\"\npassword = \"x\"\n" + block;
  request.open_files = false;
  auto loaded = config::load(request);
  if (!loaded) return loaded.error().front().what;
  std::string out;
  for (const Sender& sender : senders_by(*loaded, loaded->settings.deliver.relays.at(0)))
    out += (out.empty() ? "" : " ") + sender.address + (sender.guessed ? "?" : "");
  return out;
}

TEST(Senders, TheAccountsOwnFirst) {
  struct {
    const char *block, *more, *want;
  } cases[] = {
      {"user = \"me@isp.example\"\n", "", "me@isp.example postmaster@box.home.example?"},
      {"user = \"me\"\naddress = \"me@isp.example\"\nidentity = \"account\"\n", "", "me@isp.example"},
      {"user = \"me@isp.example\"\nallowed = [\"you@isp.example\", \"@own.example\"]\n", "",
       "me@isp.example you@isp.example postmaster@own.example"},
      {"user = \"me@isp.example\"\n", "local_domains = [\"own.example\"]\n",
       "me@isp.example postmaster@own.example root@box.home.example?"},
      {"user = \"me@isp.example\"\n", "local_domains = [\"localhost.own.example\"]\nhostname = \"a.own.example\"\n",
       "me@isp.example root@a.own.example?"},
      // What somebody wrote down is no guess, whatever it was made of.
      {"user = \"me@isp.example\"\n",
       "[rewrite]\ngeneric = { root = \"me@one.example\", \"ann@box.home.example\" = \"ann@two.example\" }\n",
       "me@isp.example ann@two.example me@one.example postmaster@box.home.example?"},
      {"user = \"me@isp.example\"\n", "[rewrite]\nmasquerade_domains = [\"home.example\"]\n",
       "me@isp.example postmaster@home.example root@home.example"},
      {"user = \"me@isp.example\"\n",
       "[rewrite]\ncanonical_out = { ann = \"ann@nas.two.example\" }\nmasquerade_domains = [\"two.example\"]\n",
       "me@isp.example ann@two.example postmaster@box.home.example?"},
      {"user = \"me@isp.example\"\ngeneric = { root = \"own@relay.example\" }\n",
       "[rewrite]\ngeneric = { root = \"me@one.example\" }\n",
       "me@isp.example own@relay.example postmaster@box.home.example?"},
  };
  for (const auto& c : cases) EXPECT_EQ(senders(c.block, c.more), c.want) << c.block << c.more;
}

// "domain: way way", each.
std::vector<std::string> domains(const std::string& text) {
  config::LoadRequest request;
  request.path = "test";
  request.system_name = "box.home.example";
  request.text = text;
  request.open_files = false;
  auto loaded = config::load(request);
  if (!loaded) return {loaded.error().front().what};
  std::vector<std::string> out;
  for (const doctor::DomainLook& look : domains_in_use(*loaded, {"192.0.2.1"})) {
    std::string ways;
    for (const doctor::DomainWay& way : look.ways) ways += " " + way.name;
    out.push_back(look.domain + ":" + ways + (look.guessed ? "?" : ""));
  }
  return out;
}

TEST(Senders, DomainsWithTheWaysThatTheyLeaveBy) {
  const std::string relay = "[[relay]]\nname = \"isp\"\nhost = \"smtp.isp.example\"\naddress = \"me@isp.example\"\n";
  const std::string direct = "[[route]]\nrecipient = \".example\"\nways = [\"direct\"]\n";
  using testing::ElementsAre;
  EXPECT_THAT(domains(relay), ElementsAre("isp.example: isp", "box.home.example: isp?"));
  EXPECT_THAT(domains(relay + direct), ElementsAre("isp.example: isp", "box.home.example: isp direct?"));
  EXPECT_THAT(domains(""), ElementsAre("box.home.example: direct?"));
  EXPECT_THAT(domains("[rewrite]\ngeneric = { root = \"me@one.example\" }\n"),
              ElementsAre("one.example: direct", "box.home.example: direct?"));
  EXPECT_THAT(domains("[direct]\nenabled = false\n"), ElementsAre());
}

TEST(Senders, RoutesSayWhoLeavesByWhat) {
  const std::string own = "local_domains = [\"own.example\"]\n";
  const std::string relays =
      "[[relay]]\nname = \"isp\"\nhost = \"smtp.isp.example\"\n"
      "[[relay]]\nname = \"prov\"\nhost = \"smtp.provider.example\"\n";
  const std::string box = "box.home.example: isp?";
  struct {
    const char *what, *routes, *own;
  } cases[] = {
      {"two providers by sender",
       "[[route]]\nsender = \"@own.example\"\nways = [\"prov\"]\n[[route]]\nways = [\"isp\"]\n", "own.example: prov"},
      {"as for users", "[[route]]\nsender = \"*@own.example\"\nways = [\"prov\"]\n[[route]]\nways = [\"isp\"]\n",
       "own.example: prov"},
      {"for some recipients only",
       "[[route]]\nsender = \"@own.example\"\nrecipient = \"a.example\"\nways = [\"prov\"]\n"
       "[[route]]\nways = [\"isp\"]\n",
       "own.example: isp prov"},
      {"for all recipients",
       "[[route]]\nsender = \"@own.example\"\nrecipient = \"*\"\nways = [\"prov\"]\n[[route]]\nways = [\"isp\"]\n",
       "own.example: prov"},
      {"some users only",
       "[[route]]\nsender = \"@own.example\"\nuser = \"taro\"\nways = [\"prov\"]\n[[route]]\nways = [\"isp\"]\n",
       "own.example: isp prov"},
      {"one of its addresses",
       "[[route]]\nsender = \"me@own.example\"\nways = [\"prov\"]\n[[route]]\nways = [\"isp\"]\n",
       "own.example: isp prov"},
      {"what is held goes by the next rule",
       "[[route]]\nsender = \"@own.example\"\naction = \"hold\"\n[[route]]\nways = [\"isp\"]\n", "own.example: isp"},
      {"what is thrown away goes nowhere",
       "[[route]]\nsender = \"@own.example\"\naction = \"discard\"\n[[route]]\nways = [\"isp\"]\n", nullptr},
  };
  for (const auto& c : cases) {
    std::vector<std::string> want = {box};
    if (c.own != nullptr) want.insert(want.begin(), c.own);
    EXPECT_THAT(domains(own + relays + c.routes), testing::UnorderedElementsAreArray(want)) << c.what;
  }
}

TEST(Senders, AnAccountWhoseRelayIsNotUsedLeavesByNone) {
  const std::string relay =
      "[[relay]]\nname = \"isp\"\nhost = \"smtp.isp.example\"\naddress = \"me@own.example\"\n"
      "[[relay]]\nname = \"prov\"\nhost = \"smtp.provider.example\"\n";
  EXPECT_THAT(domains(relay + "[[route]]\nways = [\"prov\"]\n"), testing::ElementsAre("box.home.example: prov?"));
  EXPECT_THAT(domains(relay + "[[route]]\nsender = \"@own.example\"\nways = [\"prov\"]\n[[route]]\nways = [\"isp\"]\n"),
              testing::UnorderedElementsAre("own.example: prov", "box.home.example: isp?"));
}

TEST(Senders, WhoStandsInARouteOnly) {
  const std::string relay = "[[relay]]\nname = \"isp\"\nhost = \"smtp.isp.example\"\n";
  EXPECT_THAT(
      domains(relay + "[[route]]\nsender = [\"@own.example\", \"@.below.example\", \"/@.*x.example/\", \"<>\"]\n"
                      "ways = [\"isp\"]\n"),
      testing::UnorderedElementsAre("own.example: isp", "box.home.example: isp?"));
}

deliver::RelaySettings isp() {
  deliver::RelaySettings relay;
  relay.name = "isp";
  relay.host = "smtp.isp.example";
  return relay;
}

TEST(Senders, WhoseMailIsSigned) {
  config::Loaded loaded;
  loaded.settings.hostname = "box.home.example";
  loaded.settings.deliver.relays = {isp()};
  dkim::Signer signer;
  signer.domain = "own.example";
  loaded.settings.deliver.dkim = std::make_shared<dkim::Signers>(std::vector<dkim::Signer>{signer});
  const auto looks = domains_in_use(loaded, {});
  ASSERT_FALSE(looks.empty());
  EXPECT_EQ(looks.front().domain, "own.example");
  EXPECT_EQ(looks.front().used_by, "dkim");
}

TEST(Senders, OneAddressByOneRelay) {
  config::Loaded loaded;
  loaded.settings.hostname = "box.home.example";
  const deliver::RelaySettings relay = isp();
  const auto looks = domains_of(loaded, relay, "me@Own.example");
  ASSERT_EQ(looks.size(), 1u);
  EXPECT_EQ(looks[0].domain, "own.example");
  EXPECT_EQ(looks[0].ways.at(0).host, "smtp.isp.example");
  for (const char* none : {"", "<>", "root@box"}) EXPECT_TRUE(domains_of(loaded, relay, none).empty()) << none;
}

}  // namespace
}  // namespace sidegate::cli::senders_test
