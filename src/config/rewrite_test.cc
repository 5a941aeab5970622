// [rewrite] and what a relay has of its own: maps from the file and beside it, in force together.
#include <gtest/gtest.h>

#include "config/show.h"
#include "config/test_files.h"
#include "config/test_load.h"

namespace sidegate::config::rewrite_test {
namespace {

LoadResult load_on_nas(std::string text, TestEnvironment environment = {}) {
  return load(request_of(std::move(text), std::move(environment), "nas.home.example"));
}

Settings good(const std::string& text) {
  auto loaded = load_on_nas(text);
  EXPECT_TRUE(loaded) << (loaded ? "" : text_of(loaded.error()));
  return loaded ? loaded->settings : Settings();
}

TEST(Rewrite, MapsInlineAndFromFiles) {
  TestFiles files;
  const std::string generic =
      files.write("generic", "# Postfix's\nann@nas.home.example ann@isp.example\nroot x@y.example\nbad\n");
  const std::string canonical = files.write("canonical", "login first.last@home.example\n");
  auto loaded = load_on_nas(
      "[rewrite]\ngeneric = { root = \"me@isp.example\", \"@localdomain\" = \"@home.example\" }\n"
      "generic_file = \"hash:" +
      generic +
      "\"\nmasquerade_domains = [\"home.example\"]\n"
      "masquerade_exceptions = [\"root\", \"ann\"]\nsender_canonical_file = \"" +
      canonical + "\"\n");
  ASSERT_TRUE(loaded) << text_of(loaded.error());
  const rewrite::Outgoing& out = *loaded->settings.deliver.rewrite;
  EXPECT_EQ(out.apply("root@nas.home.example", rewrite::kEnvelopeSender), "me@isp.example");
  EXPECT_EQ(out.apply("ann@nas.home.example", rewrite::kHeaderSender), "ann@isp.example");
  EXPECT_EQ(out.apply("bob@nas.home.example", rewrite::kHeaderSender), "bob@home.example");
  EXPECT_EQ(out.apply("bob@localdomain", rewrite::kHeaderRecipient), "bob@home.example");
  const rewrite::Incoming& in = *loaded->settings.incoming;
  EXPECT_EQ(in.apply("login", rewrite::kEnvelopeSender), "first.last@home.example");
  EXPECT_EQ(in.apply("login", rewrite::kEnvelopeRecipient), "login");
  EXPECT_NE(text_of(loaded->warnings).find(generic + ":4: \"bad\" leads nowhere"), std::string::npos)
      << text_of(loaded->warnings);
}

TEST(Rewrite, ByTableHeadingAndEnvironment) {
  Settings s = good("[rewrite.generic]\nroot = \"me@isp.example\"\n\"@localdomain\" = \"@home.example\"\n");
  EXPECT_EQ(s.deliver.rewrite->apply("root", rewrite::kEnvelopeSender), "me@isp.example");
  auto loaded = load_on_nas("", {{"SIDEGATE_REWRITE_GENERIC", "root=me@isp.example, @localdomain=@home.example"},
                                 {"SIDEGATE_REWRITE_MASQUERADE_DOMAINS", "home.example"}});
  ASSERT_TRUE(loaded) << text_of(loaded.error());
  EXPECT_EQ(loaded->settings.deliver.rewrite->apply("x@localdomain", rewrite::kEnvelopeSender), "x@home.example");
  EXPECT_EQ(good("").deliver.rewrite, nullptr);
  EXPECT_EQ(good("").incoming, nullptr);
}

TEST(Rewrite, ARelaysOwnKeysTakeThePlaceOfThose) {
  Settings s = good(
      "[rewrite]\nmasquerade_domains = [\"home.example\"]\ngeneric = { root = \"me@isp.example\" }\n"
      "[[relay]]\nname = \"a\"\nhost = \"a.example\"\n"
      "[[relay]]\nname = \"b\"\nhost = \"b.example\"\ngeneric = { root = \"you@b.example\" }\n"
      "[[relay]]\nname = \"c\"\nhost = \"c.example\"\nrewrite = false\n"
      "[[relay]]\nname = \"d\"\nhost = \"d.example\"\nrewrite = false\nmasquerade_domains = [\"nas.home.example\"]\n"
      "[[relay_domain]]\ndomain = \"inner.example\"\nnext_hop = \"10.0.0.1\"\n");
  auto by = [&](std::size_t i, const char* address) {
    const auto& own = s.deliver.relays[i].rewrite;
    return (own ? *own : *s.deliver.rewrite).apply(address, rewrite::kEnvelopeSender);
  };
  EXPECT_EQ(s.deliver.relays[0].rewrite, nullptr);
  EXPECT_EQ(by(0, "root"), "root@home.example");
  EXPECT_EQ(by(1, "x@nas.home.example"), "x@home.example");
  EXPECT_EQ(by(2, "x@nas.home.example"), "x@nas.home.example");
  EXPECT_EQ(by(3, "x@pc.nas.home.example"), "x@nas.home.example");
  EXPECT_EQ(by(3, "root@nas.home.example"), "root@nas.home.example");
  ASSERT_TRUE(s.deliver.next_hops.at(0).relay.rewrite);
  EXPECT_TRUE(s.deliver.next_hops.at(0).relay.rewrite->empty());
}

TEST(Rewrite, ARelayEndsARuleWithAnEmptyKey) {
  TestFiles files;
  const std::string map = files.write("map", "ann@nas.home.example ann@map.example\n");
  const std::string base =
      "[rewrite]\nmasquerade_domains = [\"home.example\"]\nmasquerade_classes = [\"envelope_sender\"]\n"
      "masquerade_exceptions = [\"bob\"]\ngeneric = { root = \"me@isp.example\" }\ngeneric_file = \"" +
      map + "\"\ncanonical_out = { carol = \"c@isp.example\" }\n[[relay]]\nhost = \"a.example\"\n";
  struct {
    const char *keys, *address, *sender, *from;
  } cases[] = {
      {"", "x@nas.home.example", "x@home.example", "x@nas.home.example"},
      {"", "carol@nas.home.example", "c@isp.example", "c@isp.example"},
      {"masquerade_domains = []\n", "x@nas.home.example", "x@nas.home.example", "x@nas.home.example"},
      {"masquerade_domains = []\n", "root@nas.home.example", "me@isp.example", "me@isp.example"},
      {"masquerade_domains = []\ngeneric = {}\n", "root@nas.home.example", "root@nas.home.example",
       "root@nas.home.example"},
      {"masquerade_domains = []\ngeneric = {}\n", "ann@nas.home.example", "ann@nas.home.example",
       "ann@nas.home.example"},
      {"generic = {}\nmasquerade_exceptions = []\n", "bob@nas.home.example", "bob@home.example",
       "bob@nas.home.example"},
      {"masquerade_domains = []\ngeneric_file = \"\"\n", "root@nas.home.example", "root@nas.home.example",
       "root@nas.home.example"},
      {"generic = {}\nmasquerade_classes = []\n", "x@nas.home.example", "x@home.example", "x@home.example"},
      {"canonical_out = {}\n", "carol@nas.home.example", "carol@home.example", "carol@nas.home.example"},
      {"rewrite = false\ngeneric = {}\n", "x@nas.home.example", "x@nas.home.example", "x@nas.home.example"},
  };
  for (const auto& c : cases) {
    auto loaded = load_on_nas(base + c.keys);
    ASSERT_TRUE(loaded) << text_of(loaded.error());
    auto again = load_on_nas(show(*loaded));  // and it is shown as it is meant
    ASSERT_TRUE(again) << text_of(again.error());
    for (const Settings* s : {&loaded->settings, &again->settings}) {
      const auto& own = s->deliver.relays[0].rewrite;
      const rewrite::Outgoing& rules = own ? *own : *s->deliver.rewrite;
      EXPECT_EQ(rules.apply(c.address, rewrite::kEnvelopeSender), c.sender) << c.keys;
      EXPECT_EQ(rules.apply(c.address, rewrite::kHeaderSender), c.from) << c.keys;
    }
  }
  auto by_environment = load_on_nas(base, {{"SIDEGATE_RELAY_0_MASQUERADE_DOMAINS", ""}});
  ASSERT_TRUE(by_environment);
  const auto& own = by_environment->settings.deliver.relays[0].rewrite;
  ASSERT_TRUE(own);
  EXPECT_EQ(own->apply("x@nas.home.example", rewrite::kEnvelopeSender), "x@nas.home.example");
}

TEST(Rewrite, ShownAsItLoads) {
  auto loaded = load_on_nas(
      "[rewrite]\ngeneric = { root = \"me@isp.example\" }\nmasquerade_classes = [\"header_sender\"]\n"
      "[[relay]]\nhost = \"a.example\"\naddress = \"me@a.example\"\nallowed = [\"*@B.example\"]\n");
  ASSERT_TRUE(loaded);
  const std::string shown = show(*loaded);
  EXPECT_NE(shown.find("generic = { \"root\" = \"me@isp.example\" }"), std::string::npos) << shown;
  EXPECT_NE(shown.find("allowed = [\"@b.example\"]"), std::string::npos);
  auto again = load_on_nas(shown);
  ASSERT_TRUE(again) << text_of(again.error());
  EXPECT_EQ(show(*again), shown);
  EXPECT_EQ(*again->settings.deliver.rewrite, *loaded->settings.deliver.rewrite);
  EXPECT_EQ(again->settings.deliver.relays[0].identity, deliver::Identity::kAllowed);
}

}  // namespace
}  // namespace sidegate::config::rewrite_test
