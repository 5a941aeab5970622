// [[dkim]]: keys are read and looked at with the configuration.
#include <gtest/gtest.h>

#include "config/show.h"
#include "config/test_files.h"
#include "config/test_load.h"
#include "dkim/key.h"

namespace sidegate::config::dkim_test {
namespace {

std::string block(const std::string& key_file, const std::string& more = "", const std::string& selector = "s1") {
  return "[[dkim]]\ndomain = \"Example.org\"\nselector = \"" + selector + "\"\nkey_file = \"" + key_file + "\"\n" +
         more;
}

TEST(Dkim, KeysOfBothKinds) {
  TestFiles files;
  const std::string rsa = files.write("rsa", dkim::Key::generate(dkim::Algorithm::kRsa)->pem());
  const std::string ed = files.write("ed", dkim::Key::generate(dkim::Algorithm::kEd25519)->pem());
  auto loaded = load_text(block(rsa, "canonicalization = \"simple\"\nheaders = [\"From\", \"X-A\"]\n") +
                          block(ed, "subdomains = false\n", "s2"));
  ASSERT_TRUE(loaded) << text_of(loaded.error());
  const auto& keys = loaded->settings.deliver.dkim->all();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].domain, "example.org");
  EXPECT_EQ(keys[0].key->algorithm(), dkim::Algorithm::kRsa);
  EXPECT_EQ(keys[0].body_form, dkim::Form::kSimple);
  EXPECT_EQ(keys[0].headers, (std::vector<std::string>{"From", "X-A"}));
  EXPECT_EQ(keys[1].key->algorithm(), dkim::Algorithm::kEd25519);
  EXPECT_EQ(keys[1].header_form, dkim::Form::kRelaxed);
  EXPECT_FALSE(keys[1].subdomains);
  EXPECT_EQ(show(*loaded).find("PRIVATE"), std::string::npos);
}

TEST(Dkim, WhatIsWrong) {
  TestFiles files;
  const std::string key = dkim::Key::generate(dkim::Algorithm::kEd25519)->pem();
  const std::string good = files.write("good", key), open = files.write("open", key, 0644),
                    none = files.write("none", "x");
  struct {
    std::string text, expected;
  } cases[] = {
      {block(open), "0644"},
      {block(none), "holds no private key"},
      {block("/nonexistent/key"), "sidegate dkim new example.org"},
      {block(good) + block(good), "is there twice"},
      {block(good, "canonicalization = \"nowsp\"\n"), "is not one of"},
      {block(good, "headers = [\"a b\"]\n"), "is not the name of a header field"},
      {"[[dkim]]\ndomain = \"example.org\"\n", "has no selector"},
      {block(good, "", "a b"), "is no selector"},
  };
  for (const auto& c : cases) {
    auto loaded = load_text(c.text);
    ASSERT_FALSE(loaded) << c.text;
    EXPECT_NE(text_of(loaded.error()).find(c.expected), std::string::npos) << text_of(loaded.error());
    EXPECT_EQ(text_of(loaded.error()).find(key.substr(28, 30)), std::string::npos);
  }
}

}  // namespace
}  // namespace sidegate::config::dkim_test
