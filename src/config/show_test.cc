#include "config/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/test_files.h"
#include "config/test_load.h"

namespace sidegate::config::show_test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Show, TheShownConfigurationLoadsToItself) {
  auto first = load_text(
      "[[relay]]\nname = \"isp\"\nhost = \"[smtp.example]:465\"\n[[listener]]\naddress = \"::1\"\nnetworks = "
      "[\"10.0.0.0/8\"]\n[log]\nstyle = \"plain\"\n");
  ASSERT_TRUE(first);
  auto second = load_text(show(*first));
  ASSERT_TRUE(second) << text_of(second.error()) << show(*first);
  EXPECT_EQ(show(*first), show(*second));
}

TEST(Show, MasksSecretsEverywhere) {
  TestFiles files;
  const std::string path = files.write("p", "hunter3\n");
  auto l = load_text(
      "[[relay]]\nhost = \"x.example\"\nuser = \"u\"\npassword = \"hunter2\"\n[[relay]]\nhost = \"y.example\"\nuser = "
      "\"u\"\npassword_file = \"" +
      path + "\"\n");
  ASSERT_TRUE(l) << text_of(l.error());
  for (const std::string& text : {show(*l), diff(*l)}) {
    EXPECT_THAT(text, Not(HasSubstr("hunter")));
    EXPECT_THAT(text, HasSubstr("password = \"********\""));
    EXPECT_THAT(text, HasSubstr("password_file = \"" + path + "\""));
  }
}

// What a file holds is not told as given here: what is shown would be refused for having both.
TEST(Show, ASecretFromAFileIsNotShownBesideIt) {
  TestFiles files;
  const std::string path = files.write("p", "hunter4\n");
  auto l = load_text(
      "[auth]\nbackends = [\"ldap\"]\nldap_url = \"ldaps://x.example\"\nldap_base = \"dc=x\"\n"
      "ldap_bind_password_file = \"" +
      path + "\"\n");
  ASSERT_TRUE(l) << text_of(l.error());
  EXPECT_EQ(l->settings.auth.ldap.bind_password, "hunter4");
  EXPECT_THAT(diff(*l), Not(HasSubstr("ldap_bind_password = ")));
  auto again = load_text(show(*l));
  ASSERT_TRUE(again) << text_of(again.error());
  EXPECT_EQ(again->settings.auth.ldap.bind_password, "hunter4");
}

TEST(Show, DiffHoldsOnlyWhatDiffersAndSaysWhere) {
  auto l = load_text("hostname = \"a.example\"\nthreads = 0\n[[relay]]\nhost = \"x.example\"\ntls = \"implicit\"\n");
  ASSERT_TRUE(l);
  EXPECT_THAT(diff(*l), HasSubstr("hostname = \"a.example\"   # f:1\n"));
  EXPECT_THAT(diff(*l), HasSubstr("relay.0.tls = \"implicit\"   # f:5\n"));
  EXPECT_THAT(diff(*l), HasSubstr("relay.0.port = 465   # worked out from the rest\n"));
  EXPECT_THAT(diff(*l), Not(HasSubstr("threads")));
}

// The sample with every key brought into force must load: names, types and defaults are true.
TEST(Show, TheSampleLoadsAlsoWithEveryLineInForce) {
  ASSERT_TRUE(load_text(sample()));
  std::istringstream in(sample());
  std::string all;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#") && !line.starts_with("# ")) line.erase(0, 1);
    if (line.starts_with("password = ") || line.starts_with("password_file = ")) continue;
    all += line + "\n";
  }
  LoadRequest request;
  request.path = "f";
  request.text = all;
  request.system_name = "mail.example.org";
  request.open_files = false;  // the keys that it names are nobody's
  auto l = load(request);
  ASSERT_TRUE(l) << text_of(l.error()) << all;
}

TEST(Show, Explains) {
  for (const char* key :
       {"relay.host", "relay.0.host", "host", "SIDEGATE_RELAY_0_HOST", "[[relay]].host", "relay[1].host"}) {
    auto text = explain(key);
    ASSERT_TRUE(text) << key;
    EXPECT_THAT(*text, HasSubstr("relay.N.host")) << key;
    EXPECT_THAT(*text, HasSubstr("SIDEGATE_RELAY_0_HOST")) << key;
  }
  EXPECT_THAT(*explain("idle_timeout"),
              testing::AllOf(HasSubstr("listener.N.idle_timeout"), HasSubstr("relay.N.idle_timeout")));
  EXPECT_THAT(*explain("relay"), HasSubstr("messages_per_connection"));
  auto unknown = explain("relay.hots");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().text, HasSubstr("did you mean relay.host?"));
}

// Write it again: sidegate config reference > doc/configuration.md (or this test with SIDEGATE_TEST_WRITE_REFERENCE
// set).
TEST(Reference, IsNotStale) {
  const std::string path = SIDEGATE_SOURCE_DIR "/doc/configuration.md";
  if (std::getenv("SIDEGATE_TEST_WRITE_REFERENCE") != nullptr) std::ofstream(path) << reference();
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), reference())
      << "doc/configuration.md is stale: sidegate config reference > doc/configuration.md";
}

TEST(Options, EverySentenceIsOneAndEveryRangeHoldsItsDefault) {
  for (const Table& t : tables()) {
    for (const Option& option : t.options) {
      EXPECT_TRUE(std::string_view(option.sentence).ends_with('.')) << option.name;
      if (option.default_text.empty()) continue;
      const std::shared_ptr<void> block = new_block(t);
      Status set = option.place.set(block.get(), Value::from_text(option.default_text), option.range);
      EXPECT_TRUE(set) << option.name << ": " << set.error().text;
    }
  }
}

}  // namespace
}  // namespace sidegate::config::show_test
