#include "deliver/way.h"

#include <gtest/gtest.h>

#include <functional>

namespace sidegate::deliver::way_test {
namespace {

using smtp::Phase;

TEST(Way, FirstPauseIsTheRelaysRetryAfter) {
  DeliverSettings settings;
  settings.relays.resize(2);
  settings.relays[0].name = "usual";
  settings.relays[1].name = "quick";
  settings.relays[1].retry_after = 2s;
  auto ways = Ways::make(settings);
  const SteadyTime now{};
  EXPECT_EQ(ways->list[0]->health.trouble(now, Phase::kConnect, "connect-failed", 0, Duration(0)).pause, 30s);
  EXPECT_EQ(ways->list[1]->health.trouble(now, Phase::kConnect, "connect-failed", 0, Duration(0)).pause, 2s);
  EXPECT_EQ(ways->list[1]->health.trouble(now, Phase::kMail, "quota-exceeded", 0, 1h).pause, 1h);
}

TEST(Way, ChangedRetryAfterMakesANewWay) {
  DeliverSettings settings;
  settings.relays.resize(1);
  settings.relays[0].name = "isp";
  settings.relays[0].host = "mail.example";
  auto before = Ways::make(settings);
  auto same = Ways::make(settings, before.get());
  settings.relays[0].retry_after = 1min;
  auto after = Ways::make(settings, same.get());
  EXPECT_EQ(before->list[0], same->list[0]);
  EXPECT_NE(same->list[0], after->list[0]);
  EXPECT_EQ(after->list[0]->id, same->list[0]->id);
}

std::uint32_t edition(const Ways& ways, const std::string& name) {
  for (const queue::WayLimits& one : ways.limits()) {
    if (one.name == name) return one.edition;
  }
  return ~0u;
}

// What tells the scheduler that a pause is over.
TEST(Way, ABlockThatChangedIsOfAnotherEdition) {
  DeliverSettings settings;
  settings.relays.resize(2);
  settings.relays[0].name = "mended";
  settings.relays[1].name = "same";
  auto before = Ways::make(settings);
  settings.relays[0].password = "good";
  auto after = Ways::make(settings, before.get());
  EXPECT_NE(edition(*before, "mended"), edition(*after, "mended"));
  EXPECT_EQ(edition(*before, "same"), edition(*after, "same"));
  EXPECT_EQ(edition(*before, "direct"), edition(*after, "direct"));
  auto again = Ways::make(settings, after.get());
  EXPECT_EQ(edition(*after, "mended"), edition(*again, "mended"));
}

// Whatever of it changed, and what stands behind it in a route: a refused destination's pause depends on that.
TEST(Way, AnotherEditionOfDirect) {
  DeliverSettings settings;
  settings.relays.resize(1);
  settings.relays[0].name = "isp";
  settings.routes = {{.conditions = {}, .ways = {"direct", "isp"}, .text = {}}};
  const std::pair<const char*, std::function<void(DeliverSettings&)>> changes[] = {
      {"interceptor", [](auto& s) { s.direct.through_interceptor = true; }},
      {"source", [](auto& s) { s.direct.source_address = "192.0.2.10"; }},
      {"hello", [](auto& s) { s.direct.hello = "mail.example.org"; }},
      {"hostname", [](auto& s) { s.hostname = "mail.example.org"; }},
      {"no next way", [](auto& s) { s.routes[0].ways = {"direct"}; }},
      {"no relay", [](auto& s) { s.routes.clear(), s.relays.clear(); }},
  };
  auto before = Ways::make(settings);
  for (const auto& [what, change] : changes) {
    DeliverSettings other = settings;
    change(other);
    auto after = Ways::make(other, before.get());
    EXPECT_NE(edition(*before, "direct"), edition(*after, "direct")) << what;
    EXPECT_NE(before->members, after->members) << what;
  }
  auto same = Ways::make(settings, before.get());
  EXPECT_EQ(edition(*before, "direct"), edition(*same, "direct"));
  EXPECT_EQ(before->members, same->members);
}

// A [[reply]] block that names no way is for direct delivery too; one that names another is not.
TEST(Way, RepliesOfTheConfigurationCountForDirect) {
  DeliverSettings settings;
  settings.replies.resize(3);
  for (ReplyRule& rule : settings.replies) rule.code = "550", rule.meaning = "greylisted";
  settings.replies[1].ways = {"direct"};
  settings.replies[2].ways = {"isp"};
  auto ways = Ways::make(settings);
  ASSERT_TRUE(ways->direct->settings.replies);
  EXPECT_EQ(ways->direct->settings.replies->own().size(), 2u);
  auto same = Ways::make(settings, ways.get());
  EXPECT_EQ(same->direct, ways->direct);
  settings.replies.clear();
  EXPECT_FALSE(Ways::make(settings, same.get())->direct->settings.replies);
}

// Connections that stand were opened by the old policy: none of them carries another message.
TEST(Way, AnotherTlsPolicyMakesDirectANewWay) {
  DeliverSettings settings;
  auto before = Ways::make(settings);
  auto same = Ways::make(settings, before.get());
  EXPECT_EQ(before->direct, same->direct);
  settings.direct.tls_rules = {{"example.org", TlsLevel::kVerify, {"nexthop"}}};
  auto ruled = Ways::make(settings, same.get());
  EXPECT_NE(same->direct, ruled->direct);
  EXPECT_EQ(same->direct->id, ruled->direct->id);
  settings.direct.tls = TlsLevel::kEncrypt;
  EXPECT_NE(ruled->direct, Ways::make(settings, ruled.get())->direct);
}

// SIZE of the relays, by what mail may go by which.
TEST(Way, HowLargeAMessageMayBe) {
  DeliverSettings settings;
  settings.relays.resize(2);
  settings.relays[0].name = "wide";
  settings.relays[1].name = "narrow";
  const auto route = [&](const std::string& sender, RouteAction action, std::vector<std::string> to = {}) {
    RouteSettings one;
    one.conditions.senders = {sender};
    one.action = action;
    one.ways = std::move(to);
    settings.routes.push_back(std::move(one));
  };
  route("small@home.example", RouteAction::kWays, {"narrow"});
  route("never@home.example", RouteAction::kFail);
  const auto limit = [](const Ways& ways, const char* domain, const char* sender) {
    return ways.most_octets({domain, sender, {}, {}, sender});
  };
  auto ways = Ways::make(settings);
  EXPECT_EQ(ways->largest(), 0u);
  EXPECT_EQ(ways->smallest(), 0u);
  ways->list[1]->most_octets = 1000;
  EXPECT_EQ(ways->largest(), 0u) << "the other one may take any";
  EXPECT_EQ(ways->smallest(), 1000u);
  EXPECT_EQ(limit(*ways, "x.example", "me@home.example"), 0u);
  EXPECT_EQ(limit(*ways, "x.example", "small@home.example"), 1000u);
  ways->list[0]->most_octets = 5000;
  EXPECT_EQ(ways->largest(), 5000u);
  EXPECT_EQ(limit(*ways, "x.example", "me@home.example"), 5000u);
  EXPECT_EQ(limit(*ways, "x.example", "small@home.example"), 1000u);
  EXPECT_EQ(limit(*ways, ".mailbox", "small@home.example"), 0u) << "what stays here has no such limit";
  // A route that keeps mail here, or brings it straight to where it goes, has none either.
  for (RouteAction action : {RouteAction::kDiscard, RouteAction::kLocal, RouteAction::kLmtp, RouteAction::kWays}) {
    settings.routes.resize(2);
    route("kept@home.example", action, {"direct"});
    auto kept = Ways::make(settings, ways.get());
    EXPECT_EQ(limit(*kept, "x.example", "kept@home.example"), 0u);
    EXPECT_EQ(limit(*kept, "x.example", "me@home.example"), 5000u);
    EXPECT_EQ(kept->largest(), 0u);
    EXPECT_EQ(kept->smallest(), 1000u);
  }
}

}  // namespace
}  // namespace sidegate::deliver::way_test
