#include "provider/presets.h"

#include <gtest/gtest.h>

#include <set>

namespace sidegate::provider::presets_test {
namespace {

TEST(Presets, AreWhole) {
  std::set<std::string_view> names;
  for (const Preset& p : presets()) {
    EXPECT_TRUE(names.insert(p.id).second) << p.id;
    EXPECT_FALSE(p.title.empty()) << p.id;
    EXPECT_FALSE(p.source.empty() || p.date.empty()) << p.id;
    EXPECT_FALSE(p.ports.empty()) << p.id;
    EXPECT_EQ(p.host.empty(), p.needs == "host") << p.id;
    EXPECT_EQ(p.user_form == UserForm::kFixed, !p.user.empty()) << p.id;
    EXPECT_TRUE(p.user_form != UserForm::kLocalPart || !p.domain.empty()) << p.id;
    EXPECT_EQ(find_preset(p.id), &p);
  }
}

TEST(Presets, AreFoundByName) {
  for (const char* name :
       {"ocn", "OCN", "eo", "au-one-net", "nifty", "biglobe", "so-net", "sakura", "xserver", "gmail", "microsoft365",
        "office365", "icloud", "yahoo", "yahoo-jp", "ses", "sendgrid", "mailgun", "fastmail"}) {
    EXPECT_NE(find_preset(name), nullptr) << name;
  }
  EXPECT_EQ(find_preset("nobody"), nullptr);
  EXPECT_EQ(find_preset(""), nullptr);
}

TEST(Presets, HostsAreFilledIn) {
  auto host = [](const char* id, const char* server, const char* region, const char* domain) {
    return preset_host(*find_preset(id), server, region, domain);
  };
  EXPECT_EQ(host("ocn", "", "", ""), "smtp.ocn.ne.jp");
  EXPECT_EQ(host("sakura", "example", "", ""), "example.sakura.ne.jp");
  EXPECT_EQ(host("sakura", "www1234.sakura.ne.jp", "", ""), "www1234.sakura.ne.jp");
  EXPECT_EQ(host("xserver", "sv1234", "", ""), "sv1234.xserver.jp");
  EXPECT_EQ(host("ses", "", "ap-northeast-1", ""), "email-smtp.ap-northeast-1.amazonaws.com");
  EXPECT_EQ(host("mailgun", "", "", ""), "smtp.mailgun.org");
  EXPECT_EQ(host("mailgun", "", "eu", ""), "smtp.eu.mailgun.org");
  EXPECT_EQ(host("zoho", "", "", ""), "smtp.zoho.com");
  EXPECT_EQ(host("zoho", "", "jp", ""), "smtp.zoho.jp");
  EXPECT_EQ(host("au-one-net", "", "", "ab.auone-net.jp"), "msa.ab.auone-net.jp");
}

}  // namespace
}  // namespace sidegate::provider::presets_test
