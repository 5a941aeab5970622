#include "rewrite/srs.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/text.h"
#include "rewrite/address_list.h"

namespace sidegate::rewrite::srs_test {
namespace {

const WallTime kNow{std::chrono::seconds(1'763'770'000)};  // 2025-11-22
constexpr auto kDay = std::chrono::hours(24);
const SrsKeys kKeys{"gate.example", {"tops3cr3t"}, {}};

std::string reversed(const SrsKeys& keys, std::string_view address, WallTime now = kNow) {
  auto r = srs_reverse(keys, address, now);
  return r ? *r : std::string(name(r.error().kind));
}

TEST(Srs, ThereAndBack) {
  for (const char* sender : {"ann@sender.example", "a=b=c@x.example", "\"a b\"@x.example", "SRS0@x.example",
                             "srs2=a@x.example", "SRS0x@y.example", "taro..k.@keitai.example", "太郎@例え.example"}) {
    std::string made = srs_forward(kKeys, sender, kNow);
    EXPECT_TRUE(is_srs(made)) << made;
    EXPECT_TRUE(made.ends_with("@gate.example")) << made;
    EXPECT_EQ(reversed(kKeys, made), sender);
  }
}

TEST(Srs, AsPublished) {
  EXPECT_EQ(srs_forward(kKeys, "ann@sender.example", kNow), "SRS0=4qOQ=56=sender.example=ann@gate.example");
  EXPECT_EQ(srs_forward(kKeys, "SRS0=abcd=TT=a.example=ann@first.example", kNow),
            "SRS1=Jtbz=first.example==abcd=TT=a.example=ann@gate.example");
}

TEST(Srs, OverThreeForwarders) {
  SrsKeys first{"first.example", {"one"}, {}}, second{"second.example", {"two"}, {}},
      third{"third.example", {"three"}, {}};
  std::string a = srs_forward(first, "ann@sender.example", kNow);
  std::string b = srs_forward(second, a, kNow);
  std::string c = srs_forward(third, b, kNow);
  EXPECT_TRUE(b.starts_with("SRS1=") && b.ends_with("@second.example")) << b;
  EXPECT_TRUE(c.starts_with("SRS1=") && c.ends_with("@third.example")) << c;
  EXPECT_EQ(c.find("second.example"), std::string::npos);  // it leads to the first one at once
  EXPECT_EQ(reversed(third, c), a);
  EXPECT_EQ(reversed(second, b), a);
  EXPECT_EQ(reversed(first, a), "ann@sender.example");
}

TEST(Srs, LeftAlone) {
  for (const char* sender : {"", "root", "ann@gate.example", "ann@GATE.example", "ann@[x:a=b]", "\"\"@x.example"}) {
    EXPECT_EQ(srs_forward(kKeys, sender, kNow), sender);
  }
  EXPECT_EQ(srs_forward({"gate.example", {"one"}, {"home.example"}}, "ann@Home.example", kNow), "ann@Home.example");
  EXPECT_EQ(srs_forward({"gate.example", {}, {}}, "ann@sender.example", kNow), "ann@sender.example");
}

TEST(Srs, NotOurs) {
  std::string made = srs_forward(kKeys, "ann@sender.example", kNow);
  std::string other = made;
  other[6] = other[6] == 'x' ? 'y' : 'x';
  std::string domain = made;
  domain.replace(domain.find("sender"), 6, "victim");
  for (const std::string& address :
       {other, domain, std::string("SRS0=@gate.example"), std::string("SRS0====@gate.example"),
        std::string("SRS0=ab=TT=x.example=ann@gate.example"), std::string("SRS1=abcd=x.example=ann@gate.example"),
        std::string("SRS1=abcd=x.example==@gate.example"), std::string("ann@gate.example"), std::string("SRS0"),
        std::string("SRS0==TT=sender.example=ann@gate.example")}) {
    EXPECT_EQ(reversed(kKeys, address), "not_found") << address;
  }
}

TEST(Srs, Age) {
  std::string made = srs_forward(kKeys, "ann@sender.example", kNow);
  EXPECT_EQ(reversed(kKeys, made, kNow + 21 * kDay), "ann@sender.example");
  EXPECT_EQ(reversed(kKeys, made, kNow + 22 * kDay), "timeout");
  EXPECT_EQ(reversed(kKeys, made, kNow - 1 * kDay), "ann@sender.example");
  EXPECT_EQ(reversed(kKeys, made, kNow - 2 * kDay), "timeout");
  EXPECT_EQ(reversed(kKeys, made, kNow + 1000 * kDay), "timeout");
}

TEST(Srs, CaseMayBeLost) {
  std::string made = srs_forward(kKeys, "Ann@Sender.Example", kNow);
  EXPECT_EQ(reversed(kKeys, lower(made)), "ann@sender.example");
  EXPECT_EQ(reversed(kKeys, upper(made)), "ANN@SENDER.EXAMPLE");
}

TEST(Srs, AnOldSecretIsKnown) {
  std::string made = srs_forward(kKeys, "ann@sender.example", kNow);
  EXPECT_EQ(reversed({"gate.example", {"fresh", "tops3cr3t"}, {}}, made), "ann@sender.example");
  EXPECT_EQ(reversed({"gate.example", {"fresh"}, {}}, made), "not_found");
  EXPECT_EQ(reversed({"gate.example", {}, {}}, made), "not_found");
}

TEST(Srs, OtherSeparators) {
  std::string made = srs_forward(kKeys, "ann@sender.example", kNow);
  for (char c : {'+', '-'}) {
    std::string other = made;
    other[4] = c;
    EXPECT_EQ(reversed(kKeys, other), "ann@sender.example");
    std::string on = srs_forward({"second.example", {"two"}, {}}, other, kNow);
    EXPECT_EQ(reversed({"second.example", {"two"}, {}}, on), other);
  }
}

RC_GTEST_PROP(Srs, AnyLocalPart, (std::string local, std::string noise)) {
  RC_PRE(!local.empty());
  std::string sender = quoted_local(local) + "@sender.example";
  std::string made = srs_forward(kKeys, sender, kNow);
  RC_ASSERT(domain_part(made) == "gate.example" || made == sender);
  RC_ASSERT(reversed(kKeys, made) == sender);
  srs_reverse(kKeys, "SRS0=" + noise, kNow);
  srs_reverse(kKeys, "SRS1=" + noise + "@gate.example", kNow);
}

}  // namespace
}  // namespace sidegate::rewrite::srs_test
