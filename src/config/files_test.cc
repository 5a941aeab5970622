#include "config/files.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>

#include "config/load.h"
#include "config/test_files.h"
#include "tls/context.h"

namespace sidegate::config::files_test {
namespace {

TEST(Files, WhatIsPackedComesBackAndNothingElseIsRead) {
  TestFiles folder;
  std::string one = folder.write("one", "first\n"), two = folder.write("two", std::string("a:b\0c", 5), 0600);
  Files files;
  ASSERT_TRUE(files.text(one, 100));
  ASSERT_FALSE(files.secret(two, 0, false)) << "a NUL in a password";
  std::string secret = folder.write("secret", "s3cret\n", 0600);
  ASSERT_TRUE(files.secret(secret, 0, false));
  auto back = Files::unpacked(files.packed());
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(back->text(one, 100), "first\n");
  EXPECT_EQ(back->secret(secret, 0, false), "s3cret");
  EXPECT_FALSE(back->text(two, 100)) << "it was not read, so it is not to be had";
  EXPECT_FALSE(back->text("/etc/hosts", 100));
}

TEST(Files, AFileThatComesIsSeen) {
  TestFiles folder;
  Files files;
  files.expect(folder.path("users"));
  EXPECT_FALSE(files.changed());
  folder.write("users", "me:\n");
  EXPECT_TRUE(files.changed());
  Files fresh;
  fresh.expect(folder.path("users"));  // it is there, and was not read: not for this to say
  EXPECT_FALSE(fresh.changed());
}

TEST(Files, DamagedPackIsRefused) {
  TestFiles folder;
  Files files;
  ASSERT_TRUE(files.text(folder.write("one", "first\n"), 100));
  const std::string packed = files.packed();
  for (std::size_t n = 1; n < packed.size(); ++n) EXPECT_FALSE(Files::unpacked(packed.substr(0, n))) << n;
  EXPECT_FALSE(Files::unpacked("99999999999999999999:x"));
  EXPECT_FALSE(Files::unpacked("5:abcde"));
  EXPECT_TRUE(Files::unpacked(""));
}

// What a credential is called is no path: it is looked for where systemd puts them, and the server finds what was read.
TEST(Files, ACredentialIsReadWhereSystemdPutsItAndNoNameLeadsElsewhere) {
  TestFiles folder;
  setenv("CREDENTIALS_DIRECTORY", folder.path("").c_str(), 1);
  folder.write("isp", "s3cret\n", 0600);
  Files files;
  auto secret = files.secret("credential:isp", 0, false);
  ASSERT_TRUE(secret);
  EXPECT_EQ(*secret, "s3cret");
  EXPECT_FALSE(files.changed());
  auto handed = Files::unpacked(files.packed());
  ASSERT_TRUE(handed);
  EXPECT_EQ(handed->secret("credential:isp", 0, false).value_or(""), "s3cret");
  folder.write("isp", "another\n", 0600);
  EXPECT_TRUE(files.changed());
  auto missing = files.secret("credential:other", 0, false);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().next.find("LoadCredential=other:"), std::string::npos);
  for (const char* name : {"credential:", "credential:../shadow", "credential:a/b", "credential:.", "/etc/x"})
    EXPECT_EQ(credential_name(name), "") << name;
  unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(secret_place("credential:isp"), "/run/credentials/sidegate.service/isp");
}

// The same configuration, with its password and its CA file, from memory alone.
TEST(Files, AConfigurationIsLoadedFromWhatTheParentRead) {
  TestFiles folder;
  std::string password = folder.write("password", "s3cret\n", 0600);
  const auto pem = tls::self_signed("ca.example", 1);
  ASSERT_TRUE(pem);
  std::string ca = folder.write("ca.pem", *pem, 0644);
  std::string main = folder.write(
      "sidegate.toml",
      "[[relay]]\nname = \"isp\"\nhost = \"smtp.isp.example\"\nuser = \"me\"\npassword_file = \"" + password +
          "\"\ntls_ca_file = \"" + ca +
          "\"\n[auth]\nbackends = [\"ldap\", \"oauth\"]\nldap_url = \"ldaps://x.example\"\nldap_base = \"dc=x\"\n"
          "oauth_introspection_url = \"https://x.example/\"\nldap_ca_file = \"" +
          ca + "\"\noauth_ca_file = \"" + ca + "\"\n",
      0600);
  LoadRequest request;
  request.path = main;
  request.system_name = "home.example";
  request.files = std::make_shared<Files>();
  auto parent = load(request);
  ASSERT_TRUE(parent) << text_of(parent.error());
  auto packed = Files::unpacked(request.files->packed());
  ASSERT_TRUE(packed);
  std::filesystem::remove_all(folder.path(""));
  request.files = std::make_shared<Files>(std::move(*packed));
  auto server = load(request);
  ASSERT_TRUE(server) << text_of(server.error());
  EXPECT_EQ(server->settings.deliver.relays.at(0).password, "s3cret");
  EXPECT_EQ(server->settings.deliver.relays.at(0).tls_ca_pem, *pem);
  EXPECT_EQ(server->settings.auth.ldap.ca_pem, *pem);
  EXPECT_EQ(server->settings.auth.oauth.ca_pem, *pem);
  EXPECT_EQ(server->path, main);
}

}  // namespace
}  // namespace sidegate::config::files_test
