#include "intake/drop_file.h"

#include <gtest/gtest.h>

namespace sidegate::intake::drop_file_test {
namespace {

const std::string kStart = "sidegate-drop 1\nuid 1000\ntime 1700000000\n";

TEST(DropFile, Good) {
  const std::string text =
      kStart +
      "from a@x\nbody 8bitmime\nret hdrs\nenvid e\nsmtputf8 yes\nto b\nnotify success,delay\norcpt "
      "rfc822;b\nto c@x\nnotify never\nmessage 5\nhello";
  auto heading = parse_drop(text);
  ASSERT_TRUE(heading) << heading.error().text;
  EXPECT_EQ(heading->uid, 1000u);
  EXPECT_EQ(heading->time, 1'700'000'000u);
  const mail::Envelope& e = heading->envelope;
  EXPECT_EQ(e.reverse_path, "a@x");
  EXPECT_EQ(e.body, mail::BodyType::k8bitMime);
  EXPECT_EQ(e.ret, mail::Ret::kHeaders);
  EXPECT_EQ(e.envid, "e");
  EXPECT_TRUE(e.smtputf8);
  ASSERT_EQ(e.recipients.size(), 2u);
  EXPECT_EQ(e.recipients[0].address, "b");
  EXPECT_TRUE(e.recipients[0].notify.success && e.recipients[0].notify.delay && !e.recipients[0].notify.failure);
  EXPECT_EQ(e.recipients[0].orcpt, "rfc822;b");
  EXPECT_TRUE(e.recipients[1].notify.never);
  EXPECT_EQ(text.substr(heading->message_at), "hello");
  EXPECT_EQ(heading->message_size, 5u);
  EXPECT_TRUE(parse_drop(kStart + "from \nto b\nmessage 0\n"));
}

TEST(DropFile, Bad) {
  for (const std::string& text :
       {std::string(), std::string("x\n"), kStart, kStart + "to b\nmessage 1\n", kStart + "from a\nmessage 1\n",
        kStart + "from a\nto b\n", kStart + "from a\nto b\nmessage x\n",
        kStart + "from a\nto b\nmessage 99999999999999\n", kStart + "from a\nfrom b\nto b\nmessage 1\n",
        kStart + "uid 0\nfrom a\nto b\nmessage 1\n", kStart + "from a\nto b\nuid 0\nmessage 1\n",
        kStart + "from a\nto b\nbody 8bitmime\nmessage 1\n", kStart + "from a\rx\nto b\nmessage 1\n",
        kStart + "from a\nto b\nnotify never,success\nmessage 1\n",
        std::string("sidegate-drop 1\nfrom a\nto b\nmessage 1\n"),
        std::string("sidegate-drop 1\nuid -1\nfrom a\nto b\nmessage 1\n"),
        kStart + "from " + std::string(1300, 'a') + "\nto b\nmessage 1\n"})
    EXPECT_FALSE(parse_drop(text)) << text;
}

TEST(DropFile, Names) {
  const std::string base = "0123456789abcdef-fedcba9876543210";
  ASSERT_TRUE(parse_drop_name(base));
  EXPECT_EQ(parse_drop_name(base)->in_hand, 0u);
  ASSERT_TRUE(parse_drop_name(base + ".3"));
  EXPECT_EQ(parse_drop_name(base + ".3")->base, base);
  EXPECT_EQ(parse_drop_name(base + ".3")->in_hand, 3u);
  for (std::string name :
       {base + ".0", base + ".10", base + "x", base.substr(1), std::string("bad"), "tmp-" + base,
        std::string("0123456789ABCDEF-fedcba9876543210"), std::string("0123456789abcde-ffedcba9876543210"),
        std::string("../23456789abcdef-fedcba9876543210")})
    EXPECT_FALSE(parse_drop_name(name)) << name;
  EXPECT_TRUE(is_unfinished_drop("tmp-" + base));
  EXPECT_FALSE(is_unfinished_drop(base));
}

}  // namespace
}  // namespace sidegate::intake::drop_file_test
