// Straight to mail servers: address literals need no DNS, and loopback has as many hosts as one likes.
#include "deliver/direct_opening.h"
#include "deliver/test_house.h"

namespace sidegate::deliver::direct_test {
namespace {

struct DirectHouse : House {
  explicit DirectHouse(Answers answers = {}) : House(std::vector<Answers>{}) {
    relays.push_back(std::make_unique<TestRelay>(loop, std::move(answers)));
    mx = relays.back().get();
    settings.direct.port = mx->port;
    settings.direct.private_addresses = true;
    apply();
  }
  queue::WayStatus direct() { return *scheduler.way(all_ways->direct->id); }
  std::optional<queue::WayStatus> to(const std::string& domain) {
    return scheduler.way(scheduler.find_member(all_ways->direct->id, domain));
  }
  void wait_until_down(const std::string& domain) {
    run_until([&] { return to(domain) && !to(domain)->up && scheduler.totals().active == 0; });
  }
  void wait_for_report() {
    run_until([&] { return !reports().empty(); });
  }
  TestRelay* mx = nullptr;
};

TEST(Direct, WithoutARelayMailGoesStraight) {
  DirectHouse house;
  QueueId id = house.add({"a@[127.0.0.1]"}), other = house.add({"b@[127.0.0.1]"});
  house.run_until([&] { return house.gone(id) && house.gone(other); });
  ASSERT_EQ(house.mx->carried.size(), 2u);
  EXPECT_TRUE(house.mx->said("EHLO client.example"));
  EXPECT_TRUE(house.all_ways->direct->direct->port25.ever_open());
  EXPECT_EQ(house.scheduler.members(), 1u);
}

TEST(Direct, ItsOwnNameInEhlo) {
  DirectHouse house;
  house.settings.direct.hello = "mail.home.example";
  house.apply();
  QueueId id = house.add({"a@[127.0.0.1]"});
  house.run_until([&] { return house.gone(id); });
  EXPECT_TRUE(house.mx->said("EHLO mail.home.example"));
}

TEST(Direct, NoSuchDomainFailsAllThatWaitsForIt) {
  DirectHouse house;
  QueueId one = house.add({"a@no..such.example"}), two = house.add({"b@no..such.example"});
  house.run_until([&] { return house.gone(one) && house.gone(two); });
  house.wait_for_report();
  EXPECT_NE(house.report_text(house.reports().front()).find("5.1.2"), std::string::npos);
}

TEST(Direct, AnInternationalisedDomainIsLookedUpLikeAnyOther) {
  DirectHouse house;
  QueueId there = house.add({"a@bücher.example"}), none = house.add({"a@-ü.example"});
  house.wait_until_down("bücher.example");
  EXPECT_FALSE(house.gone(there));
  EXPECT_EQ(house.to("bücher.example")->reason.find("not ASCII"), std::string::npos);
  house.run_until([&] { return house.gone(none); });  // no domain can be called so
}

TEST(Direct, NameServersThatDoNotAnswerBounceNothing) {
  DirectHouse house;
  QueueId id = house.add({"a@somewhere.example"});
  house.wait_until_down("somewhere.example");
  EXPECT_FALSE(house.gone(id));
  EXPECT_TRUE(house.reports().empty());
  EXPECT_TRUE(house.direct().up);
}

TEST(Direct, AServerThatIsOurselves) {
  DirectHouse house({{"EHLO", "250 client.example"}});
  QueueId id = house.add({"a@[127.0.0.1]"});
  house.run_until([&] { return house.gone(id); });
  house.wait_for_report();
  EXPECT_NE(house.report_text(house.reports().front()).find("5.4.6"), std::string::npos);
  EXPECT_TRUE(house.mx->carried.empty());
  // Without leave to go into private space loopback is known for ourselves before anybody is asked.
  DirectHouse strict;
  strict.settings.direct.private_addresses = false;
  strict.apply();
  id = strict.add({"a@[127.0.0.1]"});
  strict.run_until([&] { return strict.gone(id); });
  EXPECT_EQ(strict.mx->connections, 0u);
}

TEST(Direct, NoStrangersRecordLeadsIntoPrivateSpace) {
  DirectHouse house;
  house.settings.direct.private_addresses = false;
  house.apply();
  QueueId id = house.add({"a@[10.200.200.1]"});
  house.wait_until_down("[10.200.200.1]");
  EXPECT_FALSE(house.gone(id));
  EXPECT_NE(house.to("[10.200.200.1]")->reason.find("private_networks"), std::string::npos);
}

TEST(Direct, WhoRefusesOurAddressMakesNothingBounce) {
  for (const Answers& answers : {Answers{{"RCPT", "550 5.7.25 no reverse name for [192.0.2.1]"}},
                                 Answers{{"GREETING", "554 5.7.1 dynamic addresses are not welcome"}}}) {
    DirectHouse house(answers);
    QueueId id = house.add({"a@[127.0.0.1]"});
    house.wait_until_down("[127.0.0.1]");
    EXPECT_FALSE(house.gone(id));
    EXPECT_TRUE(house.reports().empty());
    EXPECT_GT(*house.to("[127.0.0.1]")->again_at, system_clock().wall() + std::chrono::minutes(50));
    EXPECT_TRUE(house.direct().up);
  }
}

TEST(Direct, ClosedHereAndOpenAgain) {
  DirectHouse house;
  std::vector<QueueId> ids;
  for (const char* host : {"2", "3", "4"}) ids.push_back(house.add({"a@[127.0.0." + std::string(host) + "]"}));
  house.run_until([&] { return !house.direct().up; });
  EXPECT_NE(house.direct().reason.find("port 25 is closed here"), std::string::npos) << house.direct().reason;
  QueueId late = house.add({"a@[127.0.0.1]"});
  house.run_until([&] { return house.scheduler.totals().active == 0; });
  EXPECT_EQ(house.mx->connections, 0u);  // it waits on the family
  EXPECT_EQ(house.to("[127.0.0.1]")->reason, house.direct().reason);
  for (QueueId id : ids) EXPECT_FALSE(house.gone(id));
  EXPECT_TRUE(house.reports().empty());
  for (QueueId id : ids) house.scheduler.remove(id);
  house.scheduler.retry_now(late);  // somebody says that it is open: it is tried now
  house.run_until([&] { return house.gone(late); });
  EXPECT_TRUE(house.direct().up);
  const std::string log = house.log_text();
  EXPECT_EQ(House::count(log, "port25_closed"), 1) << log;
  EXPECT_EQ(House::count(log, "port25_open"), 1) << log;
}

TEST(Direct, AnAddressThatWeDoNotHaveSaysNothingOfPort25) {
  DirectHouse house;
  house.settings.direct.source_address = "192.0.2.77";
  house.apply();
  for (const char* host : {"2", "3", "4"}) house.add({"a@[127.0.0." + std::string(host) + "]"});
  for (const char* host : {"2", "3", "4"}) house.wait_until_down("[127.0.0." + std::string(host) + "]");
  EXPECT_TRUE(house.direct().up);
  const std::string reason = house.to("[127.0.0.2]")->reason;
  EXPECT_NE(reason.find("no such address"), std::string::npos) << reason;
  EXPECT_NE(reason.find("source_address"), std::string::npos) << reason;
  EXPECT_EQ(House::count(house.log_text(), "port25_closed"), 0);
}

TEST(Direct, OwnNameAmongTheExchangers) {
  using List = std::vector<dns::Exchanger>;
  struct {
    List list, left;
    bool found;
  } cases[] = {
      {{{10, "a"}, {20, "Me.example"}, {20, "b"}, {30, "c"}}, {{10, "a"}}, true},
      {{{10, "me.example"}, {20, "b"}}, {}, true},
      {{{10, "a"}, {20, "b"}}, {{10, "a"}, {20, "b"}}, false},
      {{}, {}, false},
  };
  for (auto& c : cases) {
    EXPECT_EQ(drop_own(c.list, "me.example"), c.found);
    EXPECT_EQ(c.list, c.left);
  }
}

TEST(Direct, WhoTookNothingIsAskedAfterTheOthersForAWhile) {
  using List = std::vector<dns::Exchanger>;
  const SteadyTime now = system_clock().steady();
  const List best_first{{10, "a"}, {20, "b"}, {20, "c"}, {30, "d"}};
  PassedOver passed_over;
  passed_over.add("c", now + Duration(1000));
  passed_over.add("a", now + Duration(1000));
  passed_over.add("d", now);  // over
  List list = best_first;
  EXPECT_EQ(put_last(list, passed_over, now), 2u);
  EXPECT_EQ(list, (List{{20, "b"}, {30, "d"}, {10, "a"}, {20, "c"}}));
  list = best_first;
  EXPECT_EQ(put_last(list, passed_over, now + Duration(1000)), 4u);
  EXPECT_EQ(list, best_first);
}

// To a server that asks: whatever the policy says of its own certificate. Nobody logs in there, also where EXTERNAL is
// offered.
TEST(Direct, ShowsACertificateOfOurOwn) {
  for (TlsLevel level : {TlsLevel::kMay, TlsLevel::kVerify}) {
    DirectHouse house;
    test::TestCa ca;
    const auto theirs = ca.issue({.names = {"127.0.0.1"}}), ours = ca.issue({.names = {"client.example"}});
    auto tls = tls::ServerContext::serve(
        {.identities = {{theirs.cert_file, theirs.key_file}}, .client_ca_file = ca.ca_file()});
    ASSERT_TRUE(tls) << tls.error().text;
    house.relays.push_back(std::make_unique<TestRelay>(
        house.loop, Answers{{"EHLO", "250-mx.example\r\n250-STARTTLS\r\n250 AUTH EXTERNAL"}}, *tls));
    TestRelay& mx = *house.relays.back();
    house.settings.direct.port = mx.port;
    house.settings.direct.tls = level;
    house.settings.direct.tls_ca_file = ca.ca_file();
    house.settings.direct.certificate = {ours.cert_file, ours.key_file};
    house.apply();
    QueueId id = house.add({"a@[127.0.0.1]"});
    house.run_until([&] { return house.gone(id); });
    ASSERT_EQ(mx.carried.size(), 1u);
    EXPECT_EQ(mx.shown, ours.fingerprint);
    EXPECT_FALSE(mx.said("AUTH"));
  }
}

}  // namespace
}  // namespace sidegate::deliver::direct_test
