#include "intake/relay_domains.h"

#include <gtest/gtest.h>

namespace sidegate::intake::relay_domains_test {
namespace {

TEST(RelayDomains, RecipientLists) {
  RelayDomainSettings listed{"example.org", RecipientCheck::kList,
                             "# ours\nTaro@example.org OK\n\nhana   # at home\r\n ken:\n"};
  RelayDomainSettings everybody{"all.example", RecipientCheck::kList, "@all.example x\n"};
  RelayDomains domains({listed, everybody}, "+");
  struct {
    const char *domain, *local;
    bool there;
  } cases[] = {
      {"example.org", "taro", true},    {"EXAMPLE.org", "TARO", true},      {"example.org", "hana", true},
      {"example.org", "ken", true},     {"example.org", "taro+shop", true}, {"example.org", "+shop", false},
      {"example.org", "nobody", false}, {"example.org", "", false},         {"example.org", "Postmaster", true},
      {"example.org", "taro@x", false}, {"all.example", "who", true},
  };
  for (const auto& c : cases) {
    const RelayDomain* found = domains.find(c.domain);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(domains.lists(*found, c.local), c.there) << c.domain << " " << c.local;
  }
  // Both spellings of a domain are one.
  for (const char* written : {"例え.jp", "xn--r8jz45g.jp"}) {
    RelayDomains one({{written, RecipientCheck::kList, "taro@例え.jp\nhana@xn--r8jz45g.jp\n"}}, "+");
    for (const char* came : {"例え.jp", "XN--r8jz45g.jp"}) {
      const RelayDomain* found = one.find(came);
      ASSERT_NE(found, nullptr) << written << " " << came;
      EXPECT_TRUE(one.lists(*found, "taro") && one.lists(*found, "hana") && !one.lists(*found, "ken"));
    }
  }
  EXPECT_EQ(domains.find("sub.example.org"), nullptr);
  EXPECT_EQ(domains.find(""), nullptr);
}

TEST(KnownRecipients, AYesLastsLongerThanANo) {
  using std::chrono::hours;
  ManualClock clock;
  KnownRecipients known(clock, 3);
  known.learn("a@x", Known::kExists);
  known.learn("b@x", Known::kUnknown);
  known.learn("c@x", Known::kCannotTell);
  EXPECT_EQ(known.fresh("a@x"), Known::kExists);
  EXPECT_EQ(known.fresh("b@x"), Known::kUnknown);
  EXPECT_EQ(known.fresh("c@x"), std::nullopt);
  clock.advance(hours(2));
  EXPECT_EQ(known.fresh("a@x"), Known::kExists);
  EXPECT_EQ(known.fresh("b@x"), std::nullopt);
  clock.advance(hours(24));
  EXPECT_EQ(known.fresh("a@x"), std::nullopt);
  EXPECT_TRUE(known.existed("a@x"));
  EXPECT_FALSE(known.existed("b@x"));
  clock.advance(hours(24 * 31));
  EXPECT_FALSE(known.existed("a@x"));
}

TEST(KnownRecipients, IsBounded) {
  ManualClock clock;
  KnownRecipients known(clock, 3);
  known.learn("a@x", Known::kExists);
  for (int i = 0; i < 1000; ++i) known.learn("n" + std::to_string(i) + "@x", Known::kUnknown);
  EXPECT_EQ(known.fresh("a@x"), Known::kExists);  // guesses push nobody out
  EXPECT_EQ(known.fresh("n0@x"), std::nullopt);
}

}  // namespace
}  // namespace sidegate::intake::relay_domains_test
